"""Arithmetic with the same result, to the bit, on all processors of phones and PCs.

LiteRT rounds the input of a matrix product to eight bits if the matrix has eight or
four. The input's least and greatest element decide on a scale and a zero point, and
processors differ in how they round these and the product. Where the scale is a power of
two and the zero point is 0, only the input is rounded, in one way.
"""

import math
from typing import NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from kerasseq.layers.cells import Sigmoid

# The least and the greatest integer of eight bits, and powers of two for their unit.
ENDS = np.array([[-128, 127]], np.float32)
UNITS = 2.0 ** np.arange(-20, 11, dtype=np.float32)
# A float32 plus this has no digits after the point.
MAGIC = 1.5 * 2.0**23


class Product(Protocol):
    """Multiplies float32 (1, N) by a matrix, and adds a bias; see `exact_product`."""

    def __call__(
        self,
        x: tf.Tensor,
        matrix: tf.Tensor,
        bias: tf.Tensor,
        bound: float | None,
        transpose: bool = False,
    ) -> tf.Tensor: ...


class Arithmetic(NamedTuple):
    """How a step computes."""

    product: Product
    sigmoid: Sigmoid


def plain_product(
    x: tf.Tensor,
    matrix: tf.Tensor,
    bias: tf.Tensor,
    bound: float | None,
    transpose: bool = False,
) -> tf.Tensor:
    """As a runtime computes it."""
    return tf.matmul(x, matrix, transpose_b=transpose) + bias


def exact_product(
    x: tf.Tensor,
    matrix: tf.Tensor,
    bias: tf.Tensor,
    bound: float | None,
    transpose: bool = False,
) -> tf.Tensor:
    """Multiply by a matrix that is stored in eight or four bits, and add a bias.

    Args:
        x: float32 (1, N).
        matrix: float32 (N, M).
        bias: float32 (M,).
        bound: the largest absolute value of an input; None if it is not known, which
            takes some operations more. With larger inputs the product is right, but
            depends on the processor.
        transpose: whether the matrix is (M, N).

    Returns:
        float32 (1, M).
    """
    unit = _unit_of(x) if bound is None else _unit_within(bound)
    # Halves of a unit become even here, since processors round them differently.
    x = (x + MAGIC * unit) - MAGIC * unit
    # Two more elements, with weights of 0, decide on the scale and the zero point.
    x = tf.concat([x, ENDS * unit], 1)
    product = tf.matmul(x, with_zeros(matrix, transpose), transpose_b=transpose)
    # The converter would make an addition, or the subtraction of a negation, part of
    # the product, where processors differ in its rounding.
    return product - bias * -1.0


def with_zeros(matrix: tf.Tensor, transpose: bool = False) -> tf.Tensor:
    """The matrix with weights for the two elements that decide on the scale."""
    return tf.pad(matrix, [[0, 0], [0, 2]] if transpose else [[0, 2], [0, 0]])


def _unit_within(bound: float) -> float:
    """The least power of two of which 127 reach a bound."""
    return 2.0 ** math.ceil(math.log2(bound / 127)) if 0 < bound < math.inf else 1.0


def _unit_of(x: tf.Tensor) -> tf.Tensor:
    """The least of UNITS of which 127 reach the largest absolute value, (1, 1)."""
    largest = tf.reduce_max(tf.abs(x), axis=1, keepdims=True)
    needed = tf.where(largest > 127 * UNITS / 2, UNITS, UNITS[0])
    return tf.reduce_max(needed, axis=1, keepdims=True)


def exact_sigmoid(x: tf.Tensor) -> tf.Tensor:
    """The sigmoid by tanh, which is alike on all processors that were tried."""
    return 0.5 * tf.tanh(0.5 * x) + 0.5


PLAIN = Arithmetic(plain_product, tf.sigmoid)
EXACT = Arithmetic(exact_product, exact_sigmoid)
