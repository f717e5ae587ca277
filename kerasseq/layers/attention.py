"""Scaled dot-product attention as a function, and multi-head self-attention around it.

Shapes: B batch, T query steps, S key steps, H heads, D head size, C model size.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np

# Keras has no type that arrays, the backend's tensors and KerasTensors share.
Tensor: TypeAlias = Any
Shape: TypeAlias = tuple[int | None, ...]

LOWEST = float(np.finfo(np.float32).min)


class Attention(NamedTuple):
    """What attention gives.

    Attributes:
        output: (..., T, Dv), the values' mean under the weights.
        weights: float32 (..., T, S), from 0 to 1. A row sums to 1, or is all zeros
            where the query has nothing to attend to.
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

    Args:
        query: (..., T, D). Leading axes broadcast as in a matrix product.
        key: (..., S, D).
        value: (..., S, Dv).
        mask: bool, broadcast to (..., T, S); True where attention is allowed.
        dropout: what to do to the weights before they meet the values, in training.
            The weights that are returned are those before it.

    Returns:
        Output in the dtype of the values (float32 where they are integers), weights
        and scores.

    Raises:
        ValueError: ranks or sizes do not fit, a KerasTensor's D is not known, or the
            mask is not boolean. Sizes known only when a graph runs are not checked.

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
            f"query {tuple(query.shape)} has no known last size to scale by; give its "
            "keras.Input one"
        )
    scores = keras.ops.matmul(query, keras.ops.swapaxes(key, -1, -2))
    scores = scores / keras.ops.sqrt(keras.ops.cast(head_size, "float32"))
    if mask is None:
        weights = _softmax(scores)
    else:
        mask = keras.ops.convert_to_tensor(mask)
        _check_mask(mask, tuple(scores.shape))
        # A row of infinities would be NaN, and a row of this number is uniform: the
        # zeros after the softmax are what a query with nothing to attend to gets.
        weights = _softmax(keras.ops.where(mask, scores, LOWEST))
        weights = keras.ops.where(mask, weights, 0.0)
    # Halves are summed in float32: their largest number must not round to infinity.
    output = keras.ops.matmul(dropout(weights) if dropout else weights, value)
    if keras.backend.is_float_dtype(value.dtype):
        output = keras.ops.cast(output, value.dtype)
    return Attention(output, weights, scores)


def _softmax(scores: Tensor) -> Tensor:
    # Keras's own warns where there is one key, and TensorFlow's refuses six axes.
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
    if not _may_be_equal(query[-1], key[-1]):
        raise ValueError(
            f"{shapes}: the last sizes of query and key, {query[-1]} and {key[-1]}, "
            "are not equal; project both to one size"
        )
    if not _may_be_equal(key[-2], value[-2]):
        raise ValueError(
            f"{shapes}: key has {key[-2]} steps and value {value[-2]}; give one value "
            "for each key"
        )
    # A size of 1 goes with every other, as an unknown one may.
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
        size == 1 or _may_be_equal(size, wanted) for size, wanted in pairs
    ):
        raise ValueError(
            f"mask {shape} does not broadcast to the scores {scores}; give it those "
            "axes, or size 1 for the ones it does not depend on"
        )


def _may_be_equal(size: int | None, other: int | None) -> bool:
    return size is None or other is None or size == other


def causal_mask(
    length: int | Tensor, *, memory: int | Tensor = 0, window: int | None = None
) -> Tensor:
    """Which steps may attend to which when none may look ahead.

    Vaswani et al. 2017, section 3.2.3; with a window it is a band.

    Args:
        length: T, an int or an integer tensor ().
        memory: M, how many steps before these are attended to as well.
        window: how many steps each attends to at most, itself the last of them.

    Returns:
        bool (T, M + T), True at (t, s) where s is not after M + t, nor as far before it
        as the window is wide.
    """
    keys = keras.ops.arange(memory + length)
    queries = keys[memory:, None]
    allowed = queries >= keys
    if window is not None:
        allowed = allowed & (queries - keys < window)
    return allowed


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


def known_size(layer: keras.layers.Layer, input_shape: Shape) -> int:
    """C of a layer's input (B, T, C).

    Raises:
        ValueError: the input has not three axes, or its last is of unknown size.
    """
    if len(input_shape) != 3 or input_shape[-1] is None:
        raise ValueError(
            f"the input of {layer.name} has shape {tuple(input_shape)}, not (batch, "
            "steps, size) with a known size; embed the tokens first"
        )
    return input_shape[-1]


@keras.saving.register_keras_serializable(package="kerasseq")
class MultiHeadSelfAttention(keras.layers.Layer):
    """Multi-head attention of a sequence to itself; Vaswani et al. 2017, section 3.2.2.

    The weights have the names, shapes and order of `keras.layers.MultiHeadAttention`,
    so that `set_weights` takes what its `get_weights` gives.

    Args:
        num_heads: H.
        head_size: D, of each head's queries, keys and values.
        dropout: fraction of the weights dropped in training.
        causal: whether a step attends only to itself and those before it.
        use_bias: whether the four projections have biases.
        window: how many steps a causal step attends to at most, itself included.
        rotary: whether products of queries and keys know their offsets in the window
            (see `rotary_turns`).
        output_initializer: of the last projection's kernel.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        x: (B, T, C).
        mask: bool (B, T), False at padding, which nothing attends to. Left out, it is
            the mask that `x` carries, as from `Embedding(mask_zero=True)`.

    Returns:
        The output (B, T, C), which carries the padding mask on, and the weights,
        float32 (B, H, T, T), as they are before dropout.

    Raises:
        ValueError: an argument is out of its range, `x` has not three axes, or the
            mask is not boolean or not (B, T).
    """

    def __init__(
        self,
        num_heads: int,
        head_size: int,
        dropout: float = 0.0,
        causal: bool = False,
        use_bias: bool = True,
        window: int | None = None,
        rotary: bool = False,
        output_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, size in (
            ("num_heads", num_heads),
            ("head_size", head_size),
            ("window", window),
        ):
            if size is not None and size < 1:
                raise ValueError(f"{name}={size} must be at least 1")
        if window is not None and not causal:
            raise ValueError(f"window={window} is of steps before; set causal=True too")
        if rotary and (window is None or head_size % 2):
            raise ValueError(
                f"rotary positions need a window and an even head_size, not "
                f"window={window} and head_size={head_size}"
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout={dropout} is not from 0 to below 1")
        self.num_heads = num_heads
        self.head_size = head_size
        self.dropout = dropout
        self.causal = causal
        self.use_bias = use_bias
        self.window = window
        self.rotary = rotary
        self.output_initializer = keras.initializers.get(output_initializer)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        model_size = known_size(self, input_shape)
        heads = (self.num_heads, self.head_size)

        def projection(
            name: str,
            equation: str,
            sizes: tuple[int, ...],
            bias_axes: str,
            initializer: Any = "glorot_uniform",
        ) -> keras.layers.EinsumDense:
            layer = keras.layers.EinsumDense(
                equation,
                (None, *sizes),
                bias_axes=bias_axes if self.use_bias else None,
                kernel_initializer=initializer,
                dtype=self.dtype_policy,
                name=name,
            )
            # It works step by step, yet warns that it would lose the mask of x.
            layer.supports_masking = True
            return layer

        self.query = projection("query", "btc,chd->bthd", heads, "hd")
        self.key = projection("key", "btc,chd->bthd", heads, "hd")
        self.value = projection("value", "btc,chd->bthd", heads, "hd")
        self.merge = projection(
            "attention_output",
            "bthd,hdc->btc",
            (model_size,),
            "c",
            self.output_initializer,
        )
        for layer in (self.query, self.key, self.value):
            layer.build(input_shape)
        self.merge.build((*input_shape[:2], *heads))
        # Autocasting would turn the float32 weights to halves.
        self.weights_dropout = keras.layers.Dropout(self.dropout, dtype="float32")
        self.weights_dropout.build(None)

    def call(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.attend(*self.project(x), mask)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of `x`, each (B, H, T, D)."""
        query, key, value = (
            keras.ops.transpose(projection(x), (0, 2, 1, 3))
            for projection in (self.query, self.key, self.value)
        )
        return query, key, value

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """What the layer gives for the last T of S steps.

        Args:
            query: (B, H, T, D), of the last T steps.
            key: (B, H, S, D), of all, as `project` gives them.
            value: (B, H, S, D).
            mask: bool (B, S), False where nothing attends to a step.

        Returns:
            The output (B, T, C) and the weights, float32 (B, H, T, S).
        """
        length, steps = keras.ops.shape(query)[2], keras.ops.shape(key)[2]
        memory = steps - length
        allowed = None
        if self.causal:
            allowed = causal_mask(length, memory=memory, window=self.window)
        if mask is not None:
            wanted = (key.shape[0], key.shape[2])
            self._check_mask(tuple(mask.shape), mask.dtype, wanted)
            keys = mask[:, None, None, :]  # (B, 1, 1, S)
            allowed = keys if allowed is None else keys & allowed
        if self.rotary and self.window:
            query, key = rotate(query, memory, self.window), rotate(key, 0, self.window)
        attention = scaled_dot_product_attention(
            query, key, value, allowed, dropout=self.weights_dropout
        )
        output = keras.ops.transpose(attention.output, (0, 2, 1, 3))  # (B, T, H, D)
        return self.merge(output), attention.weights

    def _check_mask(self, shape: Shape, dtype: Any, wanted: Shape) -> None:
        dtype = keras.backend.standardize_dtype(dtype)
        if (
            dtype != "bool"
            or len(shape) != 2
            or not all(map(_may_be_equal, shape, wanted))
        ):
            raise ValueError(
                f"the mask of {self.name} is {dtype} {shape}, not bool {wanted}; pass "
                "True for words and False for padding"
            )

    def compute_mask(
        self, inputs: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor | None, None]:
        return mask, None

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, Shape]:
        batch, steps, _ = input_shape
        return tuple(input_shape), (batch, self.num_heads, steps, steps)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        # Layer's own would take both outputs for the compute dtype's.
        return keras.Operation.compute_output_spec(self, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "head_size": self.head_size,
            "dropout": self.dropout,
            "causal": self.causal,
            "use_bias": self.use_bias,
            "window": self.window,
            "rotary": self.rotary,
            "output_initializer": keras.initializers.serialize(self.output_initializer),
        }
