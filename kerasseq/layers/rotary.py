"""Rotary positions.

Shapes: B batch, T steps, D head size, W window.
"""

import math

import keras
import numpy as np

from kerasseq.layers.attention import Tensor


def rotary_turns(size: int, window: int) -> np.ndarray:
    """How many turns the pairs of a query or key make in a window.

    Su et al. 2021, "RoFormer", section 3.4.2: pair i turns by position * 10000^(-2i/D).
    Here that is rounded to whole turns in a window. Then an offset has the same angle
    wherever the window stands, positions are counted to the window's end and from 0
    again, and a text may be of any length.

    Args:
        size: D, even.
        window: W.

    Returns:
        int32 (D / 2,); the angle of pair i at position p is 2 pi p turns[i] / W.
    """
    rates = 10000.0 ** (-2 * np.arange(size // 2) / size)
    return np.round(window * rates / (2 * np.pi)).astype(np.int32)


def rotate(x: Tensor, first: int | Tensor, window: int) -> Tensor:
    """Turn queries or keys by their positions, so that products know their offsets.

    Args:
        x: (..., T, D), D even. Number i of the first half and of the second are a pair.
        first: the position of the first step, an int or an integer tensor ().
        window: W of `rotary_turns`.

    Returns:
        (..., T, D).
    """
    turns = rotary_turns(x.shape[-1], window)
    positions = first + keras.ops.arange(keras.ops.shape(x)[-2])
    # In whole numbers up to here: far angles in floating point are off.
    parts = positions[:, None] % window * turns % window
    angles = keras.ops.cast(parts, "float32") * (2 * math.pi / window)
    cosine = keras.ops.cast(keras.ops.cos(angles), x.dtype)
    sine = keras.ops.cast(keras.ops.sin(angles), x.dtype)
    one, other = keras.ops.split(x, 2, axis=-1)
    return keras.ops.concatenate(
        [one * cosine - other * sine, other * cosine + one * sine], axis=-1
    )
