"""The character model as a Transformer decoder: Embedding -> blocks -> the embedding.

Pre-norm blocks (Xiong et al. 2020, section 3) of causal self-attention with rotary
positions (Su et al. 2021) and a feed-forward layer; RMS norms (Zhang and Sennrich
2019); the embedding's vectors give the logits too (Press and Wolf 2017).
Shapes: B batch, T steps, H heads, D head size, C model size, W context, V vocabulary.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import keras

from kerasseq.layers.attention import MultiHeadSelfAttention, Shape, Tensor, known_size


@dataclass(frozen=True)
class CharTransformerConfig:
    """Sizes of a character model.

    Attributes:
        vocabulary_size: V, how many characters there are.
        model_size: C, a multiple of num_heads.
        num_heads: H, each of an even size C / H.
        num_blocks: blocks, one reading the other's output.
        context: W, how many characters a prediction sees in each block.
        dropout: fraction dropped in training of what each half of a block adds.
    """

    vocabulary_size: int
    model_size: int = 128
    num_heads: int = 4
    num_blocks: int = 4
    context: int = 256
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("vocabulary_size", "model_size", "num_heads", "num_blocks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if self.context < 2:
            raise ValueError(f"context={self.context} must be at least 2")
        if self.model_size % (2 * self.num_heads):
            raise ValueError(
                f"model_size={self.model_size} does not give num_heads="
                f"{self.num_heads} an even size each; choose a multiple of "
                f"{2 * self.num_heads}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} is not from 0 to below 1")


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


class CarryingBlock(keras.layers.Layer):
    """A block that goes on where the batch before ended, as in Transformer-XL.

    Dai et al. 2019, section 3.2: keys and values are carried without their gradients.

    Args:
        block: built; its weights are shared.
        reset_rate: the chance of a sequence of a training batch to begin without a
            memory: who is to begin without one has to learn it.
        seed: of the choice, so that layers with the same one reset the same sequences.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        x: (B, T, C), static B.

    Returns:
        (B, T, C).
    """

    stateful = True

    def __init__(
        self, block: DecoderBlock, reset_rate: float = 0.0, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= reset_rate <= 1:
            raise ValueError(f"reset_rate={reset_rate} is not from 0 to 1")
        self.block = block
        self.reset_rate = reset_rate
        if reset_rate:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: tuple[int, int, int]) -> None:
        shapes = self.block.memory_shapes(input_shape[0])
        self.states = [
            self.add_weight(
                name=name, shape=shape, initializer="zeros", trainable=False
            )
            for name, shape in shapes._asdict().items()
        ]

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        memory = Memory(*(keras.ops.convert_to_tensor(state) for state in self.states))
        if training and self.reset_rate:
            chances = keras.random.uniform((x.shape[0], 1), seed=self.seed_generator)
            kept = keras.ops.where(chances < self.reset_rate, 0.0, memory.known)
            memory = memory._replace(known=kept)
        x, memory = self.block.go_on(x, memory)
        for state, new in zip(self.states, memory, strict=True):
            state.assign(keras.ops.stop_gradient(new))
        return x

    def reset_state(self) -> None:
        """Forget all steps."""
        for state in self.states:
            state.assign(keras.ops.zeros_like(state))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


def build_char_transformer(config: CharTransformerConfig) -> keras.Model:
    """Build the model that is saved: stateless, for any batch and length.

    Returns:
        A functional model from ids int32 (B, T) to logits float32 (B, T, V): those of
        the character after each position. In each block a position sees W characters,
        itself included, so texts longer than W slide through.
    """
    inputs = keras.Input((None,), dtype="int32", name="characters")
    embedding = keras.layers.ReversibleEmbedding(
        config.vocabulary_size,
        config.model_size,
        embeddings_initializer=keras.initializers.RandomNormal(
            stddev=config.model_size**-0.5
        ),
        # Sampling and losses read float32 logits, whatever precision the layers have.
        reverse_dtype="float32",
        name="embedding",
    )
    x = embedding(inputs)
    for index in range(config.num_blocks):
        x = DecoderBlock(
            config.num_heads, config.context, config.dropout, name=f"block_{index}"
        )(x)
    x = keras.layers.RMSNormalization(name="norm")(x)
    return keras.Model(inputs, embedding(x, reverse=True), name="char_transformer")
