"""The next word, as a phone's keyboard suggests it.

Embedding -> GRU layers -> Dense -> the embedding in reverse: one matrix says what a
word means where it is read and where it is suggested (Press and Wolf 2017, "Using the
output embedding to improve language models").

Shapes: B texts, T words, V vocabulary, E embedding size.
"""

from dataclasses import dataclass

import keras
import numpy as np

from kerasseq.layers.checks import check_config
from kerasseq.layers.recurrent import GRU
from kerasseq.layers.tied_embedding import TiedEmbedding


@dataclass(frozen=True)
class NextWordConfig:
    """Sizes of a next-word model.

    Attributes:
        vocabulary_size: V, how many words there are.
        units: H, state size of each GRU layer.
        num_layers: GRU layers, each but the first adding to what it reads.
        embedding_size: E, size of a word's vector; E times V are most of the weights,
            and of the time that training takes.
        dropout: fraction dropped in training of each layer's outputs, and half of it of
            the words' vectors: the same ones at all steps of a batch (Gal and
            Ghahramani 2016, section 4).
    """

    vocabulary_size: int
    units: int = 512
    num_layers: int = 1
    embedding_size: int = 128
    dropout: float = 0.4

    def __post_init__(self) -> None:
        check_config(self)


def build_next_word_model(
    config: NextWordConfig, counts: np.ndarray | None = None
) -> keras.Model:
    """Build the model that is saved: stateless, for any batch and length.

    Args:
        config: the sizes.
        counts: int (V,), how often each word is in the text to train on: the model then
            begins by knowing the frequencies, which else take it a reading to learn.

    Returns:
        A functional model from ids int32 (B, T) to logits float32 (B, T, V): those of
        the word after each position.
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
        likely = np.maximum(counts, 0.5)
        embedding.bias.assign(np.log(likely / likely.sum()))
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
