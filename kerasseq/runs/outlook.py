"""Where a run is, and about how long the rest of it takes."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from types import MappingProxyType
from typing import Any

import keras

from kerasseq.on_device.command import is_terminal

# Seconds of a part with its export on two cores, by preset: what is expected until
# something is measured. A large file takes longer in the last four; how much longer
# the plan of a next-word model says.
SECONDS = {
    "attention": {"fast": 3, "default": 3, "best": 3},
    "encoder": {"fast": 25, "default": 40, "best": 75},
    "char_rnn": {"fast": 18, "default": 90, "best": 370},
    "next_word": {"fast": 60, "default": 240, "best": 450},
    "tagger": {"fast": 50, "default": 100, "best": 200},
    "classifier": {"fast": 30, "default": 30, "best": 30},
    "translation": {"fast": 90, "default": 660, "best": 1700},
}
EXPORT = 20  # of these seconds
EVERY = 10.0  # seconds between the lines in a log
FIRST = 5.0  # seconds until a training's speed is known


class Outlook(keras.callbacks.Callback):
    """Says where a run is: before each part, after its first seconds, and in a log.

    In a log, where Keras shows no progress bar, it writes a line every ten seconds.

    Args:
        parts: of the run, in their order.
        preset: of the run.
        measuring: for parts that measure long after their training, how many seconds.
    """

    def __init__(
        self,
        parts: Sequence[str],
        preset: str,
        measuring: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self._after = {name: EXPORT + measuring.get(name, 0.0) for name in parts}
        self._expected = {
            name: SECONDS[name][preset] + measuring.get(name, 0.0) for name in parts
        }
        self._parts = list(parts)
        self._part = ""
        self._began, self._due = time.monotonic(), float("inf")
        self._before = 0.0  # seconds of the parts that ended
        self._batches: list[float] = []  # the seconds of each
        self._last = 0.0  # when a batch or the time between two epochs ended
        self._between = 0.0  # seconds from the end of an epoch to the next one
        self._told = False
        self._stage = "preparing"

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Write a line every ten seconds in the block, if nobody sees a bar."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(min(1.0, EVERY)):
                if time.monotonic() >= self._due:
                    self._say(f"{self._part}: {self._stage}; {self._time()}")

        thread = threading.Thread(target=beat, daemon=True)
        if not is_terminal(sys.stdout):
            thread.start()
        try:
            yield
        finally:
            ended.set()
            if thread.is_alive():
                thread.join()

    def begin(self, part: str) -> None:
        """Say which part begins, and about how long it and the rest take."""
        if self._part:
            self._before += time.monotonic() - self._began
        self._part, self._began, self._told = part, time.monotonic(), False
        self._enter("preparing")
        number, count = self._parts.index(part) + 1, len(self._parts)
        of = f"part {number} of {count}, " if count > 1 else ""
        self._say(f"\n{of}{part}: {self._rest()}")

    def export(self) -> None:
        """The training of the part has ended, and its export begins."""
        self._enter("exporting and checking")

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._enter("training")

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._epoch, self._batch = epoch, 0
        now = time.monotonic()
        if self._batches:
            self._between = now - self._last
        self._last = now
        if not self._told and self._left_of_training() is not None:
            self._told = True
            self._say(f"{self._part}: {self._rest()}")
        self._due = time.monotonic() + EVERY

    def on_train_batch_end(
        self, batch: int, logs: Mapping[str, Any] | None = None
    ) -> None:
        steps, epochs = self.params.get("steps"), self.params.get("epochs")
        if not steps or not epochs:
            return
        now = time.monotonic()
        self._batches.append(now - self._last)
        self._last, self._batch = now, batch + 1
        self._stage = (
            f"epoch {self._epoch + 1} of {epochs}, batch {batch + 1} of {steps}"
        )

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._enter("measuring")

    def left(self) -> tuple[float, float]:
        """About how many seconds the part takes from now on, and the whole run."""
        passed = time.monotonic() - self._began
        expected = self._expected[self._part]
        training = self._left_of_training()
        here = max(expected - passed, 0.0)
        if training is not None:
            here = training + self._after[self._part]
        index = self._parts.index(self._part)
        before = sum(self._expected[name] for name in self._parts[:index])
        # As much slower or faster than expected as what has been measured.
        factor = (self._before + passed + here) / (before + expected)
        if training is None:
            factor = self._before / before if before else 1.0
            here *= factor
        later = sum(self._expected[name] for name in self._parts[index + 1 :])
        return here, here + factor * later

    def where(self) -> tuple[str, str]:
        """What the part does now, and how long the rest takes, where that is known."""
        knows = self._part and not self._stage.startswith("held")
        return self._stage, self._time() if knows else ""

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """A training waits in the block, which counts for nothing that is measured."""
        stage, began = self._stage, time.monotonic()
        self._stage = f"held after {stage}"
        self._say(f"{self._part}: {self._stage}; the page lets it go on")
        self._due = float("inf")
        yield
        seconds = time.monotonic() - began
        self._began += seconds
        self._since += seconds
        self._last += seconds
        self._stage = stage
        self._say(f"{self._part}: goes on")

    def _enter(self, stage: str) -> None:
        self._stage, self._since = stage, time.monotonic()
        self._batches, self._between = [], 0.0

    def _left_of_training(self) -> float | None:
        """Seconds of the batches that are left, if the first ones took long enough."""
        # The first batch is compiled, as is the first of each other shape: the median
        # leaves them out.
        batches = self._batches[1:]
        if not batches or sum(batches) < FIRST:
            return None
        steps, later = self.params["steps"], self.params["epochs"] - self._epoch - 1
        left = steps * (later + 1) - self._batch
        return median(batches) * left + self._between * later

    def _time(self) -> str:
        if self._left_of_training() is not None:
            return self._rest()
        return f"{spoken(time.monotonic() - self._since)} so far"

    def _rest(self) -> str:
        here, run = map(spoken, self.left())
        return f"about {here} left" + f", {run} in the whole run" * (here != run)

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # it was closed, or is full
            print(line, flush=True)
        self._due = time.monotonic() + EVERY


def spoken(seconds: float) -> str:
    """A time, rounded as far as an estimate can be trusted."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} seconds"
    if seconds < 5400:
        return f"{round(seconds / 60)} minutes"
    return f"{seconds / 3600:.1f} hours"
