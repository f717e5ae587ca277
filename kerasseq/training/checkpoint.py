"""Checkpoints of a training run, each one file with everything needed to resume."""

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from kerasseq.files.npz import read_arrays
from kerasseq.files.reading import shortened
from kerasseq.files.writing import replacing
from kerasseq.on_device.command import visible
from kerasseq.training.callback_state import (
    from_arrays,
    from_json,
    read_state,
    restore,
    state_to_keep,
    to_arrays,
)
from kerasseq.training.model_state import (
    assign_variables,
    check_variables,
    read_variables,
)
from kerasseq.training.workers import workers


class Saved(NamedTuple):
    """The contents of a checkpoint.

    Attributes:
        epochs: completed epochs; 0 without a file.
        ended: whether the run had ended.
        arrays: by name; empty without a file.
        damage: what is wrong with the last file, if this is the one before it.
        path: of the file.
    """

    epochs: int = 0
    ended: bool = False
    arrays: Mapping[str, np.ndarray] = {}
    damage: str = ""
    path: Path = Path()


class Checkpoint(keras.callbacks.Callback):
    """Saves after every epoch, in one file, everything that the rest depends on.

    This is weights, optimizer, carried state, dropout seeds, the number of completed
    epochs (which gives the position in the text) and the state of other callbacks: see
    `callback_state.read_state`. A new file replaces the old one by a rename, so a kill
    leaves a whole file; the previous one is kept in case the last is damaged.

    It is the last callback, and `resume` or `begin` is called before `model.fit`; see
    `training.fitting.fit`.

    Args:
        path: of the file, `.npz`.
        run: the run's settings by name; to resume with others is refused.

    Of several workers, the chief reads and writes the file, with the states of all, so
    that a resumed run may have another number of workers.

    Attributes:
        run: the settings.
        others: the callbacks whose state is saved, Keras's own and a user's included.
    """

    def __init__(self, path: str | os.PathLike, run: Mapping[str, Any]) -> None:
        super().__init__()
        self._path = Path(path)
        self._before = self._path.with_stem(f"{self._path.stem}_before")
        self.run = json.loads(json.dumps(run))
        self._last = Saved()
        self._states: Sequence[Mapping[str, Any]] = []
        self._at_start: Sequence[Mapping[str, Any]] = []
        self.others: Sequence[keras.callbacks.Callback] = ()

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._at_start = [read_state(callback) for callback in self.others]
        to_arrays(self._at_start)  # refused now, not after an epoch
        if self._states:
            # Done here, since callbacks reset their state when training begins.
            try:
                restore(self.others, self._states, self.model)
            except ValueError as error:
                raise _refused(self._path, error) from None
        self._states = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        states = [
            state_to_keep(callback, at_start)
            for callback, at_start in zip(self.others, self._at_start, strict=True)
        ]
        arrays = {**read_variables(self.model), **to_arrays(states)}
        ended = epoch + 1 == self.params["epochs"] or self.model.stop_training
        if workers().is_chief:
            self._write(epoch + 1, ended, arrays)
        self._last = Saved(epoch + 1, ended, arrays)

    def _write(
        self, epochs: int, ended: bool, arrays: Mapping[str, np.ndarray]
    ) -> None:
        done = {
            "epochs": epochs,
            "ended": ended,
            "run": self.run,
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

    def read(self) -> Saved:
        """Read the file, or the previous one if it is missing or damaged.

        Raises:
            ValueError: both are damaged, or one that is whole is of a run with another
                text or other settings, or of no run; the message names the first
                difference.
        """
        damage = ""
        for path in (self._path, self._before):
            try:
                done, arrays = _read(path)
            except FileNotFoundError:
                continue
            except Exception as error:  # zipfile raises many kinds for flipped bits
                reason = " ".join(str(error).split())[:200]
                damage = damage or f"{path} is not a whole checkpoint ({reason})"
                continue
            if path == self._before:
                damage = damage or f"{self._path} is missing"
            return self._checked(done, Saved(arrays=arrays, damage=damage, path=path))
        if damage:
            raise ValueError(
                f"{damage}, and there is no previous one; start again without --resume"
            )
        return Saved()

    def _checked(self, done: dict[str, Any], saved: Saved) -> Saved:
        """With the entry `done` of a file, which is that of an epoch of this run."""
        epochs, ended, run = (done.get(name) for name in ("epochs", "ended", "run"))
        most = self.run.get("epochs", math.inf)
        if type(epochs) is not int or not 1 <= epochs <= most:
            raise _refused(saved.path, f"{shortened(epochs)} epochs are done in it")
        if type(ended) is not bool or type(run) is not dict or len(done) != 4:
            raise _refused(saved.path, f"its state is {shortened(done)}")
        for name in {**self.run, **run}:
            if (other := run.get(name)) != self.run.get(name):
                raise ValueError(
                    f"the {shortened(name)[1:-1]} has changed: {saved.path} is of a "
                    f"run with {repr(other)[:200]}, this one has "
                    f"{self.run.get(name)!r}; resume with the same, or start again "
                    "without --resume"
                )
        return saved._replace(epochs=epochs, ended=ended)

    def begin(self, model: keras.Model) -> Saved:
        """Keep the initial state of a compiled model, for `go_back`."""
        self._last = _from_chief(Saved(arrays=read_variables(model)))
        return self.go_back(model)

    def resume(self, model: keras.Model) -> Saved:
        """Restore a compiled model from the file; without a file the run begins.

        Raises:
            ValueError: as `read`, or the file is not of this model and its callbacks;
                the model is as it was.
        """
        saved = _from_chief(self.read() if workers().is_chief else Saved())
        if not saved.epochs:
            return self.begin(model)
        try:
            others = check_variables(model, saved.arrays)
            from_arrays(others, len(self.others))
        except ValueError as error:
            raise _refused(saved.path, error) from None
        if saved.damage and workers().is_chief:
            print(visible(f"{saved.damage}; continuing from the one before it"))
            # Renamed, or else the damaged file would become the previous one.
            self._before.replace(self._path)
        self._last = saved
        return self.go_back(model)

    def go_back(self, model: keras.Model) -> Saved:
        """Restore a model's state after the last epoch, or its initial state."""
        others = assign_variables(model, self._last.arrays)
        if self._last.epochs:
            self._states = from_arrays(others, len(self.others))
        return self._last


def _from_chief(saved: Saved) -> Saved:
    """What the chief has, for all workers."""
    done = json.dumps([saved.epochs, saved.ended, saved.damage, str(saved.path)])
    arrays = workers().from_chief({"done": np.array(done), **saved.arrays})
    epochs, ended, damage, path = from_json(arrays.pop("done"))
    return Saved(epochs, ended, arrays, damage, Path(path))


def _refused(path: Path, reason: object) -> ValueError:
    return ValueError(
        f"{path} is not a checkpoint of this run: {reason}; start again without "
        "--resume"
    )


def _read(path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    arrays = read_arrays(path)
    done = from_json(arrays.pop("done"))
    if done["sha256"] != _digest(arrays):
        raise ValueError("its arrays are not those that were written")
    return done, arrays


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """A hash of all arrays: a ZIP's checksums do not show that an entry is missing."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
