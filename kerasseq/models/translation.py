"""The translator: a Transformer from a source's pieces to a target's.

Vaswani et al. 2017, "Attention Is All You Need", with pre-norm blocks (Xiong et al.
2020, section 3) and RMS norms (Zhang and Sennrich 2019). One embedding serves source,
target and output (Press and Wolf 2017).
Shapes: B batch, S source steps, T target steps, H heads, C model size, V vocabulary.
"""

from dataclasses import dataclass

import keras

from kerasseq.layers.checks import check_config, check_divisible
from kerasseq.layers.positions import SinusoidalPositions
from kerasseq.layers.pre_norm_block import PreNormBlock
from kerasseq.layers.rms_norm import RMSNorm
from kerasseq.text.subwords import END, PAD
from kerasseq.text.wording import counted


@dataclass(frozen=True)
class TranslationConfig:
    """Sizes of a translator.

    Attributes:
        vocabulary_size: V, number of ids, including `PAD`, `START` and `END`.
        model_size: C, a multiple of num_heads.
        num_heads: H.
        encoder_blocks: number of blocks that read the source.
        decoder_blocks: number of blocks that write the target.
        feed_forward_size: units of each block's feed-forward layer.
        max_length: the most ids of a source, with its `END`, or of a target, with its
            `START`; exported files read and write as many.
        dropout: fraction dropped in training of the embedded ids, and of the outputs of
            each block's layers.

    Raises:
        ValueError: a size is below its least, dropout is not from 0 to below 1, or
            model_size is not a multiple of num_heads.

    Example:
        >>> str(TranslationConfig(1000, decoder_blocks=2)).split(", ")[0]
        '4 encoder blocks and 2 decoder blocks of size 128'
    """

    vocabulary_size: int
    model_size: int = 128
    num_heads: int = 4
    encoder_blocks: int = 4
    decoder_blocks: int = 4
    feed_forward_size: int = 256
    max_length: int = 128
    dropout: float = 0.3

    def __post_init__(self) -> None:
        check_config(self, vocabulary_size=END + 2)
        check_divisible(self.model_size, self.num_heads)

    def __str__(self) -> str:
        return (
            f"{counted(self.encoder_blocks, 'encoder block')} and "
            f"{counted(self.decoder_blocks, 'decoder block')} of size "
            f"{self.model_size:,}, {counted(self.num_heads, 'head')}, at most "
            f"{counted(self.max_length, 'piece')}, dropout {self.dropout:g}"
        )


def build_translation(config: TranslationConfig) -> keras.Model:
    """Build the translator, for any batch and any lengths up to `max_length`.

    Nothing attends to padding, and no target step to later ones: neither padding on the
    right nor the rest of a target changes what was computed before it.

    Returns:
        A functional model from a dict of "source_ids", int32 (B, S), each source ending
        with `END`, and "target_ids", int32 (B, T), each target beginning with `START`,
        both padded with `PAD`; to a dict of "logits", float32 (B, T, V), of the id
        after each target step, and "alignment_0", "alignment_1" and so on, the weights
        of each decoder block's attention to the source, float32 (B, H, T, S).

    Example:
        >>> model = build_translation(TranslationConfig(7, decoder_blocks=1))
        >>> ids = {"source_ids": [[4, 5, 2]], "target_ids": [[1, 6]]}
        >>> outputs = model({name: np.array(each) for name, each in ids.items()})
        >>> {name: tuple(output.shape) for name, output in outputs.items()}
        {'logits': (1, 2, 7), 'alignment_0': (1, 4, 2, 3)}
    """
    inputs = {
        name: keras.Input((None,), dtype="int32", name=name)
        for name in ("source_ids", "target_ids")
    }
    masks = {name: keras.ops.not_equal(ids, PAD) for name, ids in inputs.items()}
    embedding = keras.layers.ReversibleEmbedding(
        config.vocabulary_size,
        config.model_size,
        # After scaling by sqrt(C), a piece's vector is as large as its position's.
        embeddings_initializer=keras.initializers.RandomNormal(
            stddev=config.model_size**-0.5
        ),
        # Scores and losses need float32 logits, whatever the dtype policy.
        reverse_dtype="float32",
        name="embedding",
    )
    positions = SinusoidalPositions(config.max_length, name="positions")
    dropout = keras.layers.Dropout(config.dropout, name="dropout")
    source, target = (dropout(positions(embedding(ids))) for ids in inputs.values())

    def block(name: str) -> PreNormBlock:
        return PreNormBlock(
            config.num_heads, config.feed_forward_size, config.dropout, name=name
        )

    for index in range(config.encoder_blocks):
        source, _ = block(f"encoder_{index}")(source, mask=masks["source_ids"])
    source = RMSNorm(name="encoder_norm")(source)
    alignments = {}
    for index in range(config.decoder_blocks):
        target, alignments[f"alignment_{index}"] = block(f"decoder_{index}")(
            target,
            mask=masks["target_ids"],
            memory=source,
            memory_mask=masks["source_ids"],
        )
    target = RMSNorm(name="decoder_norm")(target)
    logits = embedding(target, reverse=True)
    return keras.Model(inputs, {"logits": logits, **alignments}, name="translation")


def read_translation_config(model: keras.Model) -> TranslationConfig:
    """The sizes of a model from `build_translation`."""
    embedding, block = model.get_layer("embedding"), model.get_layer("encoder_0")
    names = [layer.name for layer in model.layers if isinstance(layer, PreNormBlock)]
    decoder_blocks = sum(name.startswith("decoder_") for name in names)
    return TranslationConfig(
        embedding.input_dim,
        embedding.output_dim,
        block.num_heads,
        len(names) - decoder_blocks,
        decoder_blocks,
        block.feed_forward_size,
        model.get_layer("positions").max_length,
        model.get_layer("dropout").rate,
    )
