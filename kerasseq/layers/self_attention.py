"""Multi-head self-attention, around the function.

Shapes: B batch, T query steps, S key steps, H heads, D head size, C model size.
"""

from typing import Any

import keras

from kerasseq.layers.attention import (
    Shape,
    Tensor,
    _may_be_equal,
    causal_mask,
    known_size,
    scaled_dot_product_attention,
)
from kerasseq.layers.rotary import rotate


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
