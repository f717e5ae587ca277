"""Open files with hostile flatbuffers: `python tests/fuzz/fuzz_model.py`.

The flatbuffers of real files of every kind and format are changed, as bytes, as objects
of the schema and in the numbers of small constants, and put back with right hashes.
Each file is opened, shown and used in a process of its own, since LiteRT trusts a
flatbuffer and can crash. A case must end in an answer or in one line; those that end in
a traceback, in a signal or not in 20 seconds are counted apart. The last is no fault: a
model may hold an endless loop. The cases are random with a fixed seed; --first N
--cases 1 runs one again.
"""

import argparse
import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ai_edge_litert import interpreter  # noqa: F401  (before the fork, to save time)

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from kerasseq.on_device import show  # noqa: E402
from kerasseq.on_device.model_file import Model  # noqa: E402
from kerasseq.on_device.opening import open_tflite  # noqa: E402
from tests.fuzz.contradictions import change_meaning  # noqa: E402
from tests.fuzz.hostile import (  # noqa: E402
    Sample,
    change_bytes,
    change_numbers,
    change_objects,
    put_together,
    take_apart,
)

SECONDS = 20  # that a case may take; the slowest sample takes less than one
BYTES = 2**33  # of address space that it may take
REFUSED, TRACEBACK = 3, 4
CHANGES = {
    "bytes": change_bytes,
    "objects": change_objects,
    "numbers": change_numbers,
    "meaning": change_meaning,
}


def use(path: Path) -> None:
    """Open a file, show it and let it answer twice."""
    show.describe(Model(path))
    opened: Any = open_tflite(path)
    texts = "the cat sat", "a b " * 20
    if hasattr(opened, "write"):
        for text in texts:
            opened.write(text, 40, temperature=0.8, seed=1)
        return
    if hasattr(opened, "translate"):
        for text in texts:
            opened.translate(text, 4)
            opened.translate(text, temperature=0.8, seed=1)
        return
    answer = next(
        getattr(opened, name)
        for name in ("suggest", "classify", "tag", "encode")
        if hasattr(opened, name)
    )
    for text in texts:
        answer(text)


def judge(path: Path) -> tuple[str, str]:
    """How a file ends in a process of its own: one word, and what it said."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        # Whatever happens, the child ends here.
        with contextlib.suppress(BaseException):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            code, said = 0, ""
            try:
                use(path)
            except ValueError as error:
                said = str(error)
                code = TRACEBACK if len(said.splitlines()) != 1 else REFUSED
            except BaseException:
                code, said = TRACEBACK, traceback.format_exc()
            os.write(writing, said.encode("utf-8", "backslashreplace")[-4000:])
            os._exit(code)
        os._exit(TRACEBACK)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0:
        name = signal.Signals(-code).name
        return ("hang" if name == "SIGALRM" else "signal"), name
    return {0: "fine", REFUSED: "refused"}.get(code, "traceback"), said


def fuzz(
    samples: dict[str, Sample],
    cases: Sequence[int],
    save: Path | None,
    ways: Sequence[str],
) -> dict[str, Counter]:
    """Run the cases with these numbers, and count how they end, by kind of change."""
    counts = {way: Counter() for way in ("whole", *CHANGES)}
    said: Counter = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        for name, sample in samples.items():
            path.write_bytes(put_together(sample, sample.flatbuffer))
            verdict, reason = judge(path)
            assert verdict == "fine", f"{name} itself: {verdict}: {reason}"
            counts["whole"][verdict] += 1
        for index in cases:
            chance = random.Random(f"hostile {index}")
            name = chance.choice(sorted(samples))
            way = chance.choice(ways)
            changed = None
            while changed is None:
                with contextlib.suppress(Exception):  # what cannot even be packed
                    changed = CHANGES[way](chance, samples[name])
            path.write_bytes(put_together(samples[name], changed))
            verdict, reason = judge(path)
            counts[way][verdict] += 1
            if verdict not in ("fine", "refused"):
                last = (reason.strip().splitlines() or ["?"])[-1]
                said[f"{verdict}: {last[:150]}"] += 1
                print(
                    f"case {index}, {name}, {way}: {verdict}: {last[:200]}", flush=True
                )
                if save:
                    (save / f"{index}-{verdict}.tflite").write_bytes(path.read_bytes())
    for text, count in said.most_common(40):
        print(f"{count:6} {text}")
    return counts


def make_samples(folder: Path) -> None:
    """Export small models of every kind and format, in a process of its own."""
    if not list(folder.glob("*.tflite")):
        program = [sys.executable, "-m", "tests.support.small_files", str(folder)]
        subprocess.run(program, cwd=ROOT, check=True, capture_output=True)


def main() -> int:
    """Print the counts; the exit code says whether every case ended as required."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--ways", nargs="+", choices=CHANGES, default=list(CHANGES))
    parser.add_argument("--files", type=Path, help="samples; made where there are none")
    parser.add_argument("--save", type=Path, help="for files that end badly")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = options.files or Path(folder)
        for each in (files, options.save):
            if each:
                each.mkdir(parents=True, exist_ok=True)
        make_samples(files)
        samples = {path.stem: take_apart(path) for path in files.glob("*.tflite")}
        cases = range(options.first, options.first + options.cases)
        counts = fuzz(samples, cases, options.save, options.ways)
    verdicts = "fine", "refused", "traceback", "signal", "hang"
    print(f"| change | {' | '.join(verdicts)} |\n|{' --- |' * 6}")
    for way, found in counts.items():
        print(f"| {way} | {' | '.join(str(found[each]) for each in verdicts)} |")
    bad = sum(found["traceback"] + found["signal"] for found in counts.values())
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
