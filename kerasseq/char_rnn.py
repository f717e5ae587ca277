"""The character model: Embedding -> GRU, LSTM or SimpleRNN layers -> Dense.

Each recurrent layer after the first adds to what it reads (He et al. 2016, section
3.2), so that every layer has a short way to the logits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import keras
import tensorflow as tf

from kerasseq.generation import GeneratingModule, States, Step
from kerasseq.inference import InferenceStep
from kerasseq.recurrent import FusedRNN
from kerasseq.sampling import Settings
from kerasseq.text import Vocabulary

CELLS = {
    "gru": keras.layers.GRU,
    "lstm": keras.layers.LSTM,
    "simple_rnn": keras.layers.SimpleRNN,
}


@dataclass(frozen=True)
class CharRNNConfig:
    """Sizes of a character model.

    Attributes:
        vocabulary_size: V, how many characters there are.
        cell: the kind of recurrent layer.
        units: H, state size of each recurrent layer.
        num_layers: recurrent layers, each but the first adding to what it reads.
        embedding_size: E, size of a character's vector.
        dropout: fraction of each recurrent layer's outputs dropped in training, the
            same ones at all steps of a batch.
    """

    vocabulary_size: int
    cell: Literal["gru", "lstm", "simple_rnn"] = "gru"
    units: int = 512
    num_layers: int = 1
    embedding_size: int = 64
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("vocabulary_size", "units", "num_layers", "embedding_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if self.cell not in CELLS:
            raise ValueError(f"cell={self.cell!r} is none of {', '.join(CELLS)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} is not from 0 to below 1")


def build_char_rnn(config: CharRNNConfig) -> keras.Model:
    """Build the model that is saved: stateless, for any batch and length.

    Returns:
        A functional model from ids int32 (B, T) to logits float32 (B, T, V): those of
        the character after each position.
    """
    inputs = keras.Input((None,), dtype="int32", name="characters")
    x = keras.layers.Embedding(
        config.vocabulary_size,
        config.embedding_size,
        # As large as a state. Keras's own are within 0.05, and gates that can hardly
        # tell one character from another learn slowly: 0.03 nats on a short training.
        embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0),
        name="embedding",
    )(inputs)
    for index in range(config.num_layers):
        before = x
        x = CELLS[config.cell](
            config.units, return_sequences=True, name=f"{config.cell}_{index}"
        )(x)
        if config.dropout:
            # One mask for all steps (Gal and Ghahramani 2016, section 4): it keeps more
            # than a new one each step, and random numbers are slow to make on a CPU.
            x = keras.layers.Dropout(
                config.dropout, noise_shape=(None, 1, None), name=f"dropout_{index}"
            )(x)
        if index:
            x = keras.layers.Add(name=f"add_{index}")([before, x])
    # Sampling and losses read float32 logits, whatever precision the layers have.
    outputs = keras.layers.Dense(
        config.vocabulary_size, dtype="float32", name="logits"
    )(x)
    return keras.Model(inputs, outputs, name="char_rnn")


def build_stateful_model(
    model: keras.Model,
    batch_size: int,
    length: int,
    reset_rate: float = 0.0,
    seed: int = 0,
) -> keras.Model:
    """A twin that shares the weights of `model` and keeps its state between calls.

    `reset_state` on each of its recurrent layers sets the state back to zeros.

    Args:
        model: from `build_char_rnn`.
        batch_size: B, how many texts are read side by side.
        length: T, characters a call.
        reset_rate: the chance of a text to begin a batch of training without its state.
        seed: of these chances.

    Returns:
        A functional model from ids int32 (B, T) to logits float32 (B, T, V).
    """

    def twin(layer: keras.Layer) -> keras.Layer:
        if not isinstance(layer, keras.layers.RNN):
            return layer
        return FusedRNN(
            layer.cell,
            reset_rate,
            seed,
            return_sequences=True,
            stateful=True,
            name=layer.name,
        )

    inputs = keras.Input(batch_shape=(batch_size, length), dtype="int32")
    return keras.models.clone_model(model, inputs, clone_function=twin)


def build_sampling_model(model: keras.Model) -> keras.Model:
    """The stateful twin for one text and one character a call.

    Returns:
        A functional model from ids int32 (1, 1) to logits float32 (1, 1, V).
    """
    return build_stateful_model(model, batch_size=1, length=1)


def step_function(model: keras.Model) -> Step:
    """The model as the step function that `generation` loops over."""

    def step(token: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        x, remaining, new_states = token, list(states), []
        for layer in model.layers[1:]:
            if isinstance(layer, keras.layers.RNN):
                count, before = len(layer.state_size), x
                x, after = layer.cell(x, remaining[:count])
                new_states += after
                remaining = remaining[count:]
            elif isinstance(layer, keras.layers.Add):
                x = layer([before, x])
            else:
                x = layer(x)
        return x, new_states

    return step


def state_shapes(model: keras.Model) -> list[tuple[int, ...]]:
    """The shape of each state of the step function, batch 1."""
    recurrent = [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]
    return [(1, size) for layer in recurrent for size in layer.state_size]


def build_generating_module(
    model: keras.Model, vocabulary: Vocabulary, *, frozen: bool = False
) -> GeneratingModule:
    """The model with the signatures that are exported.

    Args:
        model: from `build_char_rnn`.
        vocabulary: its characters.
        frozen: copy the weights and lay them out for speed, as the exported files have
            them; otherwise Keras's own layers run, with the weights as they are then.

    Raises:
        ValueError: the vocabulary does not fit the weights, or a layer that is to be
            frozen is not one of `build_char_rnn`'s.
    """
    vocabulary_size = model.output_shape[-1]
    if len(vocabulary) != vocabulary_size:
        raise ValueError(
            f"the vocabulary has {len(vocabulary)} characters but the model's logits "
            f"{vocabulary_size}; use the vocabulary.json written beside the model"
        )
    step = InferenceStep(model) if frozen else step_function(model)
    weights = [] if frozen else [variable.value for variable in model.variables]
    return GeneratingModule(
        step,
        weights,
        state_shapes(model),
        vocabulary.code_points.tolist(),
    )


def generate(
    module: GeneratingModule,
    prompt: str,
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    seed: int = 0,
    stop: Sequence[str] = (),
) -> str:
    """Write text that goes on from a prompt.

    Args:
        module: from `build_generating_module`, or an exported SavedModel as
            `tf.saved_model.load` gives it.
        prompt: any text; characters the model does not know are left out.
        length: characters to write.
        temperature, top_k, top_p, min_p: see `Settings`.
        seed: from 0 to 2**31 - 1; the same seed gives the same text everywhere.
        stop: texts before the first of which the text ends.

    Returns:
        What was written, without the prompt.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> vocabulary = Vocabulary.from_text("abc")
        >>> model = build_char_rnn(CharRNNConfig(vocabulary_size=3, units=4))
        >>> module = build_generating_module(model, vocabulary)
        >>> len(generate(module, "a", 5, seed=1))
        5
    """
    settings = Settings(temperature, top_k, top_p, min_p).check()
    if not 0 <= length < 2**31:
        raise ValueError(f"length={length} is not a count of characters from 0 up")
    if not 0 <= seed < 2**31:
        raise ValueError(f"seed={seed} is not within 0 to 2**31 - 1")
    written = module.generate(
        prompt=tf.constant([prompt.encode("utf-8", "ignore")]),
        length=tf.constant(length),
        temperature=tf.constant(settings.temperature, tf.float32),
        top_k=tf.constant(settings.top_k),
        top_p=tf.constant(settings.top_p, tf.float32),
        min_p=tf.constant(settings.min_p, tf.float32),
        seed=tf.constant(seed),
    )
    text = written["text"][0].numpy().decode()
    found = [text.index(ending) for ending in stop if ending in text]
    return text[: min(found, default=len(text))]
