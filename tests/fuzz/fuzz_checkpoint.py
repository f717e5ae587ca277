"""Forge checkpoints: `python tests/fuzz/fuzz_checkpoint.py`.

Each case changes the checkpoint of a run with Keras's callbacks, ours and a user's:
bytes, or, with the right hash, names, values, arrays and sizes. Each must end in
ValueError with one line that can be shown, or in a state in which only what callbacks
declare differs from that of the undamaged file, of the same kinds as before. No other
file changes, and the memory does not grow. The cases are random with a fixed seed.
"""

import argparse
import contextlib
import hashlib
import io
import json
import random
import resource
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import keras
import numpy as np

from kerasseq.training.callbacks import HistoryFile
from kerasseq.training.checkpoint import Checkpoint

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
        self.whole = self.path.read_bytes()
        with np.load(io.BytesIO(self.whole)) as arrays:
            self.arrays = dict(arrays)
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


def sign(arrays: Mapping[str, np.ndarray], done: Any = None) -> bytes:
    """The bytes of a file with these arrays, and the hash that fits them."""
    arrays = dict(arrays)
    found = json.loads(str(arrays.pop("done")))
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(array.tobytes())
    found["sha256"] = digest.hexdigest()
    text = done(found) if done else json.dumps(found)
    file = io.BytesIO()
    np.savez(file, allow_pickle=True, done=np.array(text), **arrays)
    return file.getvalue()


NAMES = (
    *("path", "_path", "filepath", "filename", "log_path", "model", "params", "rows"),
    *("__class__", "monitor", "patience", "mode", "wait", "best", "best_weights"),
    *("seen", "least", "kept", "set_state", "on_epoch_end", "\n\x1b[2J", "a\u202eb"),
)


def any_json(chance: random.Random, target: Target, depth: int = 0) -> Any:
    """A value of any form that JSON has."""
    plain = (
        *(None, True, False, 0, 1, -1, 3, 2**31, 10**30, 0.5, 128.0, -0.0),
        *(float("nan"), float("inf"), "", "a", "$(echo forged)", "\ud800", "\n\x1b[2J"),
        *(str(target.victim), "x" * 5000, [], {}),
    )
    if depth > 3 or chance.random() < 0.7:
        return chance.choice(plain)
    values = [any_json(chance, target, depth + 1) for _ in range(chance.randrange(4))]
    if chance.random() < 0.5:
        return values
    return {chance.choice(NAMES): value for value in values}


def any_array(chance: random.Random, array: np.ndarray) -> np.ndarray:
    """Another array, near or far from one."""
    if array.dtype.kind == "U":
        array = np.zeros(3, chance.choice(("f4", "i8")))
    return chance.choice(
        (
            lambda: array.astype(chance.choice(("f2", "f4", "f8", "i4", "U7", "?"))),
            lambda: np.resize(array, chance.choice(((), (0,), (1,), (2, 3), (7, 5)))),
            lambda: array * np.nan if array.dtype.kind == "f" else array[None],
            lambda: array[None],
            lambda: np.array(["a", "$(echo forged)"]),
            lambda: np.array([{"a": 1}], dtype=object),
            lambda: np.zeros(3, dtype=[("a", "i4"), ("b", "f8")]),
            lambda: np.array(b"bytes"),
            lambda: np.full((50, 50), 7, np.float32),
        )
    )()


def flip(chance: random.Random, target: Target) -> bytes:
    content = bytearray(target.whole)
    for _ in range(chance.choice((1, 1, 2, 8))):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def cut(chance: random.Random, target: Target) -> bytes:
    start, end = sorted(chance.sample(range(len(target.whole)), 2))
    filler = chance.choice((b"", bytes(end - start), chance.randbytes(9)))
    return target.whole[:start] + filler + target.whole[end:]


def name_values(chance: random.Random, target: Target) -> bytes:
    """Names and values in the states of callbacks."""
    arrays = dict(target.arrays)
    for _ in range(chance.choice((1, 1, 3))):
        key = chance.choice([key for key in arrays if key.endswith("/plain")])
        state = json.loads(str(arrays[key]))
        names = NAMES if chance.random() < 0.5 else tuple(state) or NAMES
        state[chance.choice(names)] = any_json(chance, target)
        arrays[key] = np.array(json.dumps(state))
    return sign(arrays)


def history(chance: random.Random, target: Target) -> bytes:
    """Rows of the history."""
    arrays = dict(target.arrays)
    rows = json.loads(str(arrays["callback_0/plain"]))["rows"]
    for _ in range(chance.choice((1, 2))):
        row = chance.choice(rows) if rows else {}
        key = chance.choice((*row, "epoch", "$(echo forged)", "=1+1", "a\nb"))
        action = chance.randrange(5)
        if action == 0:
            for row in rows:
                row[key] = 1.0
        elif action == 1:
            row[key] = any_json(chance, target)
        elif action == 2:
            row.pop(key, None)
        elif action == 3:
            rows = [*rows, *rows][: chance.randrange(5)]
        else:
            rows = chance.choice((any_json(chance, target), rows))
            break
    arrays["callback_0/plain"] = np.array(json.dumps({"rows": rows}))
    ended = chance.random() < 0.5
    return sign(arrays, lambda done: json.dumps({**done, "ended": ended}))


def done(chance: random.Random, target: Target) -> bytes:
    """The number of epochs, the settings and the hash."""

    def forged(value: dict[str, Any]) -> str:
        action = chance.randrange(6)
        if action == 0:
            return chance.choice(("[" * 100_000, '{"a":' * 50_000, "", "[]", "{"))
        if action == 1:
            return json.dumps(any_json(chance, target))
        part = value["run"] if action > 3 else value
        key = chance.choice((*part, *part, *NAMES))
        if action == 2:
            part.pop(key, None)
        else:
            part[key] = any_json(chance, target)
        return json.dumps(value)

    return sign(target.arrays, forged)


def change_arrays(chance: random.Random, target: Target) -> bytes:
    """Arrays of other shapes and dtypes, more, fewer or exchanged."""
    arrays = dict(target.arrays)
    keys = [key for key in arrays if key != "done"]
    for _ in range(chance.choice((1, 1, 2))):
        one, two = chance.choice(keys), chance.choice(keys)
        action = chance.randrange(5)
        if action == 0:
            arrays.pop(one, None)
        elif action == 1:
            new = ("variable_99", "callback_9/plain", "callback_1/best_weights/7", "x")
            arrays[chance.choice((*new, "callback_4/kept/x"))] = target.arrays[one]
        elif action == 2:
            arrays[one] = target.arrays[two]
        else:
            arrays[one] = any_array(chance, target.arrays[one])
    return sign(arrays)


def sizes(chance: random.Random, target: Target) -> bytes:
    """Declare more than there is: in the ZIP, or in the header of an array."""
    file = io.BytesIO()
    compression = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with (
        zipfile.ZipFile(io.BytesIO(target.whole)) as old,
        zipfile.ZipFile(file, "w", compression) as new,
    ):
        chosen = chance.choice(old.namelist())
        for name in old.namelist():
            content = old.read(name)
            if name == chosen and compression == zipfile.ZIP_DEFLATED:
                content += bytes(chance.choice((10**6, 3 * 10**7)))
            elif name == chosen:
                shape = chance.choice(((2**40,), (2**31, 2**31), (-1,), (0, 2**62)))
                header = {"descr": "<f8", "fortran_order": False, "shape": shape}
                head = io.BytesIO()
                np.lib.format.write_array_header_1_0(head, header)
                content = head.getvalue() + content[-80:]
            new.writestr(name, content)
    forged = bytearray(file.getvalue())
    if chance.random() < 0.3:  # the sizes in the directory at the end
        entry = forged.rfind(b"PK\x01\x02")
        position = entry + chance.choice((20, 24))
        forged[position : position + 4] = chance.choice((2**31, 2**20)).to_bytes(
            4, "little"
        )
    return bytes(forged)


KINDS: tuple[Callable[[random.Random, Target], bytes], ...] = (
    *(flip, cut, name_values, history, done, change_arrays, sizes),
)


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
                verdict = judge(target, kind(chance, target))
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
