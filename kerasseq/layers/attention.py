"""Scaled dot-product attention and its masks, as functions.

Shapes: B batch, T query steps, S key steps, H heads, D head size, C model size.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np

# Keras has no type that arrays, the backend's tensors and KerasTensors share.
Tensor: TypeAlias = Any
Shape: TypeAlias = tuple[int | None, ...]

LOWEST = float(np.finfo(np.float32).min)


class Attention(NamedTuple):
    """The results of attention.

    Attributes:
        output: (..., T, Dv), the weighted means of the values.
        weights: float32 (..., T, S), from 0 to 1. A row sums to 1, or is all zeros if
            the query has nothing to attend to.
        scores: float32 (..., T, S), the scaled products before mask and softmax.
    """

    output: Tensor
    weights: Tensor
    scores: Tensor


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    *,
    dropout: Callable[[Tensor], Tensor] | None = None,
) -> Attention:
    """softmax(query keyᵀ / sqrt(D)) value, over any number of leading axes.

    Vaswani et al. 2017, "Attention Is All You Need", section 3.2.1, equation 1. Scores
    and weights are computed in float32 whatever the inputs' dtype, so that half
    precision neither overflows nor loses small weights.

    T and S are equal where a sequence attends to itself, and differ where a target
    attends to its source (cross-attention) or a step to those before it.

    Args:
        query: (..., T, D). Leading axes broadcast as in a matrix product.
        key: (..., S, D).
        value: (..., S, Dv).
        mask: bool, broadcast to (..., T, S); True where attention is allowed.
        dropout: applied to the weights before they multiply the values. The returned
            weights are those before dropout.

    Returns:
        Output in the dtype of the values (float32 if they are integers), weights
        and scores.

    Raises:
        ValueError: ranks or sizes do not fit, a KerasTensor's D is unknown, or the mask
            is not boolean. Sizes known only when a graph runs are not checked.

    Example:
        >>> same = np.ones((2, 3), "float32")
        >>> attention = scaled_dot_product_attention(same, same, same)
        >>> print(attention.weights.numpy())
        [[0.5 0.5]
         [0.5 0.5]]
    """
    query, key, value = map(keras.ops.convert_to_tensor, (query, key, value))
    _check_shapes(tuple(query.shape), tuple(key.shape), tuple(value.shape))
    query, key = keras.ops.cast(query, "float32"), keras.ops.cast(key, "float32")
    head_size = keras.ops.shape(query)[-1]
    if head_size is None:
        raise ValueError(
            f"the last size of query {tuple(query.shape)} is unknown, and scores are "
            "scaled by it; give keras.Input that size"
        )
    scores = keras.ops.matmul(query, keras.ops.swapaxes(key, -1, -2))
    scores = scores / keras.ops.sqrt(keras.ops.cast(head_size, "float32"))
    if mask is None:
        weights = _softmax(scores)
    else:
        mask = keras.ops.convert_to_tensor(mask)
        _check_mask(mask, tuple(scores.shape))
        # A row of -inf would give NaN. A row of LOWEST gives equal weights, which the
        # second `where` sets to zeros.
        weights = _softmax(keras.ops.where(mask, scores, LOWEST))
        weights = keras.ops.where(mask, weights, 0.0)
    # Half-precision values are summed in float32, where the largest do not overflow.
    output = keras.ops.matmul(dropout(weights) if dropout else weights, value)
    if keras.backend.is_float_dtype(value.dtype):
        output = keras.ops.cast(output, value.dtype)
    return Attention(output, weights, scores)


def _softmax(scores: Tensor) -> Tensor:
    # Keras's softmax warns about a single key, and TensorFlow's refuses six axes.
    largest = keras.ops.max(scores, axis=-1, keepdims=True, initial=LOWEST)
    exponentials = keras.ops.exp(scores - keras.ops.stop_gradient(largest))
    return exponentials / keras.ops.sum(exponentials, axis=-1, keepdims=True)


def _check_shapes(query: Shape, key: Shape, value: Shape) -> None:
    shapes = f"query {query}, key {key}, value {value}"
    if min(len(query), len(key), len(value)) < 2:
        raise ValueError(
            f"{shapes}: each needs at least two axes, steps and size; add a first axis "
            "to a single vector"
        )
    if not may_be_equal(query[-1], key[-1]):
        raise ValueError(
            f"{shapes}: the last sizes of query and key, {query[-1]} and {key[-1]}, "
            "are not equal; project both to one size"
        )
    if not may_be_equal(key[-2], value[-2]):
        raise ValueError(
            f"{shapes}: key has {key[-2]} steps and value {value[-2]}; give one value "
            "for each key"
        )
    # An unknown size may broadcast, as 1 does.
    leading = [
        [1 if size is None else size for size in shape[:-2]]
        for shape in (query, key, value)
    ]
    try:
        np.broadcast_shapes(*leading)
    except ValueError:
        raise ValueError(
            f"{shapes}: the axes before the last two do not broadcast; make them equal "
            "or 1"
        ) from None


def _check_mask(mask: Tensor, scores: Shape) -> None:
    shape = tuple(mask.shape)
    dtype = keras.backend.standardize_dtype(mask.dtype)
    if dtype != "bool":
        raise ValueError(
            f"mask {shape} has dtype {dtype}, not bool; pass a comparison such as "
            "`mask != 0`, True where attention is allowed"
        )
    pairs = zip(reversed(shape), reversed(scores), strict=False)
    if len(shape) > len(scores) or not all(
        size == 1 or may_be_equal(size, wanted) for size, wanted in pairs
    ):
        raise ValueError(
            f"mask {shape} does not broadcast to the scores {scores}; give it those "
            "axes, or size 1 for the ones it does not depend on"
        )


def may_be_equal(size: int | None, other: int | None) -> bool:
    return size is None or other is None or size == other


def causal_mask(
    length: int | Tensor, *, memory: int | Tensor = 0, window: int | None = None
) -> Tensor:
    """A mask that lets each step attend to itself and to earlier steps.

    Vaswani et al. 2017, section 3.2.3; with a window, the mask is a band.

    Args:
        length: T, an int or an integer tensor ().
        memory: M, number of earlier steps, whose keys come first.
        window: the most steps that each attends to, itself included.

    Returns:
        bool (T, M + T), True at (t, s) if s <= M + t and, with a window,
        M + t - s < window.

    Example:
        >>> causal_mask(3).numpy().astype(int)
        array([[1, 0, 0],
               [1, 1, 0],
               [1, 1, 1]])
        >>> causal_mask(2, memory=3, window=3).numpy().astype(int)
        array([[0, 1, 1, 1, 0],
               [0, 0, 1, 1, 1]])
    """
    keys = keras.ops.arange(memory + length)
    queries = keys[memory:, None]
    allowed = queries >= keys
    if window is not None:
        allowed = allowed & (queries - keys < window)
    return allowed


def known_size(layer: keras.layers.Layer, input_shape: Shape) -> int:
    """The size C of a layer's input (B, T, C).

    Raises:
        ValueError: the input does not have three axes, or its last size is unknown.
    """
    if len(input_shape) != 3 or input_shape[-1] is None:
        raise ValueError(
            f"the input of {layer.name} has shape {tuple(input_shape)}, not (batch, "
            "steps, size) with a known size; embed the tokens first"
        )
    return input_shape[-1]
