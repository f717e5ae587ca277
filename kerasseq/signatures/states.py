"""The states of a step: zeros, specs, order and names."""

from collections.abc import Sequence
from typing import TypeAlias

import tensorflow as tf

States: TypeAlias = list[tf.Tensor]
Shapes: TypeAlias = Sequence[tuple[int, ...]]


def zero_states(shapes: Shapes) -> States:
    """The states of a step at the start of a text, float32."""
    return [tf.zeros(shape) for shape in shapes]


def state_specs(shapes: Shapes) -> dict[str, tf.TensorSpec]:
    """The specs of states by their names in a signature."""
    return named_states([tf.TensorSpec(shape, tf.float32) for shape in shapes])


def states_in_order(states: dict[str, tf.Tensor]) -> States:
    """The states of a signature, `state_0` and so on, as a list for a step."""
    return [states[f"state_{index}"] for index in range(len(states))]


def named_states(states: Sequence) -> dict:
    """The states of a step by their names in a signature."""
    return {f"state_{index}": state for index, state in enumerate(states)}
