"""Model size and training length of each task, for a time budget and an amount of data.

The values did best in trials on sections of the training data (docs/experiments.md).
Fine-tuning takes the same learning rates: lower ones learned a new text worse.
A preset is "fast", "default" or "best".
"""

import math
from typing import Literal, NamedTuple

from kerasseq.training.configuration import TrainingConfig


class Preset(NamedTuple):
    """Size and training length of a character model.

    Attributes:
        units: of each layer; a Transformer's model size C.
        layers: recurrent layers, or blocks.
        learning_rate: the highest one.
        weight_decay: fraction of each matrix, times the learning rate, that a step
            takes away.
        characters: to read in all.
        cell: of a recurrent model.
        context: W, of a Transformer.
    """

    units: int
    layers: int
    learning_rate: float
    weight_decay: float
    characters: int
    cell: Literal["gru", "lstm"] = "gru"
    context: int = 32


# Some seconds, a minute and five minutes on two cores with AVX-512.
PRESETS = {
    "fast": Preset(128, 1, 1e-2, 0.0, 1_200_000),
    "default": Preset(512, 1, 6e-3, 0.1, 3_000_000),
    "best": Preset(512, 2, 4e-3, 0.3, 5_000_000, cell="lstm"),
}
TRANSFORMERS = {
    "fast": Preset(128, 2, 8e-3, 0.0, 800_000),
    "default": Preset(128, 4, 8e-3, 0.3, 3_000_000),
    "best": Preset(192, 6, 6e-3, 0.3, 5_000_000, context=64),
}
TRANSFORMER_HEAD_SIZE = 32
# With more passes, a model learns a short text by heart.
MOST_PASSES = 14
# Larger models overfit a text of at most this many characters.
SHORT_TEXT, MOST_UNITS_FOR_SHORT = 40_000, 256
# A recurrent model of this many units takes more dropout when it reads a text often.
MANY_UNITS = 384


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
# Words without vectors, some bytes each in a file.
NEXT_WORD_MOST_RARE = 25_000
# Weights, so that a file in int8 stays below 2 MB with its vocabulary: of the vectors
# of words, and of these and the GRU together.
NEXT_WORD_TABLE, NEXT_WORD_WEIGHTS = 1_000_000, 1_560_000

# Vocabulary sizes. The tagger reads rarer words by their spelling, since it would learn
# their vectors by heart.
MOST_WORDS = {
    "encoder": 5_000,
    "next_word": 10_000,
    "tagger": 4_000,
    "classifier": 20_000,
}
# A word that occurs once tells a classifier only the label of its sentence.
CLASSIFIER_LEAST_COUNT = 2
# Weights of each of its four tables (vectors, words, pairs, n-grams), so that a file in
# int8 stays below 1 MB; many classes have some thousand words and pairs nevertheless.
CLASSIFIER_TABLE = 210_000
CLASSIFIER_FEWEST_ROWS = 4_000

ENCODER_MODEL_SIZE, ENCODER_FEED_FORWARD_SIZE, ENCODER_DROPOUT = 64, 128, 0.1
# The most batches, and the fewest of a short file.
ENCODER_STEPS = {"fast": 400, "default": 1_000, "best": 6_000}
ENCODER_LEAST_STEPS, ENCODER_BATCH_SIZE = 300, 64
ENCODER_PASSES = {"fast": 4, "default": 7, "best": 20}
# The fraction of the words that are hidden.
ENCODER_RATE = 0.3

TAGGER_STEPS = {"fast": 800, "default": 2000, "best": 4500}
TAGGER_MOST_PASSES = 45
TAGGER_ROUNDS = 10
# Rows of the tables of its linear models, for up to 13 tags: fewer where many tags each
# have weights in a row.
TAGGER_ROWS = {
    "num_ngrams": 16_381,
    "num_near_ngrams": 2_039,
    "num_words_around": 2_000,
}

CLASSIFIER_EPOCHS = 12
CLASSIFIER_BATCH_SIZE = 128
CLASSIFIER_LEARNING_RATE = 5e-3


def most_characters(preset: Preset, num_characters: int) -> int:
    """Characters to read in all of a training text: fewer if the text is short."""
    return min(preset.characters, MOST_PASSES * num_characters)


def units_for(preset: Preset, num_characters: int) -> int:
    """Units of each recurrent layer: fewer if the training text is short."""
    if num_characters > SHORT_TEXT:
        return preset.units
    return min(preset.units, MOST_UNITS_FOR_SHORT)


def dropout_for(passes: float, units: int = 0) -> float:
    """The fraction to drop in training: 0 for one pass over the text, at most 0.5.

    A text that is read once cannot be learned by heart. Each doubling of the passes
    makes that easier, and dropout makes it harder. Many units make it easier still:
    from `MANY_UNITS` on up to 0.6 is dropped.

    Args:
        passes: over the text.
        units: of each layer of a recurrent character model.
    """
    doublings = math.log2(max(1.0, passes))
    if units >= MANY_UNITS:
        return round(min(0.6, max(0.12 * doublings, doublings**2 / 24)), 2)
    return round(min(0.5, 0.12 * doublings), 2)


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


def next_word_sizes(preset: NextWordPreset, num_words: int) -> tuple[int, int]:
    """Units of a next-word model's layer, and the size of a word's vector.

    Both are smaller for many words.

    Args:
        preset: decides the most units.
        num_words: that have a vector.
    """
    size = max(64, min(128, NEXT_WORD_TABLE // num_words // 8 * 8))
    # The most units H for which 3 H (H + size) weights are left, a multiple of 16.
    left = max(0, NEXT_WORD_WEIGHTS - num_words * size) // 3
    units = (math.isqrt(size**2 + 4 * left) - size) // 2 // 16 * 16
    return max(16, min(preset.units, units)), size


def encoder_training(preset: str, num_sentences: int, length: int) -> TrainingConfig:
    """How to train an encoder.

    Args:
        preset: decides the number of passes and the most batches.
        num_sentences: to train on.
        length: T, the most words of a sentence that are read.
    """
    wanted = ENCODER_PASSES[preset] * num_sentences // ENCODER_BATCH_SIZE
    steps = min(ENCODER_STEPS[preset], max(ENCODER_LEAST_STEPS, wanted))
    return TrainingConfig(
        ENCODER_BATCH_SIZE,
        length,
        steps_per_epoch=max(1, steps // 10),
        epochs=10,
        learning_rate=1e-2,
        optimizer="muon",
        # Attention becomes less sharp, and what a head looks at clearer.
        weight_decay=1.0,
    )


def tagger_training(preset: str, num_sentences: int, length: int) -> TrainingConfig:
    """How to train a tagger.

    Args:
        preset: decides the number of batches; a short file gets fewer, because many
            passes teach nothing new.
        num_sentences: in the training file.
        length: T, the most tokens of a sentence that are read.
    """
    batch_size = min(32, max(1, num_sentences // 8))
    steps = min(TAGGER_STEPS[preset], TAGGER_MOST_PASSES * num_sentences // batch_size)
    return TrainingConfig(
        batch_size=batch_size,
        length=length,
        steps_per_epoch=max(1, steps // TAGGER_ROUNDS),
        epochs=TAGGER_ROUNDS,
        learning_rate=6e-3,
        clip_norm=2.5,
    )


def tagger_tables(num_tags: int) -> dict[str, int]:
    """Rows of a tagger's linear models, which have weights for each tag."""
    share = min(1.0, max(1 / 8, 13 / num_tags))
    return {name: int(share * rows) for name, rows in TAGGER_ROWS.items()}


def classifier_batch_size(num_sentences: int) -> int:
    """Sentences in a batch: fewer in a small file, so that it takes enough steps."""
    return max(1, min(CLASSIFIER_BATCH_SIZE, num_sentences // 32))


def classifier_rows(num_classes: int) -> int:
    """Rows of a table that has a weight for each class."""
    return max(CLASSIFIER_FEWEST_ROWS, CLASSIFIER_TABLE // num_classes)


def classifier_model_size(num_words: int) -> int:
    """The size of a word's vector, a multiple of 4: smaller for many words."""
    return max(4, min(64, CLASSIFIER_TABLE // num_words // 4 * 4))


def classifier_dropout(num_classes: int) -> tuple[float, float]:
    """A classifier's word dropout and dropout: less for many classes.

    The label of a sentence, log2(K) bits, is harder to learn by heart then.
    """
    share = min(1.0, 2 / math.log2(num_classes))
    return round(0.4 * share, 2), round(0.5 * share, 2)


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
