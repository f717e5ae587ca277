"""A training run's checkpoint: one file with all that the rest depends on."""

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
    """What a checkpoint holds.

    Attributes:
        epochs: how many are done; 0 where there is no file.
        ended: whether the run had ended.
        arrays: by name; empty where there is no file.
        damage: where the last file is not whole and this is the one before, what is
            wrong with the last.
    """

    epochs: int = 0
    ended: bool = False
    arrays: Mapping[str, np.ndarray] = {}
    damage: str = ""


class Checkpoint(keras.callbacks.Callback):
    """Saves after every epoch all that the rest of the run depends on, in one file.

    That is weights, optimizer, carried state, dropout seeds, the number of epochs done
    (which is the place in the text) and the other callbacks' numbers, texts and
    arrays. The file is renamed into place, so a kill leaves the one before; and the
    one before is kept beside it, for the day when the file itself is damaged.

    It goes last in the list of callbacks, and `resume` or `begin` is called before
    `fit`: `training.fit` does all of it.

    Args:
        path: the file, `.npz`.
        run: what the run is made of, by name; a resume with another is refused.

    Attributes:
        others: the callbacks whose state is kept, Keras's own and a user's among them.
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
        # Here, since callbacks forget what they know when training begins.
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
            # Before a run's first epoch ends, what is there is another run's.
            if not self._last.epochs:
                self._before.unlink(missing_ok=True)
            elif self._path.exists():
                self._path.replace(self._before)
        self._last = Saved(epoch + 1, ended, arrays)

    def read(self) -> Saved:
        """What the file holds, or the one before it where it is missing or not whole.

        Raises:
            ValueError: both are damaged, or the run had another text or other
                settings; the message names the first that differs.
        """
        damage = ""
        for path in (self._path, self._before):
            try:
                done, arrays = _read(path)
            except FileNotFoundError:
                continue
            except Exception as error:  # zipfile has many for flipped bits
                damage = damage or f"{path} is not a whole checkpoint ({error})"
                continue
            for name, value in self._run.items():
                if (saved := done["run"].get(name)) != value:
                    raise ValueError(
                        f"the {name} has changed: {path} is of a run with {saved!r}, "
                        f"this one has {value!r}; resume with the same, or train anew "
                        "without --resume"
                    )
            if path == self._before:
                damage = damage or f"{self._path} is missing"
            return Saved(done["epochs"], done["ended"], arrays, damage)
        if damage:
            raise ValueError(
                f"{damage}, and no whole one is beside it; train anew without --resume"
            )
        return Saved()

    def begin(self, model: keras.Model) -> Saved:
        """Keep the state that a compiled model begins with, for `go_back`."""
        self._last = Saved(arrays=_variable_arrays(model))
        return self._last

    def resume(self, model: keras.Model) -> Saved:
        """Bring a compiled model to where the file left it.

        Returns:
            What the file holds; without one the run begins.

        Raises:
            ValueError: as `read`.
        """
        saved = self.read()
        if not saved.epochs:
            return self.begin(model)
        if saved.damage:
            print(f"{saved.damage}; going on from the one before it", flush=True)
            # In its place, or the next to be written would take the damaged one for
            # the one before.
            self._before.replace(self._path)
        self._last = saved
        return self.go_back(model)

    def go_back(self, model: keras.Model) -> Saved:
        """Bring a model to the last state: that after an epoch, or the beginning."""
        for index, variable in enumerate(_all_variables(model)):
            variable.assign(self._last.arrays[f"variable_{index}"])
        self._restored = self._last.arrays
        return self._last


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    # Opened here, since np.load leaves a damaged file open.
    with path.open("rb") as opened:
        arrays = dict(np.load(opened, allow_pickle=False))
    done = json.loads(str(arrays.pop("done")))
    if done["sha256"] != _digest(arrays):
        raise ValueError("its arrays are not those that were written")
    return done, arrays


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Of all arrays: a ZIP's own sums say nothing of a list that lost an entry."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _variable_arrays(model: keras.Model) -> dict[str, np.ndarray]:
    # Copies, since training may write into the memory of what it hands out.
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
