"""Twins of a model that carry their state from call to call."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import keras
import numpy as np

from kerasseq.layers.attention import Tensor
from kerasseq.layers.recurrent import FastLoop, FusedRNN

STEPS_AT_ONCE = 256


class StatefulLayer(Protocol):
    """What a layer that carries a state answers for; all else is the same for all."""

    def state_shapes(self, batch_size: int) -> Sequence[tuple[int, ...]]:
        """The shapes of the states; they are zeros at the start."""

    def step(self, x: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Read one more step (B, C): the output (B, C) and the states after it."""

    def carrying(self, reset_rate: float, seed: int) -> keras.layers.Layer:
        """A twin that shares the weights and keeps its state between calls."""

    def describe(self, count: int) -> dict[str, Any]:
        """The sizes of so many such layers, as a card has them."""


def stateful_layer(layer: keras.layers.Layer) -> StatefulLayer | None:
    """The layer if it carries a state, else None.

    Saved models hold Keras's own recurrent layers, which need nothing of ours to load:
    for those it is a layer of ours around the same cell.
    """
    if isinstance(layer, keras.layers.RNN) and not isinstance(layer, FastLoop):
        return FusedRNN(
            layer.cell,
            return_sequences=True,
            name=layer.name,
            dtype=layer.dtype_policy,
        )
    return layer if hasattr(layer, "carrying") else None


def stateful_layers(model: keras.Model) -> list[StatefulLayer]:
    """The layers of a model that carry a state, in order."""
    return [found for layer in model.layers if (found := stateful_layer(layer))]


def describe_sizes(model: keras.Model) -> dict[str, Any]:
    """What a card says of a model's sizes."""
    layers = stateful_layers(model)
    return layers[0].describe(len(layers))


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
        model: from `build_char_rnn`, `build_char_transformer` or
            `build_next_word_model`.
        batch_size: B, how many texts are read side by side.
        length: T, tokens a call.
        reset_rate: the chance that a text starts a training batch without its state.
        seed: of these chances.

    Returns:
        A functional model from ids int32 (B, T) to logits float32 (B, T, V).
    """

    def twin(layer: keras.Layer) -> keras.Layer:
        found = stateful_layer(layer)
        return found.carrying(reset_rate, seed) if found else layer

    inputs = keras.Input(batch_shape=(batch_size, length), dtype="int32")
    return keras.models.clone_model(model, inputs, clone_function=twin)


def build_sampling_model(model: keras.Model) -> keras.Model:
    """The stateful twin for one text and one token a call.

    Returns:
        A functional model from ids int32 (1, 1) to logits float32 (1, 1, V).
    """
    return build_stateful_model(model, batch_size=1, length=1)


def logits_along(model: keras.Model, ids: np.ndarray) -> Iterator[np.ndarray]:
    """The logits at each step of one text, the state carried through all of it.

    Args:
        model: as for `build_stateful_model`.
        ids: int (N,).

    Yields:
        float32 (n, V), some steps at a time, in their order.
    """
    reader = build_stateful_model(model, batch_size=1, length=STEPS_AT_ONCE)
    for start in range(0, len(ids), STEPS_AT_ONCE):
        some = np.asarray(ids[start : start + STEPS_AT_ONCE], np.int32)
        # The padding comes after the text and changes nothing in it.
        padded = np.pad(some, (0, STEPS_AT_ONCE - len(some)))
        yield reader.predict_on_batch(padded[None])[0][: len(some)]
