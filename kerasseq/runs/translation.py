"""The translator: plan -> train -> save -> measure -> draw."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from kerasseq.data.made_up_pairs import KINDS, make_up_pairs
from kerasseq.data.pair_batches import PairBatches
from kerasseq.data.pairs import Pair, read_pairs, split_by_source
from kerasseq.files.hashes import hashes
from kerasseq.files.keras_models import save_model
from kerasseq.files.report import record
from kerasseq.files.writing import write_file
from kerasseq.models.translation import TranslationConfig, build_translation
from kerasseq.on_device.command import visible
from kerasseq.pictures.losses import plot_losses
from kerasseq.pictures.translation import (
    draw_alignments,
    plot_bleu_by_length,
    translation_table,
)
from kerasseq.runs.bookkeeping import describe_training, open_checkpoint
from kerasseq.runs.demand import foresee
from kerasseq.runs.options import Options
from kerasseq.scores.translation import NearestSource, score_translations
from kerasseq.signatures.translating import translate_ids
from kerasseq.signatures.translation import TranslationOnIds
from kerasseq.text.subwords import Subwords
from kerasseq.training.callbacks import HistoryFile
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.translation import (
    PRESETS,
    batch_pieces,
    fit_pairs,
    training_for,
)

LEAST_PAIRS, MADE_UP_PAIRS, PRINTED = 20, 2_500, 5
# Ids of a text, with `END`.
LONGEST, ROUNDED_TO = 128, 32
HOW_TO = """
To translate a text, or each line of standard input:
  kerasseq translate {file} "a line of text\""""


class EncodedPair(NamedTuple):
    """A pair, and the ids of its source and target without `START` and `END`."""

    pair: Pair
    source: np.ndarray
    target: np.ndarray


class Plan(NamedTuple):
    """Everything that the training of a translator depends on.

    Attributes:
        name, sha256: of the file, and of its pairs, one a line.
        learned, held_out: the pairs to learn from, and those to measure on.
        too_long: pairs of the file that have more pieces than the model reads.
        vocabulary: pieces of the pairs to learn from.
        config, training: the model's sizes, and how it is trained.
        batches: the pairs to learn from.
        checkpoint: of the run.
    """

    name: str
    sha256: str
    learned: Sequence[EncodedPair]
    held_out: Sequence[EncodedPair]
    too_long: int
    vocabulary: Subwords
    config: TranslationConfig
    training: TrainingConfig
    batches: PairBatches
    checkpoint: Checkpoint


def plan(options: Options) -> Plan:
    """Read the pairs, hold a tenth of the sources out and choose the model's sizes.

    Raises:
        ValueError: the file cannot be used or is not that of the run to resume.
    """
    path = Path(options.pairs)
    if options.pairs in KINDS:
        pairs = make_up_pairs(options.pairs, MADE_UP_PAIRS, options.seed)
    else:
        pairs = read_pairs(path, options.encoding)
    if len(pairs) < LEAST_PAIRS:
        raise ValueError(
            f"{path} has {len(pairs)} pairs; give at least {LEAST_PAIRS}, one a line"
        )
    try:
        halves = split_by_source(pairs, seed=options.seed)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    vocabulary = Subwords.learn(text for pair in halves[0] for text in pair)
    learned, held_out = (encode_pairs(half, vocabulary) for half in halves)
    if not learned or not held_out:
        raise ValueError(
            f"{path} has texts of more than {LONGEST - 1} pieces in nearly every pair; "
            "give shorter ones, such as single sentences"
        )
    _, *sides = zip(*learned, strict=True)
    num_pieces = max(sum(map(len, side)) for side in sides)
    batches = batches_of(learned, batch_pieces(num_pieces), options.seed)
    preset = PRESETS[options.preset]
    training = training_for(preset, batches)
    # Exported files read as many ids, which costs them time.
    longest = max(len(ids) + 1 for each in (*learned, *held_out) for ids in each[1:])
    max_length = -(-longest // ROUNDED_TO) * ROUNDED_TO
    config = TranslationConfig(
        len(vocabulary),
        preset.model_size,
        encoder_blocks=preset.blocks,
        decoder_blocks=preset.blocks,
        feed_forward_size=2 * preset.model_size,
        max_length=max_length,
        dropout=preset.dropout,
    )
    foresee(
        "translation",
        lambda: build_translation(config),
        # Logits, their gradients and exponentials.
        12 * batches.most_pieces * len(vocabulary),
        "give less text",
    )
    content = "".join(f"{source}\t{target}\n" for source, target in pairs)
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    return Plan(
        visible(path.name),
        sha256,
        learned,
        held_out,
        len(pairs) - len(learned) - len(held_out),
        vocabulary,
        config,
        training,
        batches,
        open_checkpoint(options, "translation", sha256, config, training),
    )


def encode_pairs(pairs: Sequence[Pair], vocabulary: Subwords) -> list[EncodedPair]:
    """The pairs that are short enough for a translator to read, with their ids."""
    encoded = (
        EncodedPair(pair, *(vocabulary.encode(text) for text in pair)) for pair in pairs
    )
    return [
        each for each in encoded if max(len(each.source), len(each.target)) < LONGEST
    ]


def batches_of(
    pairs: Sequence[EncodedPair], most_pieces: int, seed: int | None = None
) -> PairBatches:
    """Pairs in batches of at most `most_pieces` on each side; see `PairBatches`."""
    return PairBatches(
        [each.source for each in pairs],
        [each.target for each in pairs],
        most_pieces,
        seed,
    )


def train(
    options: Options,
    plan: Plan,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> str:
    """Train a translator, save it, let it translate the held-out texts and draw."""
    folder = options.out / "translation"
    vocabulary, learned, held_out = plan.vocabulary, plan.learned, plan.held_out
    print(
        f"\n{plan.name}: {len(learned) + len(held_out):,} pairs, {len(vocabulary):,} "
        f"pieces in the vocabulary; {plan.config}"
    )
    keras.utils.set_random_seed(options.seed)
    model = build_translation(plan.config)
    history = HistoryFile(folder / "history.csv", ("loss", "val_loss"))
    seconds, loss = fit_pairs(
        model,
        plan.batches,
        batches_of(held_out, plan.batches.most_pieces),
        plan.training,
        history,
        plan.checkpoint,
        callbacks,
        options.resume,
    )
    save_model(model, folder / "translation.keras")
    vocabulary.save(folder / "vocabulary.json")

    sources = [each.source for each in held_out]
    found = translate_ids(TranslationOnIds(model), sources, beam_width=1)
    translations = [vocabulary.decode(each.ids) for each in found]
    pairs = [each.pair for each in held_out]
    write_file(folder / "held_out.tsv", translation_table(pairs, translations))
    references = [pair.target for pair in pairs]
    nearest = NearestSource([each.pair for each in learned])
    scores = {
        "": score_translations(translations, references),
        ", target of the nearest source": score_translations(
            [nearest.translate(pair.source) for pair in pairs], references
        ),
        ", the source itself": score_translations(
            [pair.source for pair in pairs], references
        ),
    }
    for pair, translation in zip(pairs[:PRINTED], translations, strict=False):
        print(f"  {visible(pair.source)} -> {visible(translation)}")
    print("; ".join(f"{name} {value:.4g}" for name, value in scores[""].items()))

    plot_losses(
        history.history,
        folder / "loss.png",
        unit="nats a piece",
        training="training, labels smoothed",
    )
    plot_bleu_by_length(pairs, translations, folder / "bleu.png")
    draw_alignments(model, vocabulary, sources, [each.ids for each in found], folder)
    pieces = sum(len(each.target) + 1 for each in held_out)
    characters = sum(map(len, references))
    section = {
        "corpus": plan.name,
        "corpus SHA-256": plan.sha256,
        "pairs learned from": len(learned),
        "held-out pairs": len(held_out),
        "pairs longer than the model reads, left out": plan.too_long,
        "pieces": len(vocabulary),
        "held-out translations that were cut": sum(not each.finished for each in found),
        "held-out loss, nats a piece": loss,
        "held-out loss, nats a character": loss * pieces / characters,
        **{
            f"{name}{of}": value
            for of, values in scores.items()
            for name, value in values.items()
        },
        **describe_training(options, model, seconds, plan.config, plan.training),
        **hashes(folder, "translation.keras", "vocabulary.json", "held_out.tsv"),
    }
    record(options.out, "translation", section)
    return "translation"
