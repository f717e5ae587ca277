"""Stateful twins of a model, which keep their state between calls."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import keras
import numpy as np

from kerasseq.layers.attention import Tensor
from kerasseq.layers.recurrent import FastLoop, FusedRNN

STEPS_AT_ONCE = 256


class StatefulLayer(Protocol):
    """The interface of a layer with a state, all in which such layers differ."""

    def state_shapes(self, batch_size: int) -> Sequence[tuple[int, ...]]:
        """The shapes of the states; they are zeros at the start."""

    def step(self, x: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Read one step (B, C); return the output (B, C) and the new states."""

    def stateful_twin(self, reset_rate: float, seed: int) -> keras.layers.Layer:
        """A twin that shares the weights and keeps its state between calls."""

    def describe(self, count: int) -> dict[str, Any]:
        """The sizes of `count` such layers, as a card states them."""


def stateful_layer(layer: keras.layers.Layer) -> StatefulLayer | None:
    """The layer if it has a state, else None.

    Saved models hold Keras's own recurrent layers, which load without this package. For
    those, it is a `FusedRNN` around the same cell.
    """
    if isinstance(layer, keras.layers.RNN) and not isinstance(layer, FastLoop):
        return FusedRNN(
            layer.cell,
            return_sequences=True,
            name=layer.name,
            dtype=layer.dtype_policy,
        )
    return layer if hasattr(layer, "stateful_twin") else None


def stateful_layers(model: keras.Model) -> list[StatefulLayer]:
    """The layers of a model with a state, in order."""
    return [found for layer in model.layers if (found := stateful_layer(layer))]


def describe_sizes(model: keras.Model) -> dict[str, Any]:
    """The sizes of a model, as its card states them."""
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

    `reset_state` of each of its stateful layers sets the state to zeros again.

    Args:
        model: from `build_char_rnn`, `build_char_transformer` or
            `build_next_word_model`.
        batch_size: B, number of texts that are read in parallel.
        length: T, tokens in each call.
        reset_rate: probability that a text starts a training batch without its state.
        seed: of these choices.

    Returns:
        A functional model from ids int32 (B, T) to logits float32 (B, T, V).

    Example:
        >>> model = build_char_rnn(CharRNNConfig(vocabulary_size=7, units=5))
        >>> whole = model(np.array([[3, 1, 4, 1]]))
        >>> twin = build_stateful_model(model, batch_size=1, length=2)
        >>> halves = [twin(np.array([ids])) for ids in ([3, 1], [4, 1])]
        >>> np.allclose(np.concatenate(halves, axis=1), whole, atol=1e-6)
        True
    """

    def twin(layer: keras.Layer) -> keras.Layer:
        found = stateful_layer(layer)
        return found.stateful_twin(reset_rate, seed) if found else layer

    inputs = keras.Input(batch_shape=(batch_size, length), dtype="int32")
    return keras.models.clone_model(model, inputs, clone_function=twin)


def logits_along(model: keras.Model, ids: np.ndarray) -> Iterator[np.ndarray]:
    """The logits at each step of one text; the state is carried along.

    Args:
        model: as for `build_stateful_model`.
        ids: int (N,).

    Yields:
        float32 (n, V), the logits of the next n steps.
    """
    reader = build_stateful_model(model, batch_size=1, length=STEPS_AT_ONCE)
    for start in range(0, len(ids), STEPS_AT_ONCE):
        some = np.asarray(ids[start : start + STEPS_AT_ONCE], np.int32)
        # The padding follows the text, so it does not change the text's logits.
        padded = np.pad(some, (0, STEPS_AT_ONCE - len(some)))
        yield reader.predict_on_batch(padded[None])[0][: len(some)]
