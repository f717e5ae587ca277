"""A block of a Transformer encoder; Vaswani et al. 2017, section 3.1.

Shapes: B batch, T steps, H heads, C model size.
"""

from typing import Any

import keras

from kerasseq.layers.attention import Shape, Tensor, known_size
from kerasseq.layers.checks import check_at_least, check_divisible, check_fraction
from kerasseq.layers.self_attention import MultiHeadSelfAttention


@keras.saving.register_keras_serializable(package="kerasseq")
class EncoderBlock(keras.layers.Layer):
    """Self-attention, then a feed-forward layer at each step; section 3.1.

    Each has dropout on its output (section 5.4), a residual connection around it and
    layer normalization after the sum.

    Args:
        num_heads: H; each head has size C / H.
        feed_forward_size: units of the feed-forward layer (section 3.3).
        dropout: fraction of each of the two outputs dropped in training.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        x: (B, T, C), C a multiple of H.
        mask: bool (B, T), False at padding, which nothing attends to. The default is
            the mask that `x` carries.

    Returns:
        The output (B, T, C), which carries the same padding mask, and the attention
        weights, float32 (B, H, T, T).

    Raises:
        ValueError: an argument is out of its range, or C is not a multiple of H.

    Example:
        >>> block = EncoderBlock(num_heads=2, feed_forward_size=7)
        >>> output, weights = block(np.ones((1, 3, 4)))
        >>> output.shape, weights.shape
        (TensorShape([1, 3, 4]), TensorShape([1, 2, 3, 3]))
    """

    def __init__(
        self,
        num_heads: int,
        feed_forward_size: int,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_at_least(1, num_heads=num_heads, feed_forward_size=feed_forward_size)
        check_fraction(dropout=dropout)
        self.num_heads = num_heads
        self.feed_forward_size = feed_forward_size
        self.dropout = dropout
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        model_size = known_size(self, input_shape)
        check_divisible(model_size, self.num_heads)
        policy = self.dtype_policy
        self.attention = MultiHeadSelfAttention(
            self.num_heads, model_size // self.num_heads, dtype=policy, name="attention"
        )
        self.expand = keras.layers.Dense(
            self.feed_forward_size, activation="relu", dtype=policy, name="expand"
        )
        self.contract = keras.layers.Dense(model_size, dtype=policy, name="contract")
        self.attention_norm = keras.layers.LayerNormalization(
            dtype=policy, name="attention_norm"
        )
        self.feed_forward_norm = keras.layers.LayerNormalization(
            dtype=policy, name="feed_forward_norm"
        )
        self.output_dropout = keras.layers.Dropout(self.dropout, dtype=policy)
        for layer in (
            self.attention,
            self.attention_norm,
            self.expand,
            self.feed_forward_norm,
            self.output_dropout,
        ):
            layer.build(input_shape)
        self.contract.build((*input_shape[:2], self.feed_forward_size))

    def call(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        attended, weights = self.attention(x, mask=mask)
        x = self.attention_norm(x + self.output_dropout(attended))
        fed = self.contract(self.expand(x))
        x = self.feed_forward_norm(x + self.output_dropout(fed))
        return x, weights

    # The outputs are like those of its attention.
    compute_mask = MultiHeadSelfAttention.compute_mask
    compute_output_shape = MultiHeadSelfAttention.compute_output_shape
    compute_output_spec = MultiHeadSelfAttention.compute_output_spec

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "feed_forward_size": self.feed_forward_size,
            "dropout": self.dropout,
        }
