"""Sinusoidal positions, as a table and as a layer."""

import math
from typing import Any

import keras
import numpy as np

from kerasseq.layers.attention import Shape, Tensor, known_size
from kerasseq.layers.checks import check_at_least

MOST_ELEMENTS = 2**22


def sinusoidal_positions(length: int, size: int) -> np.ndarray:
    """A table of positions: sines in even columns, cosines of the same angles in odd.

    Vaswani et al. 2017, section 3.5: wavelengths grow from 2 pi towards 10000 * 2 pi.

    Args:
        length: T, number of positions, from 0 up.
        size: C, elements of a position; if it is odd, the last sine has no cosine.

    Returns:
        float32 (T, C).

    Raises:
        ValueError: length is negative, size below 1, or the table larger than any model
            needs.

    Example:
        >>> sinusoidal_positions(2, 2).round(3).tolist()
        [[0.0, 1.0], [0.8410000205039978, 0.5400000214576721]]
    """
    check_at_least(0, length=length)
    check_at_least(1, size=size)
    if length * size > MOST_ELEMENTS:  # a forged file would fill the memory
        raise ValueError(
            f"a table of {length:,} positions of {size:,} elements has more than "
            f"{MOST_ELEMENTS:,}; choose a smaller max_length"
        )
    rates, phases = position_angles(size)
    # In float64: in float32, the angles of far positions are far off.
    return np.sin(np.arange(length)[:, None] * rates + phases).astype(np.float32)


def position_angles(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The angle of each element at position p is p * rates + phases, each (C,)."""
    column = np.arange(size)
    rates = 10000.0 ** (-2 * (column // 2) / size)
    return rates, (column % 2) * math.pi / 2  # the sine of it is the cosine


@keras.saving.register_keras_serializable(package="kerasseq")
class SinusoidalPositions(keras.layers.Layer):
    """Scale embeddings by sqrt(C) and add each step's position; sections 3.4 and 3.5.

    Positions count from the left, padding included: pad on the right.

    Args:
        max_length: number of positions.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        x: (B, T, C), T at most `max_length`. A mask passes through.

    Returns:
        (B, T, C).

    Raises:
        ValueError: max_length is below 1, or T above it. The backend itself refuses a T
            that is known only when the graph runs.

    Example:
        >>> layer = SinusoidalPositions(max_length=10)
        >>> x = np.zeros((1, 3, 2))  # what is added: sine and cosine of the step
        >>> print(layer(x).numpy()[0].round(2))
        [[ 0.    1.  ]
         [ 0.84  0.54]
         [ 0.91 -0.42]]
    """

    def __init__(self, max_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_at_least(1, max_length=max_length)
        self.max_length = max_length
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self.table = sinusoidal_positions(
            self.max_length, known_size(self, input_shape)
        )

    def call(self, x: Tensor) -> Tensor:
        length, size = x.shape[1:]
        if length is not None and length > self.max_length:
            raise ValueError(
                f"{length} steps are more than max_length={self.max_length}; cut the "
                "sequence, or build with a larger max_length"
            )
        # Unlike table[:length], it fails for a length beyond the table.
        positions = keras.ops.slice(
            keras.ops.convert_to_tensor(self.table),
            (0, 0),
            (keras.ops.shape(x)[1], size),
        )
        return x * math.sqrt(size) + keras.ops.cast(positions, x.dtype)

    def step(self, x: Tensor, positions: Tensor) -> Tensor:
        """What `call` makes of embeddings (..., C) at positions, float32 (...)."""
        rates, phases = (
            keras.ops.convert_to_tensor(each, "float32")
            for each in position_angles(x.shape[-1])
        )
        encoded = keras.ops.sin(keras.ops.expand_dims(positions, -1) * rates + phases)
        return x * math.sqrt(x.shape[-1]) + keras.ops.cast(encoded, x.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_length": self.max_length}
