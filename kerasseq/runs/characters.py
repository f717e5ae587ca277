"""The model that writes text: plan -> train -> save -> measure -> draw."""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import keras

from kerasseq.data.streams import frequency_loss
from kerasseq.files.hashes import hashes
from kerasseq.files.keras_models import save_model
from kerasseq.files.report import record
from kerasseq.files.writing import write_file
from kerasseq.pictures.losses import plot_losses
from kerasseq.runs.bookkeeping import describe_training, open_checkpoint
from kerasseq.runs.character_sizes import (
    CharacterConfig,
    build_character_model,
    choose_sizes,
)
from kerasseq.runs.demand import foresee
from kerasseq.runs.fine_tuning import Start, known_characters, load_start
from kerasseq.runs.options import Options
from kerasseq.runs.samples import for_terminal, sample_texts
from kerasseq.runs.watch import note
from kerasseq.scores.windows import window_loss
from kerasseq.signatures.characters import (
    build_generating_module,
    generate,
)
from kerasseq.text.characters import Vocabulary
from kerasseq.text.corpus import Corpus, load_corpus
from kerasseq.text.held_out import split_text
from kerasseq.training.callbacks import HistoryFile, SampleTexts
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.streams import fit_streams
from kerasseq.training.workers import workers

HOW_TO = """
To write with the model, here or in a browser:
  kerasseq write {file} --prompt "The "
  kerasseq page {file}"""


class Plan(NamedTuple):
    """Everything that the training of a character model depends on."""

    name: str
    corpus: Corpus
    config: CharacterConfig
    training: TrainingConfig
    checkpoint: Checkpoint
    start: Start | None


def plan(options: Options) -> Plan:
    """Read the text and choose the model's sizes and the length of the training.

    Raises:
        ValueError: the text cannot be used or is not that of the run to resume, or an
            option does not apply to this kind of model.
    """
    if options.model == "transformer" and options.cell:
        raise ValueError(
            f"--cell {options.cell} is an option of the recurrent model; leave it out, "
            "or give --model rnn"
        )
    start = load_start(options, ("char_rnn", "char_transformer"), Vocabulary)
    corpus = load_corpus(options.corpus, options.encoding)
    if start:
        corpus = known_characters(corpus, start.vocabulary, options.strict)
        transformer = start.model.name == "char_transformer"
    else:
        transformer = options.model == "transformer"
    vocabulary = corpus.vocabulary
    if len(vocabulary) < 2:
        raise ValueError(
            f"{corpus.name} consists of the single character "
            f"{vocabulary.characters[0]!r}; give a text with at least two"
        )
    num_characters = len(split_text(corpus.ids)[0])
    config, training = choose_sizes(
        options, transformer, len(vocabulary), num_characters, start and start.model
    )
    name = "char_transformer" if transformer else "char_rnn"
    logits = training.batch_size * training.length * len(vocabulary)
    foresee(
        name,
        partial(build_character_model, config),
        12 * logits,
        "give smaller --units",
    )
    checkpoint = open_checkpoint(options, name, corpus.sha256, config, training, start)
    return Plan(name, corpus, config, training, checkpoint, start)


def train(
    options: Options,
    plan: Plan,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> str | None:
    """Train the model that writes text, save it, measure it and draw its losses.

    Args:
        options: of the run.
        plan: from `plan`.
        callbacks: additional ones for the training.

    Returns:
        The name of the model and of its folder; None from a worker that is not the
        chief, which alone writes.
    """
    name, corpus, config, training, checkpoint, start = plan
    folder = options.out / name
    vocabulary = corpus.vocabulary
    ids, held_out = split_text(corpus.ids)
    print(
        f"\n{corpus.name}: {len(corpus.ids):,} characters, {len(vocabulary):,} of them "
        f"different; {config}"
    )
    if unknown := vocabulary.unknown(options.prompt):
        print(f"characters of the prompt that the text lacks are left out: {unknown}")

    keras.utils.set_random_seed(options.seed)
    model = build_character_model(config)
    if start:
        model.set_weights(start.model.get_weights())
    module = build_generating_module(model, vocabulary)
    references = {"by the characters' frequencies": frequency_loss(ids)}
    if corpus.entropy is not None:
        references["true entropy"] = corpus.entropy
    note(callbacks, references)

    def sample() -> str:
        text = generate(module, options.prompt, 200, temperature=0.5)
        note(callbacks, sample=text)
        return for_terminal(text)

    history = HistoryFile(folder / "history.csv", ("loss", "val_loss"))
    seconds, loss = fit_streams(
        model,
        ids,
        held_out,
        training,
        history,
        checkpoint,
        [
            SampleTexts(sample),
            keras.callbacks.EarlyStopping(
                patience=training.patience, restore_best_weights=True
            ),
            *callbacks,
        ],
        seed=options.seed,
        resume=options.resume,
    )

    if not workers().is_chief:
        return None
    save_model(model, folder / f"{name}.keras")
    vocabulary.save(folder / "vocabulary.json")
    write_file(folder / "held_out.txt", vocabulary.decode(held_out[:20_001]))

    scores = {
        "held-out loss": loss,
        "held-out perplexity": math.exp(loss),
        "held-out loss in windows of 256 without state": window_loss(model, held_out),
        **references,
    }

    write_file(folder / "samples.md", sample_texts(options, module))
    plot_losses(history.history, folder / "loss.png", references)
    section = {
        "corpus": corpus.name,
        "corpus SHA-256": corpus.sha256,
        "characters": len(corpus.ids),
        **corpus.notes,
        **(start.describe() if start else {}),
        **scores,
        **describe_training(options, model, seconds, config, training),
        **hashes(folder, f"{name}.keras", "vocabulary.json", "held_out.txt"),
    }
    record(options.out, name, section)
    return name
