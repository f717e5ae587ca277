"""The next-word model on ids, one word at a time, as `.tflite` files have it.

Shapes: V vocabulary, R rare words, M own words.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasseq.models.word_cache import REMEMBERED
from kerasseq.signatures.cache_step import CacheStep
from kerasseq.signatures.generation import Step
from kerasseq.signatures.ranges import held
from kerasseq.signatures.recurrent_step import InferenceStep
from kerasseq.signatures.states import (
    States,
    named_states,
    state_specs,
    states_in_order,
)
from kerasseq.text.keyboard import OWN_WORDS
from kerasseq.text.words import UNKNOWN


class NextWordOnIds(tf.Module):
    """A next-word model's signature on ids: the one of a `.tflite` file.

    It holds a copy of the weights, in a layout for one word at a time; later training
    does not matter.

    Args:
        model: from `build_next_word_model`.
        num_rare: R, how many words of the vocabulary the model knows together.
    """

    def __init__(self, model: keras.Model, num_rare: int = 0) -> None:
        super().__init__()
        self._num_known, self._num_rare = model.output_shape[-1], num_rare
        self.vocabulary_size = self._num_known + num_rare
        self._network = InferenceStep(model)
        self._cache = CacheStep(self.vocabulary_size)
        self.state_shapes = [*self._network.state_shapes, (1, REMEMBERED)]

    def device_signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The signature `step`."""
        return self._signatures(self.step)

    def exact_signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """That of int8 files, with the same products on all processors."""

        @tf.function
        def step(token: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
            return self._answer(token, states, self._network.exact)

        return self._signatures(step)

    def _signatures(
        self, step: Any
    ) -> dict[str, tf.types.experimental.ConcreteFunction]:
        states = state_specs(self.state_shapes)
        token = tf.TensorSpec((1,), tf.int32)
        return {"step": step.get_concrete_function(token=token, **states)}

    @tf.function
    def step(self, token: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        """Logits after one more word, and the states for the next call."""
        return self._answer(token, states, self._network)

    def _answer(
        self, token: tf.Tensor, states: dict[str, tf.Tensor], network: Step
    ) -> dict[str, tf.Tensor]:
        token = held(token, 0, self.vocabulary_size + OWN_WORDS - 1)
        logits, new_states = self._read(token, states_in_order(states), network)
        return {"logits": logits, **named_states(new_states)}

    def read_word(self, token: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        """Logits (1, V + M) after one more word int32 (1,), and the new states."""
        return self._read(token, states, self._network)

    def _read(
        self, token: tf.Tensor, states: States, network: Step
    ) -> tuple[tf.Tensor, States]:
        *states, recent = states
        known = tf.where(token < self._num_known, token, UNKNOWN)
        logits, states = network(known, states)
        logits = self._with_rare_words(logits)
        logits, recent = self._cache(logits, token, recent)
        return logits, [*states, recent]

    def _with_rare_words(self, logits: tf.Tensor) -> tf.Tensor:
        """`kerasseq.models.rare_words.with_rare_words`, (1, V - R) to (1, V)."""
        if not self._num_rare:
            return logits
        each = logits[:, UNKNOWN : UNKNOWN + 1] - np.log1p(self._num_rare)
        rare = tf.fill([1, self._num_rare], each[0, 0])
        before, others = logits[:, :UNKNOWN], logits[:, UNKNOWN + 1 :]
        return tf.concat([before, each, others, rare], 1)
