"""A training run's checkpoint: one file with all that the rest depends on."""

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasseq.files import replacing


class Checkpoint(keras.callbacks.Callback):
    """Saves after every epoch all that the rest of the run depends on, in one file.

    That is weights, optimizer, carried state, dropout seeds, the number of epochs done
    (which is the place in the text) and the other callbacks' numbers, texts and
    arrays. The file is renamed into place, so a kill leaves the one before.

    It goes last in the list of callbacks, and `resume` is called before `fit`:
    `training.fit` does both.

    Args:
        path: the file, `.npz`.
        run: what the run is made of, by name; a resume with another is refused.

    Attributes:
        others: the callbacks whose state is kept, Keras's own and a user's among them.
    """

    def __init__(self, path: str | os.PathLike, run: Mapping[str, Any]) -> None:
        super().__init__()
        self._path = Path(path)
        self._run = json.loads(json.dumps(run))
        self._restored: dict[str, np.ndarray] = {}
        self.others: Sequence[keras.callbacks.Callback] = ()

    def on_train_begin(self, logs: dict | None = None) -> None:
        # Here, since callbacks forget what they know when training begins.
        for index, callback in enumerate(self.others):
            _restore_callback(callback, f"callback_{index}/", self._restored)
        self._restored = {}

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        arrays = {
            f"variable_{index}": np.asarray(variable.value)
            for index, variable in enumerate(_all_variables(self.model))
        }
        for index, callback in enumerate(self.others):
            arrays |= _callback_state(callback, f"callback_{index}/")
        done = {
            "epochs": epoch + 1,
            "ended": epoch + 1 == self.params["epochs"] or self.model.stop_training,
            "run": self._run,
        }
        arrays["done"] = np.array(json.dumps(done))
        with replacing(self._path) as beside, beside.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What the file says of the run, and its arrays by name.

        Returns:
            "epochs" done, 0 where there is no file; whether the run had "ended"; the
            "run" itself; and the arrays.

        Raises:
            ValueError: the file is damaged, or of a run with another text or other
                settings; the message names the first that differs.
        """
        if not self._path.exists():
            return {"epochs": 0, "ended": False, "run": self._run}, {}
        try:
            # Opened here, since np.load leaves a damaged file open.
            with self._path.open("rb") as opened:
                arrays = dict(np.load(opened, allow_pickle=False))
            done = json.loads(str(arrays.pop("done")))
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{self._path} is not a whole checkpoint ({error}); remove it and "
                "train anew"
            ) from None
        for name, value in self._run.items():
            if done["run"].get(name) != value:
                raise ValueError(
                    f"{self._path} is of a run with {name}={done['run'].get(name)!r}, "
                    f"this one has {value!r}; resume with the same, or train anew "
                    "without --resume"
                )
        return done, arrays

    def resume(self, model: keras.Model) -> tuple[int, bool]:
        """Bring a compiled model to where the file left it.

        Returns:
            How many epochs are done, and whether the run had ended.

        Raises:
            ValueError: as `read`.
        """
        done, arrays = self.read()
        if arrays:
            for index, variable in enumerate(_all_variables(model)):
                variable.assign(arrays.pop(f"variable_{index}"))
        self._restored = arrays
        return done["epochs"], done["ended"]


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
