"""The Transformer encoder: positions -> blocks of attention and feed-forward layers.

Vaswani et al. 2017, "Attention Is All You Need", in its post-norm form.
Shapes: B batch, T steps, H heads, C model size, V vocabulary.
"""

from dataclasses import dataclass

import keras

from kerasseq.layers.checks import check_config, check_divisible
from kerasseq.layers.encoder_block import EncoderBlock
from kerasseq.layers.positions import SinusoidalPositions
from kerasseq.text.wording import counted
from kerasseq.text.words import PAD


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of an encoder.

    Attributes:
        vocabulary_size: V, number of token ids, including padding (id 0).
        model_size: C, a multiple of num_heads.
        num_heads: H.
        num_blocks: number of encoder blocks.
        feed_forward_size: units of each block's feed-forward layer.
        max_length: the most tokens of a sequence; an exported `.tflite` file reads as
            many at once.
        dropout: fraction dropped in training of the embedded tokens, and in each block.

    Raises:
        ValueError: a size is below 1, dropout is not from 0 to below 1, or model_size
            is not a multiple of num_heads.

    Example:
        >>> EncoderConfig(vocabulary_size=7).num_heads
        4
    """

    vocabulary_size: int
    model_size: int = 64
    num_heads: int = 4
    num_blocks: int = 2
    feed_forward_size: int = 256
    max_length: int = 64
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_config(self)
        check_divisible(self.model_size, self.num_heads)

    def __str__(self) -> str:
        return (
            f"{counted(self.num_blocks, 'Transformer block')} of size "
            f"{self.model_size:,}, {counted(self.num_heads, 'head')}, at most "
            f"{counted(self.max_length, 'word')}, dropout {self.dropout:g}"
        )


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
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.ops.not_equal(token_ids, PAD)
    x = keras.layers.Embedding(
        config.vocabulary_size,
        config.model_size,
        # After scaling by sqrt(C), a word's vector is as large as its position's.
        keras.initializers.RandomNormal(stddev=config.model_size**-0.5),
        name="embedding",
    )(token_ids)
    x = SinusoidalPositions(config.max_length, name="positions")(x)
    x = keras.layers.Dropout(config.dropout, name="dropout")(x)
    weights = {}
    for index in range(config.num_blocks):
        block = EncoderBlock(
            config.num_heads,
            config.feed_forward_size,
            config.dropout,
            name=f"block_{index}",
        )
        x, weights[f"attention_{index}"] = block(x, mask=mask)
    return keras.Model(token_ids, {"embeddings": x, **weights}, name="encoder")


def build_masked_word_model(encoder: keras.Model, vocabulary_size: int) -> keras.Model:
    """Add a head to an encoder that predicts hidden words.

    Devlin et al. 2019, "BERT", section 3.1, with one dense layer as the head, which
    computes logits of the hidden words only. The encoder's layers are shared: fitting
    this model trains it. A sample weight (B, M) leaves words out.

    Args:
        encoder: from `build_encoder`.
        vocabulary_size: V.

    Returns:
        A functional model from "token_ids", int32 (B, T), and "chosen", int32
        (B, M), the indices of words in their sentences, to logits, float32 (B, M, V).
    """
    chosen = keras.Input((None,), dtype="int32", name="chosen")
    vectors = keras.ops.take_along_axis(
        encoder.output["embeddings"], keras.ops.expand_dims(chosen, -1), axis=1
    )
    # Losses need float32 logits, whatever the dtype policy.
    logits = keras.layers.Dense(vocabulary_size, dtype="float32", name="logits")(
        vectors
    )
    inputs = {"token_ids": encoder.input, "chosen": chosen}
    return keras.Model(inputs, logits, name="masked_word_model")
