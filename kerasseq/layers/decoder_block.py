"""A block of a Transformer decoder; Vaswani et al. 2017, section 3.1.

Shapes: B batch, T steps, H heads, D head size, C model size, W context, M memory.
"""

from collections.abc import Sequence
from typing import Any

import keras

from kerasseq.layers.attention import Shape, Tensor, causal_mask, known_size
from kerasseq.layers.carrying import CarryingBlock, Memory
from kerasseq.layers.checks import check_at_least, check_even_heads, check_fraction
from kerasseq.layers.rotary import rotate
from kerasseq.layers.self_attention import MultiHeadSelfAttention


@keras.saving.register_keras_serializable(package="kerasseq")
class DecoderBlock(keras.layers.Layer):
    """Causal self-attention, then a feed-forward layer of 4 C units at each step.

    Each normalizes its input, and adds its output to it.

    Args:
        num_heads: H; each head has size C / H.
        context: W, the most steps that a step attends to, itself included.
        dropout: fraction of each of the two outputs dropped in training.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        x: (B, T, C), C a multiple of 2 H.

    Returns:
        (B, T, C).

    Raises:
        ValueError: an argument is out of its range, or C is not a multiple of 2 H.

    Example:
        >>> block = DecoderBlock(num_heads=2, context=3)
        >>> block(np.ones((1, 5, 8))).shape
        TensorShape([1, 5, 8])
    """

    def __init__(
        self, num_heads: int, context: int, dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_at_least(1, num_heads=num_heads)
        check_at_least(2, context=context)
        check_fraction(dropout=dropout)
        self.num_heads = num_heads
        self.context = context
        self.dropout = dropout

    def build(self, input_shape: Shape) -> None:
        model_size = known_size(self, input_shape)
        check_even_heads(model_size, self.num_heads)
        policy = self.dtype_policy
        self.attention = MultiHeadSelfAttention(
            self.num_heads,
            model_size // self.num_heads,
            use_bias=False,
            dtype=policy,
            name="attention",
        )
        self.attention.output_initializer = "zeros"
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
        return self._run(x, *self._project(x))

    def call_with_memory(self, x: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """Read steps that follow earlier ones.

        Args:
            x: (B, T, C).
            memory: of the steps before.

        Returns:
            What `call` returns for these steps when it reads the earlier ones too, and
            the memory for the next steps.
        """
        query, key, value = self._project(x)
        key, value = (
            keras.ops.concatenate([keras.ops.cast(before, new.dtype), new], axis=2)
            for before, new in ((memory.key, key), (memory.value, value))
        )
        new = keras.ops.ones(keras.ops.shape(x)[:2], memory.known.dtype)
        known = keras.ops.concatenate([memory.known, new], axis=1)
        x = self._run(x, query, key, value, known)
        length = self.context - 1
        return x, Memory(key[:, :, -length:], value[:, :, -length:], known[:, -length:])

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.attention_norm(x)
        return (
            self.attention.project_queries(x),
            *self.attention.project_keys_and_values(x),
        )

    def _run(
        self,
        x: Tensor,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        known: Tensor | None = None,
    ) -> Tensor:
        length, steps = keras.ops.shape(query)[2], keras.ops.shape(key)[2]
        memory = steps - length
        allowed = causal_mask(length, memory=memory, window=self.context)
        if known is not None:
            allowed = allowed & (known > 0)[:, None, None, :]  # (B, 1, T, M + T)
        query = rotate(query, memory, self.context)
        key = rotate(key, 0, self.context)
        attended, _ = self.attention.attend(query, key, value, allowed)
        x = x + self.output_dropout(attended)
        # A squared ReLU learns faster (So et al. 2021, "Primer", section 4).
        expanded = keras.ops.square(self.expand(self.feed_forward_norm(x)))
        fed = self.contract(expanded)
        return x + self.output_dropout(fed)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def state_shapes(self, batch_size: int) -> Memory:
        """The shapes of a memory; all zeros if no step was read yet."""
        length = self.context - 1
        steps = (batch_size, self.num_heads, length, self.attention.head_size)
        return Memory(steps, steps, (batch_size, length))

    def step(self, x: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Read one step (B, C); return the output (B, C) and the new states."""
        x, memory = self.call_with_memory(x[:, None], Memory(*states))
        return x[:, 0], list(memory)

    def stateful_twin(self, reset_rate: float, seed: int) -> CarryingBlock:
        """A twin that shares the weights and keeps its state between calls."""
        return CarryingBlock(
            self, reset_rate, seed, name=self.name, dtype=self.dtype_policy
        )

    def describe(self, count: int) -> dict[str, Any]:
        """The sizes of `count` such blocks, as a card states them."""
        return {
            "model_size": self.num_heads * self.attention.head_size,
            "heads": self.num_heads,
            "blocks": count,
            "context": self.context,
        }

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "context": self.context,
            "dropout": self.dropout,
        }
