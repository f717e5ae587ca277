"""Blocks of attention and feed-forward layers: an encoder's and a decoder's.

Vaswani et al. 2017, "Attention Is All You Need", section 3.1.
Shapes: B batch, T steps, H heads, D head size, C model size, W context.
"""

from typing import Any, NamedTuple

import keras

from kerasseq.layers.attention import Shape, Tensor, known_size
from kerasseq.layers.checks import check_at_least_one, check_divisible, check_dropout
from kerasseq.layers.self_attention import MultiHeadSelfAttention


@keras.saving.register_keras_serializable(package="kerasseq")
class EncoderBlock(keras.layers.Layer):
    """Self-attention, then a feed-forward layer at each step; section 3.1.

    Each has dropout on its output (section 5.4), a residual line around it and a layer
    normalisation after the sum.

    Args:
        num_heads: H; each head has size C / H.
        feed_forward_size: units of the feed-forward layer (section 3.3).
        dropout: fraction of each of the two outputs dropped in training.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        x: (B, T, C), C a multiple of H.
        mask: bool (B, T), False at padding, which nothing attends to. Left out, it is
            the mask that `x` carries.

    Returns:
        The output (B, T, C), which carries the padding mask on, and the attention's
        weights, float32 (B, H, T, T).

    Raises:
        ValueError: an argument is out of its range, or C is not a multiple of H.
    """

    def __init__(
        self,
        num_heads: int,
        feed_forward_size: int,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_at_least_one(num_heads=num_heads, feed_forward_size=feed_forward_size)
        check_dropout(dropout)
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
            "feed_forward_size": self.feed_forward_size,
            "dropout": self.dropout,
        }


class Memory(NamedTuple):
    """What a block knows of the M = W - 1 steps before.

    Attributes:
        key, value: (B, H, M, D).
        known: (B, M), 1 where there was a step and 0 where there was none yet.
    """

    key: Tensor
    value: Tensor
    known: Tensor


@keras.saving.register_keras_serializable(package="kerasseq")
class DecoderBlock(keras.layers.Layer):
    """Causal self-attention, then a feed-forward layer of 4 C units at each step.

    Each reads its input through a norm and adds to it.

    Args:
        num_heads: H; each head has size C / H.
        context: W, how many steps a step attends to at most, itself included.
        dropout: fraction dropped in training of what each adds.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        x: (B, T, C), C a multiple of 2 H.

    Returns:
        (B, T, C).
    """

    def __init__(
        self, num_heads: int, context: int, dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.context = context
        self.dropout = dropout

    def build(self, input_shape: Shape) -> None:
        model_size = known_size(self, input_shape)
        policy = self.dtype_policy
        self.attention = MultiHeadSelfAttention(
            self.num_heads,
            model_size // self.num_heads,
            causal=True,
            use_bias=False,
            window=self.context,
            rotary=True,
            output_initializer="zeros",
            dtype=policy,
            name="attention",
        )
        self.attention_norm, self.feed_forward_norm = (
            keras.layers.RMSNormalization(dtype=policy, name=name)
            for name in ("attention_norm", "feed_forward_norm")
        )
        self.expand = keras.layers.Dense(
            4 * model_size,
            activation="relu",
            use_bias=False,
            dtype=policy,
            name="expand",
        )
        self.contract = keras.layers.Dense(
            model_size,
            use_bias=False,
            kernel_initializer="zeros",
            dtype=policy,
            name="contract",
        )
        self.output_dropout = keras.layers.Dropout(self.dropout, dtype=policy)
        for layer in (
            self.attention_norm,
            self.attention,
            self.feed_forward_norm,
            self.expand,
            self.output_dropout,
        ):
            layer.build(input_shape)
        self.contract.build((*input_shape[:2], 4 * model_size))

    def call(self, x: Tensor) -> Tensor:
        return self._add(x, *self.attention.project(self.attention_norm(x)))

    def go_on(self, x: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """Read the steps that follow on others.

        Args:
            x: (B, T, C).
            memory: of the steps before.

        Returns:
            What `call` gives at these steps if it reads those before too, and the
            memory for the steps after.
        """
        query, key, value = self.attention.project(self.attention_norm(x))
        key = keras.ops.concatenate([memory.key, key], axis=2)
        value = keras.ops.concatenate([memory.value, value], axis=2)
        new = keras.ops.ones(keras.ops.shape(x)[:2], memory.known.dtype)
        known = keras.ops.concatenate([memory.known, new], axis=1)
        x = self._add(x, query, key, value, known > 0)
        length = self.context - 1
        return x, Memory(key[:, :, -length:], value[:, :, -length:], known[:, -length:])

    def _add(
        self,
        x: Tensor,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None = None,
    ) -> Tensor:
        attended, _ = self.attention.attend(query, key, value, mask)
        x = x + self.output_dropout(attended)
        # Squared, a ReLU learns faster (So et al. 2021, "Primer", section 4).
        expanded = keras.ops.square(self.expand(self.feed_forward_norm(x)))
        fed = self.contract(expanded)
        return x + self.output_dropout(fed)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def memory_shapes(self, batch_size: int) -> Memory:
        """The shapes of a memory; of zeros, it is that of no steps at all."""
        length = self.context - 1
        steps = (batch_size, self.num_heads, length, self.attention.head_size)
        return Memory(steps, steps, (batch_size, length))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "context": self.context,
            "dropout": self.dropout,
        }
