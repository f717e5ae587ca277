"""A small Transformer encoder: sentences -> masked words -> pictures -> files."""

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict

import keras
import numpy as np

from kerasseq.data.masked_words import masked_word_batches
from kerasseq.data.streams import frequency_loss
from kerasseq.files.keras_models import save_model
from kerasseq.files.report import record
from kerasseq.files.writing import write_file
from kerasseq.models.encoder import (
    EncoderConfig,
    build_encoder,
    build_masked_word_model,
)
from kerasseq.pictures.encoder import write_demo
from kerasseq.runs.options import Options
from kerasseq.text.words import SENTENCES, SPECIALS, WordVocabulary, read_sentences
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.presets import PRESETS

MOST_WORDS = 5000
HOW_TO = """
To see the vectors of a sentence, and who attends to whom:
  kerasseq encode {file} "the bank of the river\""""
VERBOSE = 1 if sys.stdout.isatty() else 2


def plan_encoder(options: Options) -> Sequence[str]:
    """The sentences to learn from.

    Raises:
        ValueError: their file cannot be used.
    """
    return read_sentences(options.sentences) if options.sentences else SENTENCES


def train_encoder(
    options: Options,
    sentences: Sequence[str],
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> str:
    """Train an encoder to guess hidden words, and show what it makes of them."""
    folder = options.out / "encoder"
    steps = PRESETS[options.preset].encoder_steps
    vocabulary = WordVocabulary.from_sentences(sentences, MOST_WORDS)
    sequences = [vocabulary.encode(sentence) for sentence in sentences]
    config = EncoderConfig(len(vocabulary), model_size=32, max_length=64)
    training = TrainingConfig(
        batch_size=32, length=64, steps_per_epoch=steps // 10, epochs=10
    )
    print(f"\n{len(sentences)} sentences, {config}")

    keras.utils.set_random_seed(options.seed)
    encoder = build_encoder(config)
    learner = build_masked_word_model(encoder, len(vocabulary))
    compile_for_training(learner, training)
    passes = math.ceil(steps * training.batch_size / len(sequences))
    batches = masked_word_batches(
        sequences, training.batch_size, passes=passes, seed=options.seed
    )
    learner.fit(
        batches,
        epochs=training.epochs,
        steps_per_epoch=training.steps_per_epoch,
        callbacks=list(callbacks),
        shuffle=False,
        verbose=VERBOSE,
    )
    others = masked_word_batches(
        sequences, training.batch_size, passes=20, seed=options.seed + 1
    )
    loss = float(learner.evaluate(others.take(100), verbose=0))
    words = np.concatenate(sequences)
    frequencies = frequency_loss(words[words >= len(SPECIALS)])
    print(f"hidden words: {loss:.3f} nats; by frequency alone: {frequencies:.3f}")
    if loss > frequencies / 2:
        print("More than half of it: with fewer sentences the pictures would say more.")

    save_model(encoder, folder / "encoder.keras")
    vocabulary.save(folder / "vocabulary.json")
    write_file(folder / "sentences.txt", "\n".join(sentences) + "\n")
    write_demo(folder, encoder, vocabulary, sentences)
    section = {
        "sentences": len(sentences),
        **asdict(config),
        "parameters": encoder.count_params(),
        "loss of masked words": loss,
        "loss by the words' frequencies": frequencies,
    }
    record(options.out, "encoder", section)
    return "encoder"
