"""The model that suggests words: plan -> train -> save -> measure -> draw."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from kerasseq.files.hashes import hashes
from kerasseq.files.keras_models import save_model
from kerasseq.files.report import record
from kerasseq.files.writing import write_file
from kerasseq.models.next_word import (
    NextWordConfig,
    build_next_word_model,
    read_next_word_config,
)
from kerasseq.models.rare_words import read_rare_words
from kerasseq.on_device.command import visible
from kerasseq.pictures.losses import plot_losses
from kerasseq.pictures.next_word import plot_savings, plot_typing
from kerasseq.runs.bookkeeping import describe_training, open_checkpoint
from kerasseq.runs.demand import foresee
from kerasseq.runs.fine_tuning import Start, load_start, name_unknown_words
from kerasseq.runs.options import Options
from kerasseq.scores.keystrokes import COUNTS, typical_passage
from kerasseq.scores.next_word import MOST_TYPED, measure, seconds_of_typing
from kerasseq.text.encodings import point_out_controls
from kerasseq.text.keyboard import TypedText, TypedVocabulary
from kerasseq.text.reading import read_text
from kerasseq.text.words import UNKNOWN, about_spaces
from kerasseq.training.callbacks import HistoryFile
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.presets import (
    MOST_WORDS,
    NEXT_WORD,
    NEXT_WORD_MOST_RARE,
    next_word_dropout,
    next_word_sizes,
    next_word_training,
)
from kerasseq.training.streams import fit_streams
from kerasseq.training.workers import workers

# The held-out tenth of fewer words is too small to measure on.
LEAST_WORDS = 1_000
HELD_OUT_WORDS = 2_000
HOW_TO = """
To see what it suggests, for a text or for each line that you type:
  kerasseq suggest {file} "I "
  kerasseq suggest {file}"""


class Plan(NamedTuple):
    """Everything that the training of a next-word model depends on."""

    name: str
    sha256: str
    text: TypedText
    vocabulary: TypedVocabulary
    config: NextWordConfig
    training: TrainingConfig
    checkpoint: Checkpoint
    start: Start | None

    @property
    def seconds_of_measuring(self) -> float:
        """About how long the measurement of keystrokes takes."""
        _, held_out = self.text.split()
        return seconds_of_typing(len(held_out.ids), len(self.vocabulary))


def plan(options: Options) -> Plan:
    """Read the text and choose the model's sizes and the length of the training.

    Raises:
        ValueError: the text cannot be used or is not that of the run to resume.
    """
    path = Path(options.words)
    content = read_text(path, options.encoding)
    text = TypedText.from_text(content)
    aside = f"; {note}" if (note := about_spaces(content)) else ""
    if len(text.ids) < LEAST_WORDS:
        raise ValueError(
            f"{path} holds {len(text.ids)} words and punctuation marks; a model that "
            f"suggests words needs {LEAST_WORDS:,} at least{aside}"
        )
    train, _ = text.split()
    start = load_start(options, ("next_word",), TypedVocabulary)
    try:
        vocabulary = (
            start.vocabulary
            if start
            else TypedVocabulary.from_text(
                train, MOST_WORDS["next_word"], most_rare=NEXT_WORD_MOST_RARE
            )
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}{aside}") from None
    if note:
        print(f"{visible(path.name)}: {note}")
    if start:
        name_unknown_words(visible(path.name), text, vocabulary, options.strict)
    if vocabulary.num_known - vocabulary.first < 2:
        raise ValueError(
            f"{path} holds only one word more than once, "
            f"{vocabulary.words[vocabulary.first]!r}; give a text with at least two"
        )
    num_words = len(train.ids)
    preset = NEXT_WORD[options.preset]
    dropout = next_word_dropout(preset, num_words)
    if start:
        config = read_next_word_config(start.model, dropout)
    else:
        units, size = next_word_sizes(preset, vocabulary.num_known)
        config = NextWordConfig(
            vocabulary.num_known, units, embedding_size=size, dropout=dropout
        )
    training = next_word_training(preset, num_words)
    logits = training.batch_size * training.length * vocabulary.num_known
    foresee(
        "next_word",
        lambda: build_next_word_model(config),
        12 * logits,
        "give less text",
    )
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    checkpoint = open_checkpoint(options, "next_word", sha256, config, training, start)
    point_out_controls(path, content)
    return Plan(
        visible(path.name),
        sha256,
        text,
        vocabulary,
        config,
        training,
        checkpoint,
        start,
    )


def train(
    options: Options,
    plan: Plan,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> str | None:
    """Train the model that suggests words, save it, compare it with a trigram, draw."""
    folder = options.out / "next_word"
    vocabulary, training = plan.vocabulary, plan.training
    train, held_out = plan.text.split()
    ids, held_out_ids = map(vocabulary.encode_typed, (train, held_out))
    known_ids, known_held_out = (
        read_rare_words(each, vocabulary.num_known) for each in (ids, held_out_ids)
    )
    print(
        f"\n{plan.name}: {len(plan.text.ids):,} words, {len(vocabulary):,} in the "
        f"vocabulary, {vocabulary.num_rare:,} of them rare; {plan.config}"
    )

    keras.utils.set_random_seed(options.seed)
    counts = np.bincount(known_ids, minlength=vocabulary.num_known)
    model = build_next_word_model(plan.config, counts)
    if plan.start:
        model.set_weights(plan.start.model.get_weights())
    history = HistoryFile(folder / "history.csv", ("loss", "val_loss"))
    # The last weights are kept: to take those of the lowest held-out loss would be to
    # choose by the text that the model is measured on.
    seconds, loss = fit_streams(
        model,
        known_ids,
        known_held_out,
        training,
        history,
        plan.checkpoint,
        callbacks,
        seed=options.seed,
        resume=options.resume,
    )

    if not workers().is_chief:
        return None
    save_model(model, folder / "next_word.keras")
    vocabulary.save(folder / "vocabulary.json")
    forms = [held_out.forms[index] for index in held_out.ids[:HELD_OUT_WORDS]]
    write_file(folder / "held_out.txt", " ".join(forms) + "\n")

    typed = held_out.first(MOST_TYPED)
    typings = measure(model, ids, typed, vocabulary)
    figures = {name: typing.figures() for name, typing in typings.items()}
    for name, values in figures.items():
        print(name, *(f"{key}: {value:.3f}" for key, value in values.items()), sep="  ")

    plot_losses(history.history, folder / "loss.png", unit="nats a word")
    plot_savings(
        {
            name: {str(most): typing.saved(most) for most in COUNTS}
            for name, typing in typings.items()
        },
        folder / "savings.png",
    )
    shown = {
        name: typings[name]
        for name in ("this model", "trigram with the cache", "trigram")
    }
    plot_typing(typical_passage(typed, shown), folder / "typing.png")
    section = {
        "corpus": plan.name,
        "corpus SHA-256": plan.sha256,
        "words and punctuation marks": len(plan.text.ids),
        "fraction of the held-out words that the vocabulary lacks": float(
            (held_out_ids == UNKNOWN).mean()
        ),
        "held-out words that were typed": len(typed.ids),
        "rare words in the vocabulary": vocabulary.num_rare,
        "held-out loss, nats a word, rare ones as one": loss,
        **(plan.start.describe() if plan.start else {}),
        **figures.pop("this model"),
        **{
            f"{key}, {name}": value
            for name, values in figures.items()
            for key, value in values.items()
        },
        **describe_training(options, model, seconds, plan.config, training),
        **hashes(folder, "next_word.keras", "vocabulary.json", "held_out.txt"),
    }
    record(options.out, "next_word", section)
    return "next_word"
