"""Checkpoints of a training run, each one file with everything needed to resume."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from kerasseq.files.writing import replacing


class Saved(NamedTuple):
    """The contents of a checkpoint.

    Attributes:
        epochs: completed epochs; 0 without a file.
        ended: whether the run had ended.
        arrays: by name; empty without a file.
        damage: what is wrong with the last file, if this is the one before it.
    """

    epochs: int = 0
    ended: bool = False
    arrays: Mapping[str, np.ndarray] = {}
    damage: str = ""


class Checkpoint(keras.callbacks.Callback):
    """Saves after every epoch, in one file, everything that the rest depends on.

    This is weights, optimizer, carried state, dropout seeds, the number of completed
    epochs (which gives the position in the text) and the values, texts and arrays of
    other callbacks. A new file replaces the old one by a rename, so a kill leaves a
    whole file; the previous one is kept in case the last is damaged.

    It is the last callback, and `resume` or `begin` is called before `model.fit`; see
    `training.fitting.fit`.

    Args:
        path: of the file, `.npz`.
        run: the run's settings by name; to resume with others is refused.

    Attributes:
        others: the callbacks whose state is saved, Keras's own and a user's included.
    """

    def __init__(self, path: str | os.PathLike, run: Mapping[str, Any]) -> None:
        super().__init__()
        self._path = Path(path)
        self._before = self._path.with_stem(f"{self._path.stem}_before")
        self._run = json.loads(json.dumps(run))
        self._last = Saved()
        self._restored: Mapping[str, np.ndarray] = {}
        self.others: Sequence[keras.callbacks.Callback] = ()

    def on_train_begin(self, logs: dict | None = None) -> None:
        # Done here, since callbacks reset their state when training begins.
        for index, callback in enumerate(self.others):
            _restore_callback(callback, f"callback_{index}/", self._restored)
        self._restored = {}

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        arrays = _variable_arrays(self.model)
        for index, callback in enumerate(self.others):
            arrays |= _callback_state(callback, f"callback_{index}/")
        ended = epoch + 1 == self.params["epochs"] or self.model.stop_training
        done = {
            "epochs": epoch + 1,
            "ended": ended,
            "run": self._run,
            "sha256": _digest(arrays),
        }
        with replacing(self._path) as beside:
            with beside.open("wb") as file:
                np.savez(
                    file, allow_pickle=False, done=np.array(json.dumps(done)), **arrays
                )
                file.flush()
                os.fsync(file.fileno())
            # Before a run's first epoch ends, existing files belong to another run.
            if not self._last.epochs:
                self._before.unlink(missing_ok=True)
            elif self._path.exists():
                self._path.replace(self._before)
        self._last = Saved(epoch + 1, ended, arrays)

    def read(self) -> Saved:
        """Read the file, or the previous one if it is missing or damaged.

        Raises:
            ValueError: both are damaged, or the run had another text or other
                settings; the message names the first difference.
        """
        damage = ""
        for path in (self._path, self._before):
            try:
                done, arrays = _read(path)
            except FileNotFoundError:
                continue
            except Exception as error:  # zipfile raises many kinds for flipped bits
                damage = damage or f"{path} is not a whole checkpoint ({error})"
                continue
            for name, value in self._run.items():
                if (saved := done["run"].get(name)) != value:
                    raise ValueError(
                        f"the {name} has changed: {path} is of a run with {saved!r}, "
                        f"this one has {value!r}; resume with the same, or start again "
                        "without --resume"
                    )
            if path == self._before:
                damage = damage or f"{self._path} is missing"
            return Saved(done["epochs"], done["ended"], arrays, damage)
        if damage:
            raise ValueError(
                f"{damage}, and there is no previous one; start again without --resume"
            )
        return Saved()

    def begin(self, model: keras.Model) -> Saved:
        """Keep the initial state of a compiled model, for `go_back`."""
        self._last = Saved(arrays=_variable_arrays(model))
        return self._last

    def resume(self, model: keras.Model) -> Saved:
        """Restore a compiled model from the file; without a file the run begins.

        Raises:
            ValueError: as `read`.
        """
        saved = self.read()
        if not saved.epochs:
            return self.begin(model)
        if saved.damage:
            print(f"{saved.damage}; continuing from the one before it", flush=True)
            # Renamed, or else the damaged file would become the previous one.
            self._before.replace(self._path)
        self._last = saved
        return self.go_back(model)

    def go_back(self, model: keras.Model) -> Saved:
        """Restore a model's state after the last epoch, or its initial state."""
        for index, variable in enumerate(_all_variables(model)):
            variable.assign(self._last.arrays[f"variable_{index}"])
        self._restored = self._last.arrays
        return self._last


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    # np.load would leave a damaged file open.
    with path.open("rb") as opened:
        arrays = dict(np.load(opened, allow_pickle=False))
    done = json.loads(str(arrays.pop("done")))
    if done["sha256"] != _digest(arrays):
        raise ValueError("its arrays are not those that were written")
    return done, arrays


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """A hash of all arrays: a ZIP's checksums do not show that an entry is missing."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _variable_arrays(model: keras.Model) -> dict[str, np.ndarray]:
    # Copies, since training may overwrite the memory of the values.
    return {
        f"variable_{index}": np.array(variable.value)
        for index, variable in enumerate(_all_variables(model))
    }


def _all_variables(model: keras.Model) -> list[keras.Variable]:
    """Weights, dropout seeds, carried states and the optimizer's variables."""
    metrics = {id(variable) for variable in model.metrics_variables}
    states = [
        state
        for layer in model.layers
        if getattr(layer, "stateful", False)
        for state in keras.tree.flatten(layer.states)
    ]
    found = [*model.variables, *states, *model.optimizer.variables]
    distinct = {id(variable): variable for variable in found}
    return [value for key, value in distinct.items() if key not in metrics]


def _callback_state(
    callback: keras.callbacks.Callback, prefix: str
) -> dict[str, np.ndarray]:
    """A callback's public attributes: plain values as JSON, arrays as they are."""
    plain, arrays = {}, {}
    for name, value in vars(callback).items():
        if name.startswith("_"):
            continue
        if value is None or isinstance(value, bool | int | float | str):
            plain[name] = value
        elif isinstance(value, np.generic) and value.ndim == 0:
            plain[name] = value.item()
        elif isinstance(value, list) and value and _are_arrays(value):
            for index, array in enumerate(value):
                arrays[f"{prefix}{name}/{index}"] = array
    return {f"{prefix}plain": np.array(json.dumps(plain)), **arrays}


def _restore_callback(
    callback: keras.callbacks.Callback, prefix: str, state: Mapping[str, np.ndarray]
) -> None:
    lists: dict[str, dict[int, np.ndarray]] = {}
    for key, array in state.items():
        name, _, index = key.removeprefix(prefix).partition("/")
        if key == f"{prefix}plain":
            for attribute, value in json.loads(str(array)).items():
                setattr(callback, attribute, value)
        elif key.startswith(prefix):
            lists.setdefault(name, {})[int(index)] = array
    for name, arrays in lists.items():
        setattr(callback, name, [arrays[index] for index in sorted(arrays)])


def _are_arrays(values: Sequence[Any]) -> bool:
    return all(isinstance(value, np.ndarray) for value in values)
