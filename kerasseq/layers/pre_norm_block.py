"""A block of a Transformer that translates: Vaswani et al. 2017, section 3.1, pre-norm.

Shapes: B batch, T steps, S memory's steps, H heads, D head size, C model size.
"""

from collections.abc import Sequence
from typing import Any

import keras

from kerasseq.layers.attention import Shape, Tensor, causal_mask, known_size
from kerasseq.layers.checks import check_at_least, check_divisible, check_fraction
from kerasseq.layers.rms_norm import RMSNorm
from kerasseq.layers.self_attention import MultiHeadSelfAttention


@keras.saving.register_keras_serializable(package="kerasseq")
class PreNormBlock(keras.layers.Layer):
    """Self-attention, attention to a memory if there is one, a feed-forward layer.

    Each normalizes its input and adds its output to it (Xiong et al. 2020, section 3).
    Without a memory this is a block of an encoder. With one it is a block of a decoder:
    no step attends to later ones.

    Args:
        num_heads: H; each head has size C / H.
        feed_forward_size: units of the feed-forward layer.
        dropout: fraction of each output dropped in training.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        x: (B, T, C), C a multiple of H.
        mask: bool (B, T), False at padding, which nothing attends to.
        memory: (B, S, C), what an encoder made of the source, or None.
        memory_mask: bool (B, S), False at padding.

    Returns:
        The output (B, T, C), and the weights of the attention to the memory, float32
        (B, H, T, S); without a memory those of the self-attention, (B, H, T, T).

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
        check_at_least(1, num_heads=num_heads, feed_forward_size=feed_forward_size)
        check_fraction(dropout=dropout)
        self.num_heads = num_heads
        self.feed_forward_size = feed_forward_size
        self.dropout = dropout
        self.supports_masking = True

    def build(self, x_shape: Shape, memory_shape: Shape | None = None) -> None:
        model_size = known_size(self, x_shape)
        check_divisible(model_size, self.num_heads)
        policy = self.dtype_policy

        def attention(name: str) -> tuple[MultiHeadSelfAttention, keras.layers.Layer]:
            layer = MultiHeadSelfAttention(
                self.num_heads,
                model_size // self.num_heads,
                use_bias=False,
                dtype=policy,
                name=name,
            )
            norm = RMSNorm(dtype=policy, name=f"{name}_norm")
            for each in (layer, norm):
                each.build(x_shape)
            return layer, norm

        self.attention, self.attention_norm = attention("attention")
        if memory_shape is not None:
            self.cross_attention, self.cross_norm = attention("cross_attention")
        self.feed_forward_norm = RMSNorm(dtype=policy, name="feed_forward_norm")
        self.expand = keras.layers.Dense(
            self.feed_forward_size, activation="relu", dtype=policy, name="expand"
        )
        self.contract = keras.layers.Dense(model_size, dtype=policy, name="contract")
        self.output_dropout = keras.layers.Dropout(self.dropout, dtype=policy)
        for layer in (self.feed_forward_norm, self.expand, self.output_dropout):
            layer.build(x_shape)
        self.contract.build((*x_shape[:2], self.feed_forward_size))

    def call(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        allowed = None if mask is None else mask[:, None, None, :]  # (B, 1, 1, T)
        if memory is not None:
            earlier = causal_mask(keras.ops.shape(x)[1])
            allowed = earlier if allowed is None else allowed & earlier
        normal = self.attention_norm(x)
        keys_and_values = self.attention.project_keys_and_values(normal)
        attended, weights = self.attention.attend(
            self.attention.project_queries(normal), *keys_and_values, allowed
        )
        x = x + self.output_dropout(attended)
        if memory is not None:
            if memory_mask is not None:
                memory_mask = memory_mask[:, None, None, :]  # (B, 1, 1, S)
            x, weights = self._read(x, *self.remember(memory), memory_mask)
        return self._feed_forward(x), weights

    def step(
        self,
        x: Tensor,
        states: Sequence[Tensor],
        positions: Tensor,
        memory: Sequence[Tensor],
        memory_mask: Tensor,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Read one step of each of K hypotheses on a target, as a decoder's block.

        Args:
            x: (B, K, C).
            states: keys and values (B K, H, T, D) of the steps before.
            positions: float32 (B K,), the number of steps before, below T.
            memory: keys and values, from `remember`.
            memory_mask: bool (B, S).

        Returns:
            The output (B, K, C), the weights of the attention to the memory, float32
            (B, H, K, S), and the states with this step's keys and values.
        """
        normal = keras.ops.reshape(self.attention_norm(x), (-1, 1, x.shape[-1]))
        steps = keras.ops.arange(keras.ops.shape(states[0])[2], dtype="float32")
        # Indexing with None would cost a file more operations.
        positions = keras.ops.expand_dims(positions, 1)
        here = keras.ops.expand_dims(steps == positions, (1, 3))
        key, value = (
            keras.ops.where(here, new, before)
            for before, new in zip(
                states, self.attention.project_keys_and_values(normal), strict=True
            )
        )
        attended, _ = self.attention.attend(
            self.attention.project_queries(normal),
            key,
            value,
            keras.ops.expand_dims(steps <= positions, (1, 2)),
        )
        x = x + keras.ops.reshape(attended, keras.ops.shape(x))
        known = keras.ops.expand_dims(memory_mask, (1, 2))
        x, weights = self._read(x, memory[0], memory[1], known)
        return self._feed_forward(x), weights, [key, value]

    def remember(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (B, H, S, D) of a memory (B, S, C), the same in all steps."""
        return self.cross_attention.project_keys_and_values(memory)

    def _read(
        self, x: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        query = self.cross_attention.project_queries(self.cross_norm(x))
        attended, weights = self.cross_attention.attend(query, key, value, mask)
        return x + self.output_dropout(attended), weights

    def _feed_forward(self, x: Tensor) -> Tensor:
        fed = self.contract(self.expand(self.feed_forward_norm(x)))
        return x + self.output_dropout(fed)

    def compute_mask(
        self, inputs: Tensor, mask: Tensor | None = None
    ) -> tuple[None, None]:
        """The outputs carry no mask: each block is given its masks."""
        return None, None

    def compute_output_shape(
        self, x_shape: Shape, memory_shape: Shape | None = None
    ) -> tuple[Shape, Shape]:
        batch, steps, _ = x_shape
        read = (memory_shape or x_shape)[1]
        return tuple(x_shape), (batch, self.num_heads, steps, read)

    # Layer's own would give the weights the compute dtype; they are float32.
    compute_output_spec = keras.Operation.compute_output_spec

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "feed_forward_size": self.feed_forward_size,
            "dropout": self.dropout,
        }
