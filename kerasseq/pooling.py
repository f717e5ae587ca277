"""Attention pooling: vectors for a sentence, and how much each word is in them.

Shapes: B batch, S steps, H heads, D head size, C model size, H times D.
"""

from typing import Any

import keras

from kerasseq.attention import (
    Shape,
    Tensor,
    known_size,
    scaled_dot_product_attention,
)


@keras.saving.register_keras_serializable(package="kerasseq")
class AttentionPooling(keras.layers.Layer):
    """The mean of a sequence under the attention of a learned query, for each head.

    Yang et al. 2016, "Hierarchical Attention Networks", section 2.2, equations 5 to 7,
    without the layer that makes keys of the steps: a learned vector asks each step
    itself whether it matters. It begins as zeros, where the pooling is the plain mean
    of all steps that are no padding. A head reads its own part of each step.

    Args:
        num_heads: H.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        x: (B, S, C), C a multiple of H.
        mask: bool (B, S), False at padding. Left out, it is the mask that `x` carries.

    Returns:
        The means (B, H, D), zeros where all is padding, and the weights, float32
        (B, H, S), which sum to 1 over the steps, or to 0 where all is padding.

    Raises:
        ValueError: num_heads is below 1, `x` has not three axes, C is not a multiple
            of H, or the mask is not boolean or not (B, S).
    """

    def __init__(self, num_heads: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_heads < 1:
            raise ValueError(f"num_heads={num_heads} must be at least 1")
        self.num_heads = num_heads
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        size = known_size(self, input_shape)
        if size % self.num_heads:
            raise ValueError(
                f"the input's size {size} is not divisible by "
                f"num_heads={self.num_heads}; choose a multiple of {self.num_heads}"
            )
        self.query = self.add_weight(
            shape=(self.num_heads, 1, size // self.num_heads),
            initializer="zeros",
            name="query",
        )

    def call(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        batch, steps, _ = keras.ops.shape(x)
        heads = self.num_heads, self.query.shape[-1]
        parts = keras.ops.reshape(x, (batch, steps, *heads))
        parts = keras.ops.transpose(parts, (0, 2, 1, 3))  # (B, H, S, D)
        allowed = None if mask is None else mask[:, None, None, :]
        attention = scaled_dot_product_attention(self.query, parts, parts, allowed)
        return (
            keras.ops.squeeze(attention.output, 2),
            keras.ops.squeeze(attention.weights, 2),
        )

    def compute_mask(
        self, inputs: Tensor, mask: Tensor | None = None
    ) -> tuple[None, None]:
        return None, None

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, Shape]:
        batch, steps, _ = input_shape
        size = known_size(self, input_shape) // self.num_heads
        return (batch, self.num_heads, size), (batch, self.num_heads, steps)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        # Layer's own would take both outputs for the compute dtype's.
        return keras.Operation.compute_output_spec(self, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_heads": self.num_heads}
