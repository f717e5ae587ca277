"""Callbacks that measure and record a training."""

import csv
import importlib.util
import io
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kerasseq.files.reading import shortened
from kerasseq.files.writing import write_file
from kerasseq.on_device.command import is_terminal
from kerasseq.training.workers import workers


class Perplexity(keras.callbacks.Callback):
    """Adds `perplexity` and `val_perplexity`, exp of the losses, to an epoch's logs."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if logs is None:
            return
        for prefix in ("", "val_"):
            if f"{prefix}loss" in logs:
                # Above 700 the exponential overflows a float64.
                loss = min(float(logs[f"{prefix}loss"]), 700.0)
                logs[f"{prefix}perplexity"] = math.exp(loss)


class HistoryFile(keras.callbacks.Callback):
    """Writes the logs of all epochs to a CSV file, again after each epoch.

    Keras's CSVLogger appends to the file, so after a kill or a resume it does not hold
    the history of the weights.

    Args:
        path: of the file.
        logs: names of logs that a history from a checkpoint must have.
    """

    def __init__(
        self, path: str | os.PathLike, logs: Sequence[str] = ("loss",)
    ) -> None:
        super().__init__()
        self._path, self._logs = Path(path), logs
        self._rows: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        numbers = {key: float(value) for key, value in (logs or {}).items()}
        rows = [*self._rows, {"epoch": epoch + 1, **numbers}]
        if len(rows) != epoch + 1 or not rows[0].keys() <= rows[-1].keys():
            raise ValueError(
                f"the history up to epoch {epoch} is not of this run: it has "
                f"{len(self._rows)} rows of {shortened(list(rows[0]))}, and this "
                f"run measures {', '.join(numbers)}; start again without --resume"
            )
        self._rows = rows
        if not workers().is_chief:
            return
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        write_file(self._path, text.getvalue())

    def get_state(self) -> dict[str, Any]:
        """The rows of all epochs, for a checkpoint."""
        return {"rows": self._rows}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take the rows from a checkpoint.

        Raises:
            ValueError: they are not one for each epoch, with the same names, of finite
                numbers.
        """
        rows = state.get("rows")
        if not isinstance(rows, list) or not rows or len(state) != 1:
            raise ValueError(f"{shortened(state)} is not a list of rows")
        for number, row in enumerate(rows, 1):
            if (
                not isinstance(row, dict)
                or row.get("epoch") != number
                or not {"epoch", *self._logs} <= row.keys() == rows[0].keys()
                or not all(map(_is_finite_number, row.values()))
            ):
                raise ValueError(f"{shortened(row)} is not row {number}")
        self._rows = rows

    @property
    def history(self) -> dict[str, list[float]]:
        """The values of each log by its name."""
        rows = self._rows
        return {key: [row[key] for row in rows] for key in (rows[0] if rows else {})}


def _is_finite_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < math.inf


class SampleTexts(keras.callbacks.Callback):
    """Prints the text that `write` returns after every epoch."""

    def __init__(self, write: Callable[[], str]) -> None:
        super().__init__()
        self._write = write

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        print(f"\n{self._write()}\n", flush=True)


def verbosity() -> int:
    """How `fit` reports: 1, a progress bar, in a terminal; 2, a line an epoch, else."""
    return 1 if is_terminal(sys.stdout) else 2


def tensorboard(directory: str | os.PathLike) -> keras.callbacks.Callback:
    """Keras's callback that writes logs for TensorBoard.

    Raises:
        ValueError: TensorBoard is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise ValueError(
            f"TensorBoard, which is to show {directory}, is not installed; "
            "pip install 'kerasseq[tensorboard]'"
        )
    return keras.callbacks.TensorBoard(str(directory), write_graph=False)


def reset_carried_state(model: keras.Model) -> None:
    """Set the state of every stateful layer back to zeros."""
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_state()


class HeldOutLoss(keras.callbacks.Callback):
    """Adds `val_loss` to the logs of an epoch, for the callbacks after it.

    The loss is measured on a twin that shares the weights and has a state of its own:
    validation inside `fit` would change the training state.

    Args:
        twin: a compiled model with the weights of the model in training.
        batches: to evaluate on, from a state of zeros.
    """

    def __init__(self, twin: keras.Model, batches: tf.data.Dataset) -> None:
        super().__init__()
        self._twin = twin
        self._batches = batches

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if logs is not None:
            logs["val_loss"] = self.evaluate()

    def evaluate(self) -> float:
        """Mean cross-entropy in nats a token; of several workers, the chief measures.

        Processors round differently, and all are to stop at the same epoch.
        """
        return workers().number_from_chief(self._measure)

    def _measure(self) -> float:
        reset_carried_state(self._twin)
        return float(self._twin.evaluate(self._batches, verbose=0))
