"""The state of a model in training as arrays by name, for a checkpoint."""

import math
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from kerasseq.training.workers import workers

# The least and largest value of an optimizer's variables, by the last word of the name.
RANGES = {"iteration": (0, 2**53), "factor": (0, 1), "velocity": (0, math.inf)}


def carrying_layers(model: keras.Model) -> list[keras.Layer]:
    """The layers of a stateful model that keep a state between batches."""
    return [layer for layer in model.layers if getattr(layer, "stateful", False)]


def carried_states(model: keras.Model) -> list[keras.Variable]:
    """The states, (B, ...), which Keras does not count among a model's variables."""
    return [
        state
        for layer in carrying_layers(model)
        for state in keras.tree.flatten(layer.states)
    ]


def read_variables(model: keras.Model) -> dict[str, np.ndarray]:
    """Weights, dropout seeds, carried states and the optimizer's variables.

    The states have the rows of all workers, which all call this at the same point.
    """
    states = {id(state) for state in carried_states(model)}
    found = {}
    for index, variable in enumerate(_variables(model)):
        # A copy, since training may overwrite the memory of the values.
        value = np.array(variable.value.numpy())
        if id(variable) in states:
            value = workers().all_rows(value)
        found[f"variable_{index}"] = value
    return found


def assign_variables(
    model: keras.Model, arrays: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Give a model what `read_variables` read of it; return the other arrays."""
    others = dict(arrays)
    states = {id(state) for state in carried_states(model)}
    for index, variable in enumerate(_variables(model)):
        value = others.pop(f"variable_{index}")
        if id(variable) in states:
            value = workers().own_rows(value)
        variable.assign(value)
    return others


def check_variables(
    model: keras.Model, arrays: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Check a model's arrays before `assign_variables`; return the other arrays.

    Raises:
        ValueError: one is missing, does not fit its variable, or has a value that is
            not finite or cannot be.
    """
    others, live = dict(arrays), read_variables(model)
    for variable, (name, array) in zip(_variables(model), live.items(), strict=True):
        found = others.pop(name, np.zeros(()))
        if not same_arrays([array], [found]):
            raise ValueError(
                f"its {name}, {found.dtype} {found.shape}, does not fit "
                f"{variable.path}, finite {array.dtype} {array.shape}"
            )
        low, high = RANGES.get(variable.name.split("_")[-1], (-math.inf, math.inf))
        if not np.all((low <= found) & (found <= high)):
            raise ValueError(
                f"its {name} has values from {found.min()} to {found.max()}, and those "
                f"of {variable.path} are from {low} to {high}"
            )
    return others


def same_arrays(live: Sequence[np.ndarray], saved: Sequence[np.ndarray]) -> bool:
    """Whether arrays have the same shapes and dtypes, and finite values."""
    return len(live) == len(saved) and all(
        one.shape == other.shape
        and one.dtype == other.dtype
        and bool(np.isfinite(other).all())
        for one, other in zip(live, saved, strict=True)
    )


def _variables(model: keras.Model) -> list[keras.Variable]:
    metrics = {id(variable) for variable in model.metrics_variables}
    found = [*model.variables, *carried_states(model), *model.optimizer.variables]
    distinct = {id(variable): variable for variable in found}
    return [value for key, value in distinct.items() if key not in metrics]
