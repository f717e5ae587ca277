"""How large a character model is and how long it trains, from the size of its text."""

import math
from typing import NamedTuple


class Preset(NamedTuple):
    """What the time that one has decides.

    Attributes:
        units, num_layers: of the model.
        learning_rate: the highest one.
        characters: to read in all.
        encoder_steps: batches of the encoder.
    """

    units: int
    num_layers: int
    learning_rate: float
    characters: int
    encoder_steps: int


# On two cores with AVX-512 the character model takes a few seconds, a minute and
# a quarter of an hour.
PRESETS = {
    "fast": Preset(128, 1, 1e-2, 1_200_000, 300),
    "default": Preset(512, 1, 6e-3, 3_000_000, 600),
    "best": Preset(512, 2, 4e-3, 16_000_000, 600),
}
# A short text says nothing new after this many readings.
MOST_PASSES = 40


def passes_and_dropout(characters: int, num_characters: int) -> tuple[float, float]:
    """How often to read a text, and how much of the model to leave out meanwhile.

    A text that is read once cannot be learned by heart; each doubling of the readings
    makes it easier, and dropout makes it harder.

    Args:
        characters: to read in all.
        num_characters: N, of the text to train on.

    Returns:
        The number of passes over the text, below one where it is long, and the
        fraction that dropout takes, from 0 to 0.5.
    """
    passes = min(characters / num_characters, MOST_PASSES)
    return passes, min(0.5, 0.1 * max(0.0, math.log2(passes)))
