"""Rotary position embeddings.

Shapes: B batch, T steps, D head size, W window.
"""

import math

import keras
import numpy as np

from kerasseq.layers.attention import Tensor


def rotary_turns(size: int, window: int) -> np.ndarray:
    """The number of turns that each pair of elements makes within a window.

    Su et al. 2021, "RoFormer", section 3.4.2: pair i is rotated by the angle
    position * 10000^(-2i/D). Here these rates are rounded to whole turns per window, so
    that positions can start again from 0 at the window's end without changing the angle
    between two steps. A text may therefore have any length.

    Args:
        size: D, even.
        window: W.

    Returns:
        int32 (D / 2,); the angle of pair i at position p is 2 pi p turns[i] / W.
    """
    rates = 10000.0 ** (-2 * np.arange(size // 2) / size)
    return np.round(window * rates / (2 * np.pi)).astype(np.int32)


def rotate(x: Tensor, first: int | Tensor, window: int) -> Tensor:
    """Rotate queries or keys by their positions: products then depend on offsets.

    Args:
        x: (..., T, D), D even. Element i of the first half and element i of the second
            half are a pair.
        first: the position of the first step, an int or an integer tensor ().
        window: W of `rotary_turns`.

    Returns:
        (..., T, D).
    """
    turns = rotary_turns(x.shape[-1], window)
    positions = first + keras.ops.arange(keras.ops.shape(x)[-2])
    # In integers up to here: in floating point, the angles of far positions are off.
    phases = positions[:, None] % window * turns % window
    angles = keras.ops.cast(phases, "float32") * (2 * math.pi / window)
    cosine = keras.ops.cast(keras.ops.cos(angles), x.dtype)
    sine = keras.ops.cast(keras.ops.sin(angles), x.dtype)
    one, other = keras.ops.split(x, 2, axis=-1)
    return keras.ops.concatenate(
        [one * cosine - other * sine, other * cosine + one * sine], axis=-1
    )
