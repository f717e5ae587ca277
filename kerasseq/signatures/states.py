"""The states of a step, in order and by name."""

from typing import TypeAlias

import tensorflow as tf

States: TypeAlias = list[tf.Tensor]


def states_in_order(states: dict[str, tf.Tensor]) -> States:
    """The states of a signature, `state_0` and so on, as a step takes them."""
    return [states[f"state_{index}"] for index in range(len(states))]


def named_states(states: States) -> dict[str, tf.Tensor]:
    """The states of a step by the names that a signature gives them."""
    return {f"state_{index}": state for index, state in enumerate(states)}
