"""Forge checkpoints: `python tests/fuzz/fuzz_checkpoint.py`.

Each case changes the checkpoint of a run with Keras's callbacks, ours and a user's:
bytes, or, with the right hash, names, values, arrays and sizes. Each must end in
ValueError with one line that can be shown, or in a state in which only what callbacks
declare differs from that of the undamaged file, of the same kinds as before. No other
file changes, and the memory does not grow. The cases are random with a fixed seed.
"""

import argparse
import contextlib
import io
import random
import resource
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import keras
import numpy as np

from kerasseq.training.callbacks import HistoryFile
from kerasseq.training.checkpoint import Checkpoint
from tests.fuzz.forgeries import KINDS, Sample

RUN = {"seed": 7, "units": 3, "text's SHA-256": "ab", "epochs": 9, "rate": 0.5}
LOGS = {"loss": 1.5, "val_loss": 2.5, "perplexity": 4.5}
HEADER = "epoch,loss,val_loss,perplexity"
# What may differ after a forgery, by class; written down here once more, on purpose.
DECLARED = {
    "HistoryFile": {"_rows"},
    "EarlyStopping": {"wait", "stopped_epoch", "best", "best_epoch", "best_weights"},
    "ReduceLROnPlateau": {"wait", "cooldown_counter", "best"},
    "ModelCheckpoint": {"best"},
    "Counts": {"seen", "least", "lit", "kept"},
}
# A file may take so many bytes of memory, in all cases together.
MOST_MEMORY = 200 * 2**20


class Counts(keras.callbacks.Callback):
    """A user's callback, with a path of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.seen, self.least, self.lit, self.kept = 0, None, False, [np.zeros(2)]
        self.log_path, self._path = str(folder / "log.txt"), folder

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.seen, self.least, self.lit = self.seen + 1, 0.5, True


class Target:
    """A small run in a folder, and what its undamaged checkpoint restores."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "run"
        self.folder.mkdir()
        self.victim = folder / "victim"
        self.victim.write_text("innocent")
        self.model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        self.model.compile("adam", "mse")
        self.model.optimizer.build(self.model.trainable_variables)
        checkpoint, callbacks = self.begin()
        for each in (*callbacks, checkpoint):
            each.on_train_begin()
        for epoch in range(2):
            for each in callbacks[:3]:
                each.on_epoch_end(epoch, dict(LOGS))
            callbacks[4].on_epoch_end(epoch)
            checkpoint.on_epoch_end(epoch)
        self.path = self.folder / "checkpoint.npz"
        with np.load(self.path) as arrays:
            self.sample = Sample(self.path.read_bytes(), dict(arrays), self.victim)
        self.before = [self.state(callback) for callback in self.begin()[1]]
        self.epochs = 0

    def begin(self) -> tuple[Checkpoint, list[keras.callbacks.Callback]]:
        checkpoint = Checkpoint(self.folder / "checkpoint.npz", RUN)
        stopping = keras.callbacks.EarlyStopping(restore_best_weights=True, patience=3)
        callbacks = [
            HistoryFile(self.folder / "history.csv", tuple(LOGS)),
            stopping,
            keras.callbacks.ReduceLROnPlateau(),
            keras.callbacks.ModelCheckpoint(self.folder / "best.keras"),
            Counts(self.folder),
        ]
        for each in (*callbacks, checkpoint):
            each.set_model(self.model)
            each.set_params({"epochs": 9})
        checkpoint.others = callbacks
        return checkpoint, callbacks

    def restore(self, content: bytes) -> list[keras.callbacks.Callback]:
        """What a resumed run does until it has trained an epoch."""
        self.path.write_bytes(content)
        checkpoint, callbacks = self.begin()
        saved = checkpoint.resume(self.model)
        for each in (*callbacks, checkpoint):
            each.on_train_begin()
        self.epochs = saved.epochs
        states = [self.state(callback) for callback in callbacks]
        if not saved.ended:
            callbacks[0].on_epoch_end(saved.epochs, dict(LOGS))
        self.check(states, callbacks)
        return callbacks

    def check(self, states: list[dict[str, Any]], callbacks: list[Any]) -> None:
        for before, after, callback in zip(self.before, states, callbacks, strict=True):
            name = type(callback).__name__
            for key in before.keys() | after.keys():
                if key not in DECLARED[name]:
                    assert repr(before.get(key)) == repr(after.get(key)), (name, key)
            for key in DECLARED[name]:
                one, two = before.get(key), after[key]
                kinds = {type(one), type(two)} - {type(None)}
                assert len(kinds) < 2 or kinds == {int, float}, (name, key, one, two)
                assert key == "_rows" or not isinstance(two, str | dict), (name, key)
        for variable in self.model.variables:
            assert np.isfinite(variable.numpy()).all()
        header = (self.folder / "history.csv").read_text().partition("\n")[0]
        assert header == HEADER, header

    @staticmethod
    def state(callback: keras.callbacks.Callback) -> dict[str, Any]:
        kinds = (str, int, float, list, Path, bool, type(None))
        return {
            key: value
            for key, value in vars(callback).items()
            if isinstance(value, kinds) and key not in ("params", "_model")
        }


def judge(target: Target, content: bytes) -> str:
    """How a case ends: "refused" or "restored"; AssertionError if it is neither."""
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output):
            target.restore(content)
        verdict = "restored"
    except ValueError as error:
        line = str(error)
        assert line.isprintable() and len(line) < 1500, ascii(line)
        verdict = "refused"
    for line in output.getvalue().splitlines():
        assert line.isprintable() and len(line) < 500, ascii(line)
    assert target.victim.read_text() == "innocent"
    outside = sorted(path.name for path in target.folder.parent.iterdir())
    assert outside == ["run", "victim"], outside
    return verdict


def fuzz(cases: int, seed: int = 0) -> Counter[tuple[str, str]]:
    """The number of cases by kind and verdict; any other end is an exception."""
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        target = Target(Path(folder))
        before = target.folder / "checkpoint_before.npz"
        old, memory = before.read_bytes(), memory_in_use()
        for number in range(cases):
            kind = KINDS[number % len(KINDS)]
            chance = random.Random(f"{seed} {number}")
            before.write_bytes(old)
            (target.folder / "history.csv").write_text(f"{HEADER}\n")
            try:
                verdict = judge(target, kind(chance, target.sample))
            except Exception as error:
                error.add_note(f"case {number} of seed {seed}, {kind.__name__}")
                raise
            counts[kind.__name__, verdict] += 1
        grown = memory_in_use() - memory
        assert grown < MOST_MEMORY, f"{grown / 2**20:.0f} MB more memory"
    return counts


def memory_in_use() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts = fuzz(options.cases, options.seed)
    for (kind, verdict), count in sorted(counts.items()):
        print(f"{kind}: {count:,} {verdict}")
    print(f"{sum(counts.values()):,} cases, no traceback and no signal")


if __name__ == "__main__":
    main()
