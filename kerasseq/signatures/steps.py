"""A model as the step function that `generation` loops over.

In Python, Keras's own layers run; an exported file holds a copy of the weights, in a
layout for one token at a time.
"""

from typing import TypeAlias

import keras
import tensorflow as tf

from kerasseq.layers.decoder_block import DecoderBlock
from kerasseq.layers.recurrent import FastLoop
from kerasseq.models.stateful import stateful_layer, stateful_layers
from kerasseq.signatures.decoder_step import DecoderStep
from kerasseq.signatures.generation import Step
from kerasseq.signatures.recurrent_step import InferenceStep
from kerasseq.signatures.states import States

# The step of an exported file, for each kind of stateful layer.
FrozenStep: TypeAlias = InferenceStep | DecoderStep
FROZEN_STEPS: dict[type, type[FrozenStep]] = {
    FastLoop: InferenceStep,
    DecoderBlock: DecoderStep,
}


def step_function(model: keras.Model) -> Step:
    """The model as the step function that `generation` loops over.

    The states are float32, whatever the layers compute in.
    """
    embedding, *layers = model.layers[1:]
    steps = [(layer, stateful_layer(layer)) for layer in layers]

    def step(token: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        x = before = embedding(token)
        remaining = list(states)
        new_states: States = []
        for layer, stateful in steps:
            if stateful is None:
                x = layer([before, x] if isinstance(layer, keras.layers.Add) else x)
                continue
            count, before = len(stateful.state_shapes(1)), x
            x, after = stateful.step(x, remaining[:count])
            new_states += [tf.cast(state, tf.float32) for state in after]
            remaining = remaining[count:]
        if isinstance(embedding, keras.layers.ReversibleEmbedding):
            x = embedding(x, reverse=True)
        return x, new_states

    return step


def frozen_kind(model: keras.Model) -> type[FrozenStep]:
    """The class of the step function of an exported file."""
    first, *_ = stateful_layers(model)
    (step,) = (step for kind, step in FROZEN_STEPS.items() if isinstance(first, kind))
    return step


def state_shapes(model: keras.Model) -> list[tuple[int, ...]]:
    """The shape of each state of the step function, batch 1."""
    return [
        shape for layer in stateful_layers(model) for shape in layer.state_shapes(1)
    ]
