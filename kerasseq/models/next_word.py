"""The next-word model: Embedding -> GRU layers -> Dense -> the embedding in reverse.

One matrix embeds the words and computes their logits (Press and Wolf 2017, "Using the
output embedding to improve language models").
Shapes: B texts, T words, V vocabulary, E embedding size.
"""

from dataclasses import dataclass

import keras
import numpy as np

from kerasseq.layers.checks import check_config
from kerasseq.layers.recurrent import GRU
from kerasseq.layers.tied_embedding import TiedEmbedding
from kerasseq.text.wording import counted


@dataclass(frozen=True)
class NextWordConfig:
    """Sizes of a next-word model.

    Attributes:
        vocabulary_size: V, number of words.
        units: H, state size of each GRU layer.
        num_layers: number of GRU layers; each after the first adds its output to its
            input.
        embedding_size: E, size of a word's vector. The E * V weights are most of the
            model, and take most of the training time.
        dropout: fraction of each layer's outputs dropped in training, and half that
            fraction of the words' vectors: the same elements at all steps of a batch
            (Gal and Ghahramani 2016, section 4).

    Example:
        >>> print(NextWordConfig(vocabulary_size=5000, units=256))
        1 GRU layer of 256 units, word vectors of size 128, dropout 0.4
    """

    vocabulary_size: int
    units: int = 512
    num_layers: int = 1
    embedding_size: int = 128
    dropout: float = 0.4

    def __post_init__(self) -> None:
        check_config(self)

    def __str__(self) -> str:
        return (
            f"{counted(self.num_layers, 'GRU layer')} of {self.units:,} units, word "
            f"vectors of size {self.embedding_size:,}, dropout {self.dropout:g}"
        )


def build_next_word_model(
    config: NextWordConfig, counts: np.ndarray | None = None
) -> keras.Model:
    """Build the model that is saved: stateless, for any batch and length.

    Args:
        config: the sizes.
        counts: int (V,), how often each word is in the training text. The biases then
            start at the words' frequencies, which otherwise take a pass to learn.

    Returns:
        A functional model from ids int32 (B, T) to logits float32 (B, T, V) of the
        word after each position.

    Example:
        >>> config = NextWordConfig(vocabulary_size=7, units=5, embedding_size=3)
        >>> build_next_word_model(config)(np.array([[3, 1, 4]])).shape
        TensorShape([1, 3, 7])
    """
    inputs = keras.Input((None,), dtype="int32", name="words")
    embedding = TiedEmbedding(
        config.vocabulary_size,
        config.embedding_size,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=0.1),
        reverse_dtype="float32",
        name="embedding",
    )
    x = _dropout(config.dropout / 2, "words_dropped")(embedding(inputs))
    for index in range(config.num_layers):
        before = x
        x = GRU(config.units, return_sequences=True, name=f"gru_{index}")(x)
        x = _dropout(config.dropout, f"dropout_{index}")(x)
        if index:
            x = keras.layers.Add(name=f"add_{index}")([before, x])
    x = keras.layers.Dense(config.embedding_size, name="projection")(x)
    model = keras.Model(inputs, embedding(x, reverse=True), name="next_word")
    if counts is not None:
        smoothed = np.maximum(counts, 0.5)
        embedding.bias.assign(np.log(smoothed / smoothed.sum()))
    return model


def _dropout(rate: float, name: str) -> keras.Layer:
    return keras.layers.Dropout(rate, noise_shape=(None, 1, None), name=name)


def read_next_word_config(model: keras.Model, dropout: float) -> NextWordConfig:
    """The sizes of a model from `build_next_word_model`, with another dropout."""
    embedding = model.get_layer("embedding")
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]
    return NextWordConfig(
        embedding.input_dim,
        layers[0].units,
        len(layers),
        embedding.output_dim,
        dropout,
    )
