"""The encoder of sentences: plan -> train -> save -> measure -> draw."""

import hashlib
import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from kerasseq.data.masked_words import SENTENCES, masked_word_batches
from kerasseq.data.streams import frequency_loss
from kerasseq.files.hashes import hashes
from kerasseq.files.keras_models import save_model
from kerasseq.files.report import record
from kerasseq.files.writing import write_file
from kerasseq.models.encoder import (
    EncoderConfig,
    build_encoder,
    build_masked_word_model,
)
from kerasseq.pictures.encoder import write_demo
from kerasseq.runs.bookkeeping import describe_file, describe_training
from kerasseq.runs.options import Options
from kerasseq.runs.watch import note
from kerasseq.text.encodings import point_out_controls
from kerasseq.text.words import SPECIALS, WordVocabulary, read_sentences
from kerasseq.training.callbacks import verbosity
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.presets import ENCODER_SIZES, MOST_WORDS, encoder_training

# The loss is measured on this many passes with other words hidden, and batches at most.
MEASURED_PASSES, MEASURED_BATCHES = 20, 100
HOW_TO = """
To see a sentence's vectors, and which words attend to which:
  kerasseq encode {file} "the bank of the river\""""


class Plan(NamedTuple):
    """Everything that the training of an encoder depends on."""

    name: str
    sha256: str | None
    sentences: Sequence[str]
    vocabulary: WordVocabulary
    config: EncoderConfig
    training: TrainingConfig


def plan(options: Options) -> Plan:
    """Read the sentences and choose the length of the training.

    Raises:
        ValueError: the file of sentences cannot be used.
    """
    sentences: Sequence[str] = SENTENCES
    content = "".join(f"{sentence}\n" for sentence in SENTENCES)
    name: str = "built-in sentences"
    sha256: str | None = hashlib.sha256(content.encode()).hexdigest()
    if options.sentences:
        with describe_file(options.sentences) as (name, sha256):
            sentences = read_sentences(options.sentences, options.encoding)
        point_out_controls(options.sentences, "".join(sentences))
    vocabulary = WordVocabulary.from_sentences(sentences, MOST_WORDS["encoder"])
    config = EncoderConfig(len(vocabulary), **ENCODER_SIZES)
    training = encoder_training(options.preset, config.max_length)
    return Plan(name, sha256, sentences, vocabulary, config, training)


def train(
    options: Options,
    plan: Plan,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> str:
    """Train an encoder to guess hidden words, save it, measure it and draw it."""
    folder = options.out / "encoder"
    name, sha256, sentences, vocabulary, config, training = plan
    sequences = [vocabulary.encode(sentence) for sentence in sentences]
    print(
        f"\n{name}: {len(sentences):,} sentences, {len(vocabulary):,} words in the "
        f"vocabulary; {config}"
    )

    keras.utils.set_random_seed(options.seed)
    encoder = build_encoder(config)
    learner = build_masked_word_model(encoder, len(vocabulary))
    compile_for_training(learner, training)
    steps = training.epochs * training.steps_per_epoch
    passes = math.ceil(steps * training.batch_size / len(sequences))
    words = np.concatenate(sequences)
    frequencies = frequency_loss(words[words >= len(SPECIALS)])
    note(callbacks, {"by the words' frequencies": frequencies})
    start = time.perf_counter()
    learner.fit(
        masked_word_batches(
            sequences,
            training.batch_size,
            passes=passes,
            max_length=config.max_length,
            seed=options.seed,
        ),
        epochs=training.epochs,
        steps_per_epoch=training.steps_per_epoch,
        callbacks=list(callbacks),
        shuffle=False,
        verbose=verbosity(),
    )
    seconds = time.perf_counter() - start

    save_model(encoder, folder / "encoder.keras")
    vocabulary.save(folder / "vocabulary.json")
    write_file(folder / "sentences.txt", "\n".join(sentences) + "\n")

    others = masked_word_batches(
        sequences,
        training.batch_size,
        passes=MEASURED_PASSES,
        max_length=config.max_length,
        seed=options.seed + 1,
    )
    loss = float(learner.evaluate(others.take(MEASURED_BATCHES), verbose=0))
    print(f"hidden words: {loss:.3f} nats; by frequency alone: {frequencies:.3f}")
    if loss > frequencies / 2:
        print("That is more than half; fewer sentences would give clearer pictures.")

    write_demo(folder, encoder, vocabulary, sentences)
    section = {
        "corpus": name,
        "corpus SHA-256": sha256,
        "sentences": len(sentences),
        "loss of masked words": loss,
        "loss by the words' frequencies": frequencies,
        **describe_training(options, encoder, seconds, config),
        **hashes(folder, "encoder.keras", "vocabulary.json", "sentences.txt"),
    }
    record(options.out, "encoder", section)
    return "encoder"
