"""Checkpoints that somebody has changed: bytes, names, values, arrays and sizes."""

import hashlib
import io
import json
import random
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Sample(NamedTuple):
    """A checkpoint.

    Attributes:
        whole: its bytes.
        arrays: in it, by name.
        victim: a file that no forgery may change.
    """

    whole: bytes
    arrays: Mapping[str, np.ndarray]
    victim: Path


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


def any_json(chance: random.Random, sample: Sample, depth: int = 0) -> Any:
    """A value of any form that JSON has."""
    plain = (
        *(None, True, False, 0, 1, -1, 3, 2**31, 10**30, 0.5, 128.0, -0.0),
        *(float("nan"), float("inf"), "", "a", "$(echo forged)", "\ud800", "\n\x1b[2J"),
        *(str(sample.victim), "x" * 5000, [], {}),
    )
    if depth > 3 or chance.random() < 0.7:
        return chance.choice(plain)
    values = [any_json(chance, sample, depth + 1) for _ in range(chance.randrange(4))]
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


def flip(chance: random.Random, sample: Sample) -> bytes:
    content = bytearray(sample.whole)
    for _ in range(chance.choice((1, 1, 2, 8))):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def cut(chance: random.Random, sample: Sample) -> bytes:
    start, end = sorted(chance.sample(range(len(sample.whole)), 2))
    filler = chance.choice((b"", bytes(end - start), chance.randbytes(9)))
    return sample.whole[:start] + filler + sample.whole[end:]


def name_values(chance: random.Random, sample: Sample) -> bytes:
    """Names and values in the states of callbacks."""
    arrays = dict(sample.arrays)
    for _ in range(chance.choice((1, 1, 3))):
        key = chance.choice([key for key in arrays if key.endswith("/plain")])
        state = json.loads(str(arrays[key]))
        names = NAMES if chance.random() < 0.5 else tuple(state) or NAMES
        state[chance.choice(names)] = any_json(chance, sample)
        arrays[key] = np.array(json.dumps(state))
    return sign(arrays)


def history(chance: random.Random, sample: Sample) -> bytes:
    """Rows of the history."""
    arrays = dict(sample.arrays)
    rows = json.loads(str(arrays["callback_0/plain"]))["rows"]
    for _ in range(chance.choice((1, 2))):
        row = chance.choice(rows) if rows else {}
        key = chance.choice((*row, "epoch", "$(echo forged)", "=1+1", "a\nb"))
        action = chance.randrange(5)
        if action == 0:
            for row in rows:
                row[key] = 1.0
        elif action == 1:
            row[key] = any_json(chance, sample)
        elif action == 2:
            row.pop(key, None)
        elif action == 3:
            rows = [*rows, *rows][: chance.randrange(5)]
        else:
            rows = chance.choice((any_json(chance, sample), rows))
            break
    arrays["callback_0/plain"] = np.array(json.dumps({"rows": rows}))
    ended = chance.random() < 0.5
    return sign(arrays, lambda done: json.dumps({**done, "ended": ended}))


def done(chance: random.Random, sample: Sample) -> bytes:
    """The number of epochs, the settings and the hash."""

    def forged(value: dict[str, Any]) -> str:
        action = chance.randrange(6)
        if action == 0:
            return chance.choice(("[" * 100_000, '{"a":' * 50_000, "", "[]", "{"))
        if action == 1:
            return json.dumps(any_json(chance, sample))
        part = value["run"] if action > 3 else value
        key = chance.choice((*part, *part, *NAMES))
        if action == 2:
            part.pop(key, None)
        else:
            part[key] = any_json(chance, sample)
        return json.dumps(value)

    return sign(sample.arrays, forged)


def change_arrays(chance: random.Random, sample: Sample) -> bytes:
    """Arrays of other shapes and dtypes, more, fewer or exchanged."""
    arrays = dict(sample.arrays)
    keys = [key for key in arrays if key != "done"]
    for _ in range(chance.choice((1, 1, 2))):
        one, two = chance.choice(keys), chance.choice(keys)
        action = chance.randrange(5)
        if action == 0:
            arrays.pop(one, None)
        elif action == 1:
            new = ("variable_99", "callback_9/plain", "callback_1/best_weights/7", "x")
            arrays[chance.choice((*new, "callback_4/kept/x"))] = sample.arrays[one]
        elif action == 2:
            arrays[one] = sample.arrays[two]
        else:
            arrays[one] = any_array(chance, sample.arrays[one])
    return sign(arrays)


def sizes(chance: random.Random, sample: Sample) -> bytes:
    """Declare more than there is: in the ZIP, or in the header of an array."""
    file = io.BytesIO()
    compression = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with (
        zipfile.ZipFile(io.BytesIO(sample.whole)) as old,
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


KINDS: tuple[Callable[[random.Random, Sample], bytes], ...] = (
    *(flip, cut, name_values, history, done, change_arrays, sizes),
)
