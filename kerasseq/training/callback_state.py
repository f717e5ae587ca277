"""The state of callbacks in a checkpoint: only what each of them declares."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kerasseq.files.reading import parse_json, shortened
from kerasseq.training.model_state import same_arrays

# What Keras's callbacks change while they train. Their other attributes are settings.
KERAS: dict[type[keras.callbacks.Callback], tuple[str, ...]] = {
    keras.callbacks.EarlyStopping: (
        *("wait", "stopped_epoch", "best", "best_epoch", "best_weights"),
    ),
    keras.callbacks.ReduceLROnPlateau: ("wait", "cooldown_counter", "best"),
    keras.callbacks.ModelCheckpoint: ("best",),
}
LARGEST = 2**53
FORM = r"callback_([0-9]{1,4})/(?:plain|([^/]+)/([0-9]{1,6}))"


def read_state(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """What a checkpoint keeps of a callback, by name.

    A callback with the methods `get_state` and `set_state` decides itself: its state
    is a dictionary of JSON values and lists of arrays, and `set_state` raises
    ValueError for one that it cannot take, such as an empty one. The state of Keras's
    callbacks is in `KERAS`. That of others is their public attributes that are None,
    numbers or lists of arrays; texts are not kept, since one can be the path of a file
    that the callback writes.
    """
    if _decides_itself(callback):
        return dict(callback.get_state())
    state = {}
    for name, value in _attributes(callback).items():
        if isinstance(value, np.generic | np.ndarray) and value.ndim == 0:
            value = value.item()
        if _kind(value):
            state[name] = value
    return state


def state_to_keep(
    callback: keras.callbacks.Callback, at_start: Mapping[str, Any]
) -> dict[str, Any]:
    """A callback's state, without what one that has just begun cannot be given.

    Args:
        callback: in training.
        at_start: its state when its training began.
    """
    state = read_state(callback)
    if _decides_itself(callback):
        return state
    return {
        name: value
        for name, value in state.items()
        if name in at_start and _fits(at_start[name], value)
    }


def to_arrays(states: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """The states of all callbacks as arrays by name; other values are JSON.

    Raises:
        ValueError: `from_arrays` could not read one of them again.
    """
    arrays = {}
    for index, state in enumerate(states):
        lists = {name: each for name, each in state.items() if _kind(each) == "arrays"}
        for name, values in lists.items():
            for number, array in enumerate(values):
                arrays[f"callback_{index}/{name}/{number}"] = array
        if state:
            plain = {name: each for name, each in state.items() if name not in lists}
            try:
                text = json.dumps(plain)
            except (TypeError, ValueError, RecursionError) as error:
                raise _not_kept(error) from None
            arrays[f"callback_{index}/plain"] = np.array(text)
    try:
        from_arrays(arrays, len(states))
    except ValueError as error:
        raise _not_kept(error) from None
    return arrays


def _not_kept(error: Exception) -> ValueError:
    return ValueError(
        f"the state of a callback cannot be kept in a checkpoint ({error}); let its "
        "get_state return JSON values, and lists of arrays under names without /"
    )


def from_arrays(arrays: Mapping[str, np.ndarray], count: int) -> list[dict[str, Any]]:
    """The states of `count` callbacks from what `to_arrays` made of them.

    Raises:
        ValueError: an array is not of that form, or of a callback that is not there.
    """
    states: list[dict[str, Any]] = [{} for _ in range(count)]
    lists: dict[tuple[int, str], dict[int, np.ndarray]] = {}
    for key, array in arrays.items():
        form = re.fullmatch(FORM, key)
        if not form or int(form[1]) >= count:
            raise ValueError(
                f"it holds {shortened(key)}, which this run with its {count} "
                "callbacks has not"
            )
        if form[2] is not None:
            lists.setdefault((int(form[1]), form[2]), {})[int(form[3])] = array
            continue
        plain = from_json(array)
        if not isinstance(plain, dict):
            raise ValueError(f"its {key} is not an object by name")
        states[int(form[1])] |= plain
    for (index, name), numbered in lists.items():
        if sorted(numbered) != list(range(len(numbered))) or name in states[index]:
            raise ValueError(f"its list {shortened(name)} of arrays has gaps")
        states[index][name] = [numbered[number] for number in range(len(numbered))]
    return states


def from_json(array: np.ndarray) -> Any:
    """The value of a JSON text in an array without axes.

    Raises:
        ValueError: the array holds none.
    """
    if array.dtype.kind != "U" or array.shape:
        raise ValueError("an array of numbers is not JSON")
    return parse_json(str(array).encode())


def restore(
    callbacks: Sequence[keras.callbacks.Callback],
    states: Sequence[Mapping[str, Any]],
    model: keras.Model,
) -> None:
    """Give callbacks their states, after all of them have been checked.

    Args:
        callbacks: when their training has begun.
        states: as many.
        model: in training.

    Raises:
        ValueError: a state names or holds what its callback does not have.
    """
    for callback, state in zip(callbacks, states, strict=True):
        if not _decides_itself(callback):
            _check(callback, state, model)
    for callback, state in zip(callbacks, states, strict=True):
        if not _decides_itself(callback):
            vars(callback).update(state)
            continue
        try:
            callback.set_state(state)
        except Exception as error:  # from a forged state, a user's method raises any
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            reason = " ".join(f"{kind}{error}".split())
            raise ValueError(
                f"{_name(callback)} refuses its state ({reason})"
            ) from None


def _check(
    callback: keras.callbacks.Callback, state: Mapping[str, Any], model: keras.Model
) -> None:
    live = read_state(callback)
    for name, value in state.items():
        fits = name in live and _fits(live[name], value)
        if fits and name in _keras_names(callback):
            if name == "best_weights":
                fits = value is None or same_arrays(model.get_weights(), value)
            elif name != "best":
                fits = isinstance(value, int) and value >= 0
        if not fits:
            what = " ".join(shortened(value).split())  # arrays take several lines
            raise ValueError(
                f"{shortened(name)}, {what}, does not fit {_name(callback)}"
            )


def _decides_itself(callback: Any) -> bool:
    return hasattr(callback, "get_state") and hasattr(callback, "set_state")


def _name(callback: keras.callbacks.Callback) -> str:
    return f"the callback {type(callback).__name__}"


def _keras_names(callback: keras.callbacks.Callback) -> tuple[str, ...]:
    for kind, names in KERAS.items():
        if isinstance(callback, kind):
            return names
    return ()


def _attributes(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """The attributes of a callback that can be its state."""
    if _is_keras(type(callback)):
        names = _keras_names(callback)
        return {name: value for name, value in vars(callback).items() if name in names}
    attributes: dict[str, Any] = {}
    for kind in reversed(type(callback).__mro__):  # a class may hold the first values
        attributes |= {} if _is_keras(kind) else vars(kind)
    attributes |= vars(callback)
    return {name: attributes[name] for name in attributes if not name.startswith("_")}


def _is_keras(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "keras"


def _kind(value: Any) -> str:
    """What sort of value this is; empty for what is not kept."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, float) or (isinstance(value, int) and abs(value) <= LARGEST):
        return "number"
    if isinstance(value, list) and value and all(map(_is_numbers, value)):
        return "arrays"
    return ""


def _is_numbers(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "biuf"


def _fits(live: Any, saved: Any) -> bool:
    """Whether a callback that has the first value may be given the second."""
    kinds = {_kind(live), _kind(saved)} - {"none"}
    return "" not in kinds and len(kinds) < 2
