"""How large a character model is and how long it trains, from the size of its text."""

import math
from typing import Literal, NamedTuple


class Preset(NamedTuple):
    """What the time that one has decides.

    Attributes:
        cell, units, layers: of the character model.
        learning_rate: the highest one.
        weight_decay: times the learning rate, what a step takes away of a matrix.
        characters: to read in all.
        encoder_steps: batches of the encoder.
        batch_size: places of the text that are read side by side.
    """

    cell: Literal["gru", "lstm"]
    units: int
    layers: int
    learning_rate: float
    weight_decay: float
    characters: int
    encoder_steps: int
    batch_size: int = 32


class TransformerPreset(NamedTuple):
    """The same for a character model that is a Transformer.

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
    "fast": Preset("gru", 128, 1, 1e-2, 0.0, 1_200_000, 300),
    "default": Preset("gru", 512, 1, 6e-3, 0.1, 3_000_000, 600),
    "best": Preset("lstm", 512, 2, 4e-3, 0.3, 5_000_000, 600),
}
TRANSFORMERS = {
    "fast": TransformerPreset(128, 2, 32, 8e-3, 0.0, 800_000),
    "default": TransformerPreset(128, 4, 32, 8e-3, 0.3, 3_000_000),
    "best": TransformerPreset(192, 6, 64, 6e-3, 0.3, 5_000_000),
}
# Oftener, a short text says nothing new.
MOST_PASSES = 14
# More units learn a short text by heart before they learn from it.
SHORT_TEXT, MOST_UNITS_FOR_SHORT = 200_000, 256


def most_characters(preset: Preset | TransformerPreset, num_characters: int) -> int:
    """Characters to read in all: fewer than the preset's where the text is short.

    Args:
        preset: one of PRESETS.
        num_characters: N, of the text to train on.
    """
    return min(preset.characters, MOST_PASSES * num_characters)


def units_for(preset: Preset, num_characters: int) -> int:
    """Units of each layer: fewer than the preset's where the text is short.

    Args:
        preset: one of PRESETS.
        num_characters: N, of the text to train on.
    """
    if num_characters > SHORT_TEXT:
        return preset.units
    return min(preset.units, MOST_UNITS_FOR_SHORT)


def dropout_for(passes: float) -> float:
    """The fraction to drop in training, for so many readings of a text.

    What is read once cannot be learned by heart. Each doubling of the readings makes
    that easier, and dropout makes it harder.

    Returns:
        From 0 for a text that is read once at most, to 0.5.
    """
    return round(min(0.5, 0.12 * max(0.0, math.log2(passes))), 2)
