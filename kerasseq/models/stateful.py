"""Twins of a model that carry their state from call to call."""

import keras

from kerasseq.layers.blocks import DecoderBlock
from kerasseq.layers.carrying import CarryingBlock
from kerasseq.layers.recurrent import FusedRNN


def build_stateful_model(
    model: keras.Model,
    batch_size: int,
    length: int,
    reset_rate: float = 0.0,
    seed: int = 0,
) -> keras.Model:
    """A twin that shares the weights of `model` and keeps its state between calls.

    `reset_state` on each of its stateful layers sets the state back to zeros.

    Args:
        model: from `build_char_rnn` or `build_char_transformer`.
        batch_size: B, how many texts are read side by side.
        length: T, characters a call.
        reset_rate: the chance of a text to begin a batch of training without its state.
        seed: of these chances.

    Returns:
        A functional model from ids int32 (B, T) to logits float32 (B, T, V).
    """

    def twin(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, DecoderBlock):
            return CarryingBlock(layer, reset_rate, seed, name=layer.name)
        if isinstance(layer, keras.layers.RNN):
            return FusedRNN(
                layer.cell,
                reset_rate,
                seed,
                return_sequences=True,
                stateful=True,
                name=layer.name,
            )
        return layer

    inputs = keras.Input(batch_shape=(batch_size, length), dtype="int32")
    return keras.models.clone_model(model, inputs, clone_function=twin)


def build_sampling_model(model: keras.Model) -> keras.Model:
    """The stateful twin for one text and one character a call.

    Returns:
        A functional model from ids int32 (1, 1) to logits float32 (1, 1, V).
    """
    return build_stateful_model(model, batch_size=1, length=1)
