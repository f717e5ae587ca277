"""Attention pooling: one vector for a sentence, and the weight of each word in it.

Shapes: B batch, S steps, C model size.
"""

from typing import Any

import keras

from kerasseq.layers.attention import (
    Shape,
    Tensor,
    known_size,
    scaled_dot_product_attention,
)


@keras.saving.register_keras_serializable(package="kerasseq")
class AttentionPooling(keras.layers.Layer):
    """The weighted mean of a sequence, to whose steps one learned query attends.

    Yang et al. 2016, "Hierarchical Attention Networks", section 2.2, equations 5 to 7,
    without the layer that computes keys: the steps are keys and values themselves. The
    query starts as zeros, with which the result is the plain mean of all steps except
    padding.

    Args:
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        x: (B, S, C).
        mask: bool (B, S), False at padding. The default is the mask of `x`.

    Returns:
        The mean (B, C), zeros if all is padding, and the weights, float32 (B, S), which
        sum to 1, or to 0 if all is padding.

    Raises:
        ValueError: `x` does not have three axes, or the mask is not boolean or not
            (B, S).

    Example:
        >>> mean, weights = AttentionPooling()(np.array([[[2.0], [4.0], [9.0]]]))
        >>> mean.numpy().tolist()  # untrained: the plain mean
        [[5.0]]
        >>> print(weights.numpy().round(2))
        [[0.33 0.33 0.33]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self.query = self.add_weight(
            shape=(1, known_size(self, input_shape)), initializer="zeros", name="query"
        )

    def call(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        allowed = None if mask is None else mask[:, None, :]
        attention = scaled_dot_product_attention(self.query, x, x, allowed)
        return (
            keras.ops.squeeze(attention.output, 1),
            keras.ops.squeeze(attention.weights, 1),
        )

    def compute_mask(
        self, inputs: Tensor, mask: Tensor | None = None
    ) -> tuple[None, None]:
        return None, None

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, Shape]:
        batch, steps, size = input_shape
        return (batch, size), (batch, steps)

    # Layer's own would give the weights the compute dtype; they are float32.
    compute_output_spec = keras.Operation.compute_output_spec
