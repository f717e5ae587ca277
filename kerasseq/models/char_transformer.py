"""The character model as a Transformer decoder: Embedding -> blocks -> the embedding.

Pre-norm blocks (Xiong et al. 2020, section 3) of causal self-attention with rotary
positions (Su et al. 2021) and a feed-forward layer; RMS norms (Zhang and Sennrich
2019); the embedding also computes the logits (Press and Wolf 2017).
Shapes: B batch, T steps, H heads, D head size, C model size, W context, V vocabulary.
"""

from dataclasses import dataclass

import keras

from kerasseq.layers.checks import check_config, check_even_heads
from kerasseq.layers.decoder_block import DecoderBlock
from kerasseq.text.wording import counted


@dataclass(frozen=True)
class CharTransformerConfig:
    """Sizes of a character model.

    Attributes:
        vocabulary_size: V, number of characters.
        model_size: C, a multiple of num_heads.
        num_heads: H, each of an even size C / H.
        num_blocks: number of blocks.
        context: W, the most characters that a position attends to in each block.
        dropout: fraction of the outputs of a block's two layers dropped in training.

    Example:
        >>> str(CharTransformerConfig(vocabulary_size=65, num_blocks=2)).split(", ")[:2]
        ['2 Transformer blocks of size 128', '4 heads']
    """

    vocabulary_size: int
    model_size: int = 128
    num_heads: int = 4
    num_blocks: int = 4
    context: int = 256
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_config(self, context=2)
        check_even_heads(self.model_size, self.num_heads)

    def __str__(self) -> str:
        return (
            f"{counted(self.num_blocks, 'Transformer block')} of size "
            f"{self.model_size:,}, {counted(self.num_heads, 'head')}, a context of "
            f"{self.context:,} characters, dropout {self.dropout:g}"
        )


def build_char_transformer(config: CharTransformerConfig) -> keras.Model:
    """Build the model that is saved: stateless, for any batch and length.

    Returns:
        A functional model from ids int32 (B, T) to logits float32 (B, T, V) of the
        character after each position. In each block, a position attends to the last W
        characters, itself included; a text may be longer than W.

    Example:
        >>> config = CharTransformerConfig(7, model_size=8, num_heads=2, num_blocks=1)
        >>> build_char_transformer(config)(np.array([[3, 1, 4]])).shape
        TensorShape([1, 3, 7])
    """
    inputs = keras.Input((None,), dtype="int32", name="characters")
    embedding = keras.layers.ReversibleEmbedding(
        config.vocabulary_size,
        config.model_size,
        embeddings_initializer=keras.initializers.RandomNormal(
            stddev=config.model_size**-0.5
        ),
        # Sampling and losses need float32 logits, whatever the dtype policy.
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


def read_char_transformer_config(
    model: keras.Model, dropout: float
) -> CharTransformerConfig:
    """The sizes of a model from `build_char_transformer`, with another dropout."""
    embedding = model.get_layer("embedding")
    blocks = [layer for layer in model.layers if isinstance(layer, DecoderBlock)]
    return CharTransformerConfig(
        embedding.input_dim,
        embedding.output_dim,
        blocks[0].num_heads,
        len(blocks),
        blocks[0].context,
        dropout,
    )
