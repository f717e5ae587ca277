"""The character model: Embedding -> GRU, LSTM or SimpleRNN layers -> Dense.

Each recurrent layer after the first adds its output to its input (He et al. 2016,
section 3.2), so that every layer has a short path to the logits.
"""

from dataclasses import dataclass

import keras

from kerasseq.layers.checks import check_config
from kerasseq.text.wording import counted

CELLS = {
    "gru": keras.layers.GRU,
    "lstm": keras.layers.LSTM,
    "simple_rnn": keras.layers.SimpleRNN,
}


@dataclass(frozen=True)
class CharRNNConfig:
    """Sizes of a character model.

    Attributes:
        vocabulary_size: V, number of characters.
        cell: the kind of recurrent layer, a key of `CELLS`.
        units: H, state size of each recurrent layer.
        num_layers: number of recurrent layers.
        embedding_size: E, size of a character's vector.
        dropout: fraction of each recurrent layer's outputs dropped in training, the
            same elements at all steps of a batch.

    Example:
        >>> print(CharRNNConfig(vocabulary_size=65, cell="lstm", num_layers=2))
        2 LSTM layers of 512 units, dropout 0
    """

    vocabulary_size: int
    cell: str = "gru"
    units: int = 512
    num_layers: int = 1
    embedding_size: int = 64
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_config(self)
        if self.cell not in CELLS:
            raise ValueError(f"cell={self.cell!r} is none of {', '.join(CELLS)}")

    def __str__(self) -> str:
        layers = counted(self.num_layers, f"{CELLS[self.cell].__name__} layer")
        return f"{layers} of {self.units:,} units, dropout {self.dropout:g}"


def build_char_rnn(config: CharRNNConfig) -> keras.Model:
    """Build the model that is saved: stateless, for any batch and length.

    Returns:
        A functional model from ids int32 (B, T) to logits float32 (B, T, V) of the
        character after each position.

    Example:
        >>> model = build_char_rnn(CharRNNConfig(vocabulary_size=7, units=5))
        >>> model(np.array([[3, 1, 4]])).shape
        TensorShape([1, 3, 7])
    """
    inputs = keras.Input((None,), dtype="int32", name="characters")
    x = keras.layers.Embedding(
        config.vocabulary_size,
        config.embedding_size,
        # As large as a state. Keras's default is within 0.05: characters then hardly
        # differ for the gates, which learn slowly, at 0.03 nats on a short training.
        embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0),
        name="embedding",
    )(inputs)
    for index in range(config.num_layers):
        before = x
        x = CELLS[config.cell](
            config.units, return_sequences=True, name=f"{config.cell}_{index}"
        )(x)
        if config.dropout:
            # One mask for all steps (Gal and Ghahramani 2016, section 4): it loses less
            # than a new one at each step, and CPUs draw random numbers slowly.
            x = keras.layers.Dropout(
                config.dropout, noise_shape=(None, 1, None), name=f"dropout_{index}"
            )(x)
        if index:
            x = keras.layers.Add(name=f"add_{index}")([before, x])
    # Sampling and losses need float32 logits, whatever the dtype policy.
    outputs = keras.layers.Dense(
        config.vocabulary_size, dtype="float32", name="logits"
    )(x)
    return keras.Model(inputs, outputs, name="char_rnn")


def read_char_rnn_config(model: keras.Model, dropout: float) -> CharRNNConfig:
    """The sizes of a model from `build_char_rnn`, with another dropout."""
    embedding = model.get_layer("embedding")
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]
    cell = next(name for name, kind in CELLS.items() if isinstance(layers[0], kind))
    return CharRNNConfig(
        embedding.input_dim,
        cell,
        layers[0].units,
        len(layers),
        embedding.output_dim,
        dropout,
    )
