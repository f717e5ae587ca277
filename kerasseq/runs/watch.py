"""A run as a page shows it while it trains, and the button that holds it."""

import math
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import keras

from kerasseq.runs.outlook import Outlook

MOST_SAMPLES = 20  # of the last epochs
MOST_POINTS = 400  # of a training's losses inside its epochs
EVERY = 0.5  # seconds between two of them


class Watch(keras.callbacks.Callback):
    """What a run has done so far. A page may hold it and let it go on.

    While it is held, it waits after a batch with all that it has in memory, and takes
    no processor time. What it computes stays the same bits.

    Args:
        outlook: of the run, which says where it is.

    Attributes:
        models: the files that are written and checked.

    `report`, `hold` and `go_on` may be called from any thread.
    """

    def __init__(self, outlook: Outlook) -> None:
        super().__init__()
        self._outlook = outlook
        self._lock = threading.Lock()
        self._going = threading.Event()
        self._going.set()
        self._ended = False
        self.models: list[Path] = []
        self._forget("")

    def _forget(self, part: str) -> None:
        self._part = part
        self._references: dict[str, float] = {}
        self._samples: list[dict[str, Any]] = []
        self._points: list[tuple[float, float]] = []
        self._epochs: list[dict[str, float]] = []
        self._epoch, self._due, self._trains = 0, 0.0, False
        self._seen = 0, 0.0  # batches of the epoch, and their mean loss

    def begin(self, part: str) -> None:
        """A part of the run begins."""
        with self._lock:
            self._forget(part)

    def exported(self, files: Iterable[Path]) -> None:
        """These files are written and checked."""
        with self._lock:
            self.models += files

    def end(self) -> None:
        """The run has done all that it was asked."""
        self._ended = True

    def note(
        self, references: Mapping[str, float] | None = None, sample: str = ""
    ) -> None:
        """Remember losses to compare with, in nats, and a text of the model."""
        with self._lock:
            self._references.update(references or {})
            if sample:
                self._samples.append({"epoch": self._epoch + 1, "text": sample})
                del self._samples[:-MOST_SAMPLES]

    def hold(self) -> None:
        """Let the training wait after its batch."""
        self._going.clear()

    def go_on(self) -> None:
        """Let it go on."""
        self._going.set()

    def report(self) -> dict[str, Any]:
        """All of it, of values that JSON has; losses are in nats a token."""
        with self._lock:
            stage, left = self._outlook.where()
            return {
                "ended": self._ended,
                "trains": self._trains,
                "held": not self._going.is_set(),
                "part": self._part,
                "stage": stage,
                "left": left,
                "planned": (self.params or {}).get("epochs"),
                "references": dict(self._references),
                "points": self._points[:: len(self._points) // MOST_POINTS + 1],
                "epochs": list(self._epochs),
                "samples": list(self._samples),
                "models": len(self.models),
            }

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        with self._lock:
            self._points, self._epochs, self._trains = [], [], True

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._trains = False

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        with self._lock:
            self._epoch, self._seen = epoch, (0, 0.0)
            # After divergence, epochs come again.
            self._epochs = [row for row in self._epochs if row["epoch"] <= epoch]
            self._points = [point for point in self._points if point[0] <= epoch]

    def on_train_batch_end(
        self, batch: int, logs: Mapping[str, Any] | None = None
    ) -> None:
        now, steps = time.monotonic(), self.params.get("steps")
        if steps and now >= self._due:
            self._due = now + EVERY
            with self._lock:
                for mean in _losses(logs, "loss").values():
                    self._add_point(batch + 1, mean, steps)
        if not self._going.is_set():
            with self._outlook.held():
                self._going.wait()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        with self._lock:
            row = {"epoch": epoch + 1, **_losses(logs, "loss", "val_loss")}
            self._epochs.append(row)

    def _add_point(self, batches: int, mean: float, steps: int) -> None:
        """The loss since the point before; Keras gives the epoch's mean so far."""
        before, mean_before = self._seen
        loss = (batches * mean - before * mean_before) / (batches - before)
        self._points.append((self._epoch + batches / steps, loss))
        self._seen = batches, mean


def _losses(logs: Mapping[str, Any] | None, *names: str) -> dict[str, float]:
    """Those of the logs that are finite, as JSON has no other numbers."""
    logs = logs or {}
    found = {name: float(logs[name]) for name in names if name in logs}
    return {name: loss for name, loss in found.items() if math.isfinite(loss)}


def note(
    callbacks: Iterable[Any],
    references: Mapping[str, float] | None = None,
    sample: str = "",
) -> None:
    """Tell each `Watch` among callbacks."""
    for each in callbacks:
        if isinstance(each, Watch):
            each.note(references, sample)
