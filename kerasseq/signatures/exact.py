"""Arithmetic with the same result, to the bit, on all processors of phones and PCs.

LiteRT rounds the input of a matrix product to eight bits if the matrix has eight or
four. The input's least and greatest element decide on a scale and a zero point, and
processors differ in how they round these and the product. Where the scale is a power of
two and the zero point is 0, only the input is rounded, in one way.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


def exact_product(
    x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, bound: float
) -> tf.Tensor:
    """Multiply by a matrix that is stored in eight or four bits, and add a bias.

    Args:
        x: float32 (1, N).
        kernel: float32 (N, M).
        bias: float32 (M,).
        bound: the largest absolute value of an input. With a larger one the product
            is right, but depends on the processor.

    Returns:
        float32 (1, M).
    """
    bound = bound if 0 < bound < math.inf else 1.0
    scale = 2.0 ** math.floor(math.log2(127 / bound))
    # Halves of a step become even here, as processors round them differently.
    magic = 1.5 * 2.0**23 / scale
    x = (x + magic) - magic
    # Two more elements, with weights of 0, decide on the scale and the zero point.
    x = tf.concat([x, [[-128 / scale, 127 / scale]]], 1)
    product = x @ tf.pad(kernel, [[0, 2], [0, 0]])
    # The converter would make an addition part of the product, where processors differ
    # in its rounding.
    return product - bias * -1.0


def exact_sigmoid(half: tf.Tensor) -> tf.Tensor:
    """The sigmoid of twice a number, by tanh, which does not depend on the processor.

    XNNPACK computes tanh alike wherever there are fused products and sums (FMA).
    """
    return 0.5 * tf.tanh(half) + 0.5


class Arithmetic(NamedTuple):
    """How a step computes.

    Attributes:
        product: from an input, a kernel, a bias and a bound, as `exact_product`.
        sigmoid: of what goes into a gate.
    """

    product: Callable[[tf.Tensor, tf.Tensor, tf.Tensor, float], tf.Tensor]
    sigmoid: Callable[[tf.Tensor], tf.Tensor]


PLAIN = Arithmetic(lambda x, kernel, bias, _: x @ kernel + bias, tf.sigmoid)
EXACT = Arithmetic(exact_product, exact_sigmoid)
