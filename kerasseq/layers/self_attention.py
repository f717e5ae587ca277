"""Multi-head self-attention, a layer around `scaled_dot_product_attention`.

Shapes: B batch, T query steps, S key steps, H heads, D head size, C model size.
"""

from typing import Any

import keras

from kerasseq.layers.attention import (
    Shape,
    Tensor,
    known_size,
    may_be_equal,
    scaled_dot_product_attention,
)
from kerasseq.layers.checks import check_at_least, check_fraction


@keras.saving.register_keras_serializable(package="kerasseq")
class MultiHeadSelfAttention(keras.layers.Layer):
    """Multi-head attention of a sequence to itself; Vaswani et al. 2017, section 3.2.2.

    The weights have the names, shapes and order of `keras.layers.MultiHeadAttention`,
    so `set_weights` takes what its `get_weights` returns. For attention to another
    sequence, `attend` takes the keys and values projected from that one.

    Args:
        num_heads: H.
        head_size: D, of each head's queries, keys and values.
        dropout: fraction of the weights dropped in training.
        use_bias: whether the four projections have biases.
        **kwargs: those of `keras.layers.Layer`.

    Attributes:
        output_initializer: of the last projection's kernel, read by `build`.

    Call arguments:
        x: (B, T, C).
        mask: bool (B, T), False at padding, which nothing attends to. The default is
            the mask that `x` carries, as from `Embedding(mask_zero=True)`.
        attention_mask: bool, broadcast to (B, T, T), True where a step may attend to
            another; `causal_mask(T)` keeps steps from looking ahead.

    Returns:
        The output (B, T, C), which carries the same padding mask, and the weights
        before dropout, float32 (B, H, T, T).

    Raises:
        ValueError: an argument is out of its range, `x` does not have three axes, or
            a mask is not boolean or has the wrong shape.

    Example:
        >>> layer = MultiHeadSelfAttention(num_heads=2, head_size=3)
        >>> _, weights = layer(np.ones((1, 3, 5)), attention_mask=causal_mask(3))
        >>> print(weights.numpy()[0, 0].round(2))
        [[1.   0.   0.  ]
         [0.5  0.5  0.  ]
         [0.33 0.33 0.33]]
    """

    def __init__(
        self,
        num_heads: int,
        head_size: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_at_least(1, num_heads=num_heads, head_size=head_size)
        check_fraction(dropout=dropout)
        self.num_heads = num_heads
        self.head_size = head_size
        self.dropout = dropout
        self.use_bias = use_bias
        self.output_initializer = "glorot_uniform"
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        model_size = known_size(self, input_shape)
        heads = (self.num_heads, self.head_size)

        def projection(
            name: str,
            equation: str,
            sizes: tuple[int, ...],
            bias_axes: str,
            initializer: str = "glorot_uniform",
        ) -> keras.layers.EinsumDense:
            layer = keras.layers.EinsumDense(
                equation,
                (None, *sizes),
                bias_axes=bias_axes if self.use_bias else None,
                kernel_initializer=initializer,
                dtype=self.dtype_policy,
                name=name,
            )
            # Otherwise it warns about losing the mask, although each step is separate.
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
        # Autocasting would convert the float32 weights to half precision.
        self.weights_dropout = keras.layers.Dropout(self.dropout, dtype="float32")
        self.weights_dropout.build(None)

    def call(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        if mask is None:
            # Keras passes it only if x is the only tensor of the call.
            mask = getattr(x, "_keras_mask", None)
        allowed = None
        if mask is not None:
            self._check_mask(tuple(mask.shape), mask.dtype, tuple(x.shape[:2]))
            allowed = mask[:, None, None, :]  # (B, 1, 1, T)
        if attention_mask is not None:
            steps = keras.ops.convert_to_tensor(attention_mask)[..., None, :, :]
            allowed = steps if allowed is None else allowed & steps
        return self.attend(
            self.project_queries(x), *self.project_keys_and_values(x), allowed
        )

    def project_queries(self, x: Tensor) -> Tensor:
        """Queries (B, H, T, D) of `x` (B, T, C)."""
        return keras.ops.transpose(self.query(x), (0, 2, 1, 3))

    def project_keys_and_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values, each (B, H, S, D), of `x` (B, S, C)."""
        key, value = (
            keras.ops.transpose(projection(x), (0, 2, 1, 3))
            for projection in (self.key, self.value)
        )
        return key, value

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend to keys and values, and merge the heads.

        Args:
            query: (B, H, T, D), from `project_queries`.
            key: (B, H, S, D), from `project_keys_and_values`.
            value: (B, H, S, D).
            mask: bool, broadcast to (B, H, T, S); True where attention is allowed.

        Returns:
            The output (B, T, C) and the weights, float32 (B, H, T, S).
        """
        attention = scaled_dot_product_attention(
            query, key, value, mask, dropout=self.weights_dropout
        )
        output = keras.ops.transpose(attention.output, (0, 2, 1, 3))  # (B, T, H, D)
        return self.merge(output), attention.weights

    def _check_mask(self, shape: Shape, dtype: Any, wanted: Shape) -> None:
        dtype = keras.backend.standardize_dtype(dtype)
        if (
            dtype != "bool"
            or len(shape) != 2
            or not all(map(may_be_equal, shape, wanted))
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

    # Layer's own would give the weights the compute dtype; they are float32.
    compute_output_spec = keras.Operation.compute_output_spec

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "head_size": self.head_size,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MultiHeadSelfAttention":
        # Files from before `attention_mask` have these arguments.
        config = dict(config)
        config.pop("output_initializer", None)
        modes = {
            name: config.pop(name, None) for name in ("causal", "window", "rotary")
        }
        if any(modes.values()):
            used = ", ".join(f"{name}={mode}" for name, mode in modes.items() if mode)
            raise ValueError(
                f"MultiHeadSelfAttention no longer has {used}; build the model again "
                "with attention_mask=causal_mask(T, window=...) in the call, and load "
                "only the weights"
            )
        return cls(**config)
