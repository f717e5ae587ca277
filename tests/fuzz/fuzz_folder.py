"""Damaged and forged files of a run's folder: refused in one line, or read.

    python -m tests.fuzz.fuzz_folder 10000 [KIND ...]

prints how often each kind of file was read, refused, or neither. A case that ends its
process with a signal, as HDF5's own faults may, is counted apart, and the next process
goes on behind it.
"""

import copy
import io
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from kerasseq.files.keras_models import load_model
from kerasseq.files.labels import read_labels, write_labels
from kerasseq.files.report import as_markdown, read_report
from kerasseq.on_device.command import visible
from kerasseq.text.characters import Vocabulary
from kerasseq.text.keyboard import TypedVocabulary
from kerasseq.text.words import SPECIALS, WordVocabulary

SAVED = sorted((Path(__file__).parents[1] / "saved").glob("*.keras"))
MOST_SECONDS, MOST_MEMORY = 20, 1 << 20  # KiB


class Canary(keras.layers.Layer):
    """A class of another package; each of them that is built is counted."""

    built_so_far = 0

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        Canary.built_so_far += 1

    def call(self, x: Any) -> Any:
        return x


def canary_function(x: Any) -> Any:
    Canary.built_so_far += 1
    return x


for each, name in ((Canary, "other>Canary"), (canary_function, "other>canary")):
    keras.saving.get_custom_objects()[name] = each


def node(name: str, module: Any = "keras.layers", **more: Any) -> dict[str, Any]:
    return {"class_name": name, "module": module, "config": {}, **more}


HOSTILE: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 3, 2**31, 10**9, 10**18, -(10**18), 0.5, 1e308),
    *(float("nan"), float("inf"), "", "a", "a" * 999, "\ud800", "\x1b[31m", "a\nb"),
    *("/etc/passwd", "../x", "other>Canary", "other>canary", "canary", "<b>", "\u202e"),
    *([], {}, [[]], [1], ["a"], ["a", "a"], [None], {"": []}, "O", "B-x", "float64"),
    *(node("Canary", registered_name="other>Canary"), node("other>Canary", None)),
    *(node("Canary", "other", registered_name="other>Canary"), node("Lambda")),
    node("function", "builtins", config="canary", registered_name="other>canary"),
    node("StringLookup", config={"vocabulary": "/etc/passwd"}),
    node("TFSMLayer", config={"filepath": "/etc"}),
    node("Dense", config={"units": 10**9}),
    node("GRU", config={"units": 10**9}),
    node("Embedding", config={"input_dim": 10**9, "output_dim": 9}),
    node("Dense", "tests.fuzz.fuzz_folder"),
    node("__numpy__", config={"value": "a", "dtype": "S1000000000"}),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each container in a JSON value with each of its keys."""
    found, left = [], [value]
    while left:
        outer = left.pop()
        if isinstance(outer, dict | list):
            keys = list(outer) if isinstance(outer, dict) else list(range(len(outer)))
            found += [(outer, key) for key in keys]
            left += [outer[key] for key in keys]
    return found


def forge(value: Any, numbers: random.Random) -> Any:
    """A JSON value with one to three hostile changes."""
    value = copy.deepcopy(value)
    for _ in range(numbers.randint(1, 3)):
        spots = places(value)
        if not spots:
            return numbers.choice(HOSTILE)
        outer, key = numbers.choice(spots)
        kind = numbers.randrange(8)
        if kind == 0:
            del outer[key]
        elif kind == 1 and isinstance(outer, list):
            outer.insert(key, copy.deepcopy(outer[key]))
        elif kind == 2:
            other, its = numbers.choice(spots)
            outer[key] = copy.deepcopy(other[its])
        elif kind == 3 and isinstance(outer, dict):
            outer[numbers.choice(["", "config", "class_name", "a\n"])] = outer[key]
        else:
            outer[key] = copy.deepcopy(numbers.choice(HOSTILE))
    return value


def spoil(content: bytes, numbers: random.Random) -> bytes:
    """Bytes with a piece cut out, doubled, or replaced."""
    data = bytearray(content)
    for _ in range(numbers.choice((1, 1, 1, 2, 20))):
        at, size = numbers.randrange(len(data) + 1), numbers.choice((1, 1, 4, 8, 100))
        piece = numbers.choice(
            (b"", numbers.randbytes(size), b"\xff" * size, b"\0" * size)
        )
        data[at : at + numbers.choice((0, len(piece), size))] = piece
    return bytes(
        data[: numbers.choice((len(data), len(data), numbers.randrange(len(data) + 1)))]
    )


def forged_json(value: Any, numbers: random.Random) -> bytes:
    """The text of a JSON file that is forged, damaged, deep, or large."""
    kind = numbers.randrange(12)
    if kind == 0:
        depth = 10 ** numbers.randint(1, 5)
        return b'{"a":' * depth + b"1" + b"}" * depth
    if kind == 1:
        return b"[" + b"[]," * 10 ** numbers.randint(1, 5) + b"1]"
    if kind < 4:
        return spoil(json.dumps(value).encode(), numbers)
    return json.dumps(forge(value, numbers)).encode()


def forged_keras(numbers: random.Random) -> bytes:
    """A `.keras` file with right checksums around forged or damaged content."""
    with zipfile.ZipFile(numbers.choice(SAVED)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    kind = numbers.randrange(10)
    if kind < 6:
        files["config.json"] = forged_json(config, numbers)
    if kind in (5, 6, 7):
        name = "model.weights.h5"
        files[name] = spoil(files[name], numbers)
    if kind == 8:
        name = numbers.choice(
            [*files, "model.weights.h5", "../x", "assets/vocabulary.txt"]
        )
        files[name] = bytes(10 ** numbers.randint(0, 8))
    content = io.BytesIO()
    stored = numbers.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(content, "w", stored) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return spoil(content.getvalue(), numbers) if kind == 9 else content.getvalue()


CHARACTERS = {"characters": sorted("abc é\n")}
WORDS = {"words": [*SPECIALS, ".", "a", "b"]}
REPORT = {
    "char_rnn": {"loss": 1.5, "corpus": "a.txt", "files": {"a": {"bytes": 1}}},
    "export": {"checks": [{"file": "a", "passed": True}], "left out": ["a", "b"]},
}
# For each kind: the name of its file, a forged content, and what reads it.
KINDS: dict[
    str, tuple[str, Callable[[random.Random], bytes], Callable[[Path], Any]]
] = {
    "keras": (
        "model.keras",
        forged_keras,
        lambda path: load_model(path, compile=path.stat().st_size % 2 == 0),
    ),
    "characters": (
        "vocabulary.json",
        lambda numbers: forged_json(CHARACTERS, numbers),
        lambda path: Vocabulary.load(path).save(path),
    ),
    "words": (
        "vocabulary.json",
        lambda numbers: forged_json(WORDS, numbers),
        lambda path: WordVocabulary.load(path).save(path),
    ),
    "typed words": (
        "vocabulary.json",
        lambda numbers: forged_json(WORDS, numbers),
        lambda path: TypedVocabulary.load(path).save(path),
    ),
    "labels": (
        "labels.json",
        lambda numbers: forged_json({"labels": ["good", "bad", "好"]}, numbers),
        lambda path: write_labels(read_labels(path), path),
    ),
    "tags": (
        "tags.json",
        lambda numbers: forged_json({"tags": ["O", "B-x", "I-x"]}, numbers),
        lambda path: write_labels(read_labels(path), path),
    ),
    "report": (
        "report.json",
        lambda numbers: forged_json(REPORT, numbers),
        lambda path: as_markdown(read_report(path.parent)).encode(),
    ),
}


def judge(kind: str, seed: int, folder: Path) -> str:
    """Read one forged file, and say what came of it: "read", "refused" or a fault."""
    name, make, read = KINDS[kind]
    path = folder / name
    path.write_bytes(make(random.Random(f"{kind} {seed}")))
    built, start = Canary.built_so_far, time.monotonic()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        read(path)
        verdict = "read"
    except ValueError as error:
        line = str(error)
        whole = (
            str(path) in line and len(line.splitlines()) == 1 and line == visible(line)
        )
        verdict = "refused" if whole else f"REFUSED BADLY: {line!r}"
    except BaseException as error:
        verdict = f"TRACEBACK: {error!r}"
    if Canary.built_so_far != built:
        verdict = "FOREIGN CODE"
    if time.monotonic() - start > MOST_SECONDS:
        verdict = "SLOW"
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory > MOST_MEMORY:
        verdict = "MEMORY"
    return verdict


def fuzz(kind: str, count: int, start: int = 0) -> Counter[str]:
    """Judge some cases in this process; raises AssertionError at a fault."""
    verdicts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(start, start + count):
            verdict = judge(kind, seed, Path(folder))
            assert verdict in ("read", "refused"), f"{kind}, seed {seed}: {verdict}"
            verdicts[verdict] += 1
    return verdicts


def work(kind: str, start: int, end: int) -> None:
    """Print a line for each case."""
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(start, end):
            print(f"{seed} {judge(kind, seed, Path(folder))}", flush=True)


def fuzz_apart(kind: str, count: int) -> Counter[str]:
    """Judge cases in other processes, and go on behind one that a signal ends."""
    verdicts: Counter[str] = Counter()
    done = 0
    while done < count:
        program = [sys.executable, "-m", "tests.fuzz.fuzz_folder", "--work", kind]
        with subprocess.Popen(
            [*program, str(done), str(count)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdout
            for line in process.stdout:
                _, _, verdict = line.rstrip("\n").partition(" ")
                done += 1
                if verdict not in ("read", "refused"):
                    print(f"{kind}, seed {done - 1}: {verdict[:400]}", flush=True)
                verdicts[verdict.partition(":")[0]] += 1
        if done < count:
            print(f"{kind}, seed {done}: ended with {process.returncode}", flush=True)
            verdicts[f"signal {-process.returncode}"] += 1
            done += 1
    return verdicts


if __name__ == "__main__":
    if sys.argv[1] == "--work":
        work(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        for chosen in sys.argv[2:] or KINDS:
            begun = time.monotonic()
            counts = dict(sorted(fuzz_apart(chosen, int(sys.argv[1])).items()))
            print(f"{chosen}: {counts} in {time.monotonic() - begun:.0f} s", flush=True)
