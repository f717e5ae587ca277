"""Model size and training length of each task, for a time budget and an amount of data.

The numbers are the best of trials on parts of the training data
(docs/experiments.md). Fine-tuning takes the same rates: with less, a new text was
learned worse (1.53 nats a character; 1.55 with half the rate, 1.60 with a quarter).
A preset is "fast", "default" or "best".
"""

import math
from typing import Literal, NamedTuple

from kerasseq.training.configuration import TrainingConfig


class Preset(NamedTuple):
    """Size and training length of a recurrent character model.

    Attributes:
        cell, units, layers: of the model.
        learning_rate: the highest one.
        weight_decay: times the learning rate, the fraction of a matrix that a step
            takes away.
        characters: to read in all.
        batch_size: positions of the text that are read side by side.
    """

    cell: Literal["gru", "lstm"]
    units: int
    layers: int
    learning_rate: float
    weight_decay: float
    characters: int
    batch_size: int = 32


class TransformerPreset(NamedTuple):
    """Size and training length of a character model that is a Transformer.

    Attributes:
        units, layers: C and its blocks.
        context: W.
        learning_rate, weight_decay, characters, batch_size: as in `Preset`.
    """

    units: int
    layers: int
    context: int
    learning_rate: float
    weight_decay: float
    characters: int
    batch_size: int = 32


# Seconds, a minute, five minutes for the character model, on two cores that have
# AVX-512.
PRESETS = {
    "fast": Preset("gru", 128, 1, 1e-2, 0.0, 1_200_000),
    "default": Preset("gru", 512, 1, 6e-3, 0.1, 3_000_000),
    "best": Preset("lstm", 512, 2, 4e-3, 0.3, 5_000_000),
}
TRANSFORMERS = {
    "fast": TransformerPreset(128, 2, 32, 8e-3, 0.0, 800_000),
    "default": TransformerPreset(128, 4, 32, 8e-3, 0.3, 3_000_000),
    "best": TransformerPreset(192, 6, 64, 6e-3, 0.3, 5_000_000),
}
# After more passes over a short text, the model learns it by heart.
MOST_PASSES = 14
# Larger models overfit a text of at most so many characters.
SHORT_TEXT, MOST_UNITS_FOR_SHORT = 200_000, 256


class NextWordPreset(NamedTuple):
    """Size and training length of a next-word model.

    Attributes:
        units: of its GRU layer.
        words: to read in all.
    """

    units: int
    words: int


NEXT_WORD = {
    "fast": NextWordPreset(128, 400_000),
    "default": NextWordPreset(512, 2_000_000),
    "best": NextWordPreset(512, 4_000_000),
}
NEXT_WORD_LEAST_DROPOUT = 0.2

# Vocabulary sizes. The tagger reads rarer words by their spelling: it would learn
# their vectors by heart.
MOST_WORDS = {
    "encoder": 5_000,
    "next_word": 10_000,
    "tagger": 4_000,
    "classifier": 20_000,
}
# A word that occurs once tells a classifier nothing but the label of its sentence.
CLASSIFIER_LEAST_COUNT = 2

ENCODER_STEPS = {"fast": 300, "default": 600, "best": 600}

TAGGER_STEPS = {"fast": 800, "default": 2000, "best": 4500}
TAGGER_MOST_PASSES = 45
TAGGER_ROUNDS = 10

CLASSIFIER_EPOCHS = 12
CLASSIFIER_BATCH_SIZE = 128
CLASSIFIER_LEARNING_RATE = 5e-3


def most_characters(preset: Preset | TransformerPreset, num_characters: int) -> int:
    """Characters to read in all: fewer than the preset's if the text is short.

    Args:
        preset: one of PRESETS.
        num_characters: N, of the text to train on.
    """
    return min(preset.characters, MOST_PASSES * num_characters)


def units_for(preset: Preset, num_characters: int) -> int:
    """Units of each layer: fewer than the preset's if the text is short.

    Args:
        preset: one of PRESETS.
        num_characters: N, of the text to train on.
    """
    if num_characters > SHORT_TEXT:
        return preset.units
    return min(preset.units, MOST_UNITS_FOR_SHORT)


def dropout_for(passes: float) -> float:
    """The fraction to drop in training, for a number of passes over the text.

    A text that is read once cannot be learned by heart. Each doubling of the passes
    makes that easier, and dropout makes it harder.

    Returns:
        From 0 for at most one pass, to 0.5.
    """
    return round(min(0.5, 0.12 * max(0.0, math.log2(passes))), 2)


def next_word_training(preset: NextWordPreset, num_words: int) -> TrainingConfig:
    """How to train a next-word model on a text of `num_words` words.

    Raises:
        ValueError: the text is too short.
    """
    return TrainingConfig.for_text(
        num_words,
        budget=next_word_budget(preset, num_words),
        length=32,
        a_round=(20_000, 500_000),
        learning_rate=6e-3,
    )


def next_word_dropout(preset: NextWordPreset, num_words: int) -> float:
    """The fraction to drop while a next-word model trains on `num_words` words."""
    passes = next_word_budget(preset, num_words) / num_words
    return max(NEXT_WORD_LEAST_DROPOUT, dropout_for(passes))


def next_word_budget(preset: NextWordPreset, num_words: int) -> int:
    """Words to read in all: fewer than the preset's if the text is short."""
    return min(preset.words, MOST_PASSES * num_words)


def encoder_training(preset: str, length: int) -> TrainingConfig:
    """How to train an encoder on sentences of at most `length` words."""
    return TrainingConfig(
        batch_size=32,
        length=length,
        steps_per_epoch=ENCODER_STEPS[preset] // 10,
        epochs=10,
    )


def tagger_training(preset: str, num_sentences: int, length: int) -> TrainingConfig:
    """How to train a tagger.

    Args:
        preset: decides the number of batches; a short file gets fewer, because it says
            nothing new after many passes.
        num_sentences: of the file to train on.
        length: T, tokens of a sentence that are read.
    """
    batch_size = min(32, max(1, num_sentences // 8))
    steps = min(TAGGER_STEPS[preset], TAGGER_MOST_PASSES * num_sentences // batch_size)
    return TrainingConfig(
        batch_size=batch_size,
        length=length,
        steps_per_epoch=max(1, steps // TAGGER_ROUNDS),
        epochs=TAGGER_ROUNDS,
        learning_rate=6e-3,
        clip_norm=5.0,
    )


def classifier_batch_size(num_sentences: int) -> int:
    """Sentences in a batch: few of a small file, which then takes enough steps."""
    return max(1, min(CLASSIFIER_BATCH_SIZE, num_sentences // 32))


def classifier_training(
    batch_size: int, num_batches: int, length: int
) -> TrainingConfig:
    """How to train a classifier on `num_batches` batches, each read once an epoch."""
    return TrainingConfig(
        batch_size,
        length,
        num_batches,
        CLASSIFIER_EPOCHS,
        learning_rate=CLASSIFIER_LEARNING_RATE,
    )
