"""The Transformer encoder: positions -> blocks of attention and feed-forward layers.

Vaswani et al. 2017, "Attention Is All You Need", in its post-norm form.
Shapes: B batch, T steps, H heads, C model size, V vocabulary.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasseq.layers.attention import MultiHeadSelfAttention, Shape, Tensor, known_size

PADDING_ID = 0


def sinusoidal_positions(length: int, size: int) -> np.ndarray:
    """Sines in the even columns, cosines of the same angles in the odd ones.

    Vaswani et al. 2017, section 3.5: wavelengths grow from 2 pi towards 10000 * 2 pi.

    Args:
        length: T, how many positions, from 0 up.
        size: C, numbers a position; where it is odd the last sine has no cosine.

    Returns:
        float32 (T, C).

    Raises:
        ValueError: length is negative or size below 1.

    Example:
        >>> sinusoidal_positions(2, 2).round(3).tolist()
        [[0.0, 1.0], [0.8410000205039978, 0.5400000214576721]]
    """
    if length < 0 or size < 1:
        raise ValueError(
            f"length={length} and size={size} make no table; length is from 0 up, size "
            "from 1 up"
        )
    column = np.arange(size)
    rates = 10000.0 ** (-2 * (column // 2) / size)
    # In float64: far positions' angles in float32 are off by whole parts of a turn.
    angles = np.arange(length)[:, None] * rates
    table = np.where(column % 2 == 0, np.sin(angles), np.cos(angles))
    return table.astype(np.float32)


@keras.saving.register_keras_serializable(package="kerasseq")
class SinusoidalPositions(keras.layers.Layer):
    """Scale embeddings by sqrt(C) and add each step's position; sections 3.4 and 3.5.

    Steps count from the left, padding or not: pad on the right.

    Args:
        max_length: how many positions there are.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        x: (B, T, C), T at most `max_length`. A mask passes through.

    Returns:
        (B, T, C).

    Raises:
        ValueError: max_length is below 1, or T above it. A T known only when the graph
            runs is refused by the backend's own error.
    """

    def __init__(self, max_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if max_length < 1:
            raise ValueError(f"max_length={max_length} must be at least 1")
        self.max_length = max_length
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self.table = sinusoidal_positions(
            self.max_length, known_size(self, input_shape)
        )

    def call(self, x: Tensor) -> Tensor:
        length, size = x.shape[1:]
        if length is not None and length > self.max_length:
            raise ValueError(
                f"{length} steps are more than max_length={self.max_length}; cut the "
                "sequence, or build with a larger max_length"
            )
        # Unlike table[:length], this fails on a length beyond the table.
        positions = keras.ops.slice(
            keras.ops.convert_to_tensor(self.table),
            (0, 0),
            (keras.ops.shape(x)[1], size),
        )
        return x * math.sqrt(size) + keras.ops.cast(positions, x.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_length": self.max_length}


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
        _check_at_least_one(num_heads=num_heads, feed_forward_size=feed_forward_size)
        _check_dropout(dropout)
        self.num_heads = num_heads
        self.feed_forward_size = feed_forward_size
        self.dropout = dropout
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        model_size = known_size(self, input_shape)
        _check_divisible(model_size, self.num_heads)
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


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of an encoder.

    Attributes:
        vocabulary_size: V, how many token ids there are, padding (id 0) among them.
        model_size: C, a multiple of num_heads.
        num_heads: H.
        num_blocks: encoder blocks, one reading the other's output.
        feed_forward_size: units of each block's feed-forward layer.
        max_length: the longest sequence.
        dropout: fraction dropped in training of the embedded tokens and in each block.

    Raises:
        ValueError: a size is below 1, dropout is not from 0 to below 1, or model_size
            is not a multiple of num_heads.
    """

    vocabulary_size: int
    model_size: int = 64
    num_heads: int = 4
    num_blocks: int = 2
    feed_forward_size: int = 256
    max_length: int = 512
    dropout: float = 0.1

    def __post_init__(self) -> None:
        _check_at_least_one(
            vocabulary_size=self.vocabulary_size,
            model_size=self.model_size,
            num_heads=self.num_heads,
            num_blocks=self.num_blocks,
            feed_forward_size=self.feed_forward_size,
            max_length=self.max_length,
        )
        _check_divisible(self.model_size, self.num_heads)
        _check_dropout(self.dropout)


def build_encoder(config: EncoderConfig) -> keras.Model:
    """Build the encoder, for any batch and any length up to `max_length`.

    Nothing attends to padding (id 0), so padding a sentence on the right changes none
    of its vectors.

    Returns:
        A functional model from "token_ids", int32 (B, T), to a dict: "embeddings"
        (B, T, C), the tokens in their context, and "attention_0", "attention_1" and
        so on, every block's weights, float32 (B, H, T, T).

    Example:
        >>> encoder = build_encoder(EncoderConfig(vocabulary_size=7, num_blocks=1))
        >>> outputs = encoder(np.array([[3, 5, 0]]))
        >>> {name: tuple(output.shape) for name, output in outputs.items()}
        {'embeddings': (1, 3, 64), 'attention_0': (1, 4, 3, 3)}
    """
    layers = [
        keras.layers.Embedding(
            config.vocabulary_size,
            config.model_size,
            # Once scaled by sqrt(C), a word is as large as its position.
            keras.initializers.RandomNormal(stddev=config.model_size**-0.5),
            name="embedding",
        ),
        SinusoidalPositions(config.max_length, name="positions"),
        keras.layers.Dropout(config.dropout, name="dropout"),
    ]
    layers += [
        EncoderBlock(
            config.num_heads,
            config.feed_forward_size,
            config.dropout,
            name=f"block_{index}",
        )
        for index in range(config.num_blocks)
    ]
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.ops.not_equal(token_ids, PADDING_ID)
    return keras.Model(token_ids, encode(layers, token_ids, mask), name="encoder")


def encode(
    layers: Sequence[keras.layers.Layer], token_ids: Tensor, mask: Tensor
) -> dict[str, Tensor]:
    """Run an encoder's layers on a mask of one's own, as an export does.

    Args:
        layers: embedding, positions, dropout and the blocks: `encoder.layers[1:]` of
            a model from `build_encoder`.
        token_ids: int32 (B, T).
        mask: bool (B, T), True for words and False for padding.

    Returns:
        The outputs of `build_encoder`, by the same names.
    """
    embedding, positions, dropout, *blocks = layers
    x = dropout(positions(embedding(token_ids)))
    weights = {}
    for index, block in enumerate(blocks):
        x, weights[f"attention_{index}"] = block(x, mask=mask)
    return {"embeddings": x, **weights}


def build_masked_word_model(encoder: keras.Model, vocabulary_size: int) -> keras.Model:
    """Put a head on an encoder that guesses masked words.

    Devlin et al. 2019, "BERT", section 3.1, with one dense layer for a head. The
    encoder's layers are shared: fitting this model trains it. The logits carry the
    padding mask, so Keras leaves padding out of losses and metrics; a sample weight
    (B, T) leaves out the words that were not masked.

    Args:
        encoder: from `build_encoder`.
        vocabulary_size: V.

    Returns:
        A functional model from "token_ids", int32 (B, T), to logits, float32
        (B, T, V).
    """
    # Losses read float32 logits, whatever precision the layers have.
    logits = keras.layers.Dense(vocabulary_size, dtype="float32", name="logits")(
        encoder.output["embeddings"]
    )
    return keras.Model(encoder.input, logits, name="masked_word_model")


def _check_at_least_one(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name}={size} must be at least 1")


def _check_dropout(dropout: float) -> None:
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout} is not from 0 to below 1")


def _check_divisible(model_size: int, num_heads: int) -> None:
    if model_size % num_heads:
        raise ValueError(
            f"model_size={model_size} is not divisible by num_heads={num_heads}; "
            f"choose a multiple of {num_heads}"
        )
