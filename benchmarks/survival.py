"""Does a run that was killed, damaged or out of disk space end like an undisturbed one?

    python -m benchmarks.survival [--kills 20] [--aimed 12] [--damaged 6] [--full 8]

A small model (two LSTM layers with dropout) is trained and exported once undisturbed,
and then repeatedly with accidents, each of which is followed by `--resume`:

- kills: SIGKILL at random moments, spread over the whole run; every third run is killed
  twice more while it resumes.
- aimed: SIGKILL while a file is half written, or when it is complete and not yet
  renamed: a third each at checkpoints, exported files and all others.
- damaged: a killed run's checkpoint is truncated, has a bit flipped or is partly zero.
- full: the disk is full before the run ends. The disk is a tmpfs, which requires root;
  without it these accidents are left out, with a line that says so.

Each run must end with the same weights bit for bit, the same history, and exported
files that are equal byte for byte and pass their checks, and must leave no partial file
in its folder. Otherwise the exit code is 1. The same seed gives the same accidents. All
of it takes half an hour.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).parents[1]
ARGUMENTS = (
    "--only char_rnn --quick --corpus toy --cell lstm --units 24 --layers 2 "
    "--dropout 0.3 --epochs 36 --length 50"
).split()
# Runs train_all.py, records its changes to the file system below a folder, and kills
# itself some seconds after one of these changes.
AIMED = """
import os, runpy, signal, sys, threading, time
notes, folder, aim, seconds = sys.argv[1:5]
sys.argv = ["train_all.py", *sys.argv[5:]]
changes, noted = [], open(notes, "w")

def kill():
    time.sleep(float(seconds))
    os.kill(os.getpid(), signal.SIGKILL)

def watch(event, arguments):
    if not arguments or not str(arguments[0]).startswith(folder):
        return
    writes = event == "open" and set(arguments[1] or "") & set("wax+")
    if writes or event in ("os.mkdir", "os.remove", "os.rename", "os.rmdir"):
        print(time.perf_counter(), event, arguments[0], file=noted, flush=True)
        changes.append(event)
        if len(changes) == int(aim) + 1:
            threading.Thread(target=kill).start() if float(seconds) else kill()

sys.path.insert(0, os.getcwd())
sys.addaudithook(watch)
runpy.run_path("train_all.py", run_name="__main__")
"""


# When a run was killed, judged by what it left.
TRAINING = "in training, between checkpoints"
FIRST = "in training, before the first checkpoint"
SAVING = "after training: model, samples, pictures"
EXPORTS = "in the exports and their checks"
END = "after the last file"


class Change(NamedTuple):
    """One of a run's changes to the file system: when, what, and to which file."""

    seconds: float
    event: str
    name: str

    @classmethod
    def read(cls, note: str) -> "Change":
        seconds, event, path = note.split(maxsplit=2)
        return cls(float(seconds), event, Path(path).name)


class Ending(NamedTuple):
    """How a run with accidents ended.

    Attributes:
        accidents: what happened to it, in words.
        resumed: whether its last resume finished.
        differences: what differs from the undisturbed run.
        said: the last resume's output.
    """

    accidents: tuple[str, ...]
    resumed: bool
    differences: list[str]
    said: str = ""


class Runs:
    """Runs train_all.py in subfolders of one, with a folder for temporary files.

    Args:
        folder: the one that holds them all.

    Attributes:
        random: chooses the accidents.
        begins, ends: seconds from the start of the undisturbed run to its first folder,
            when imports are over and there is something to lose, and to its end.
        changes: an undisturbed run's changes to the file system.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.random = folder, random.Random()
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.environment = {
            **os.environ,
            "TMPDIR": str(self.temporary),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self.whole = folder / "whole"
        start = time.perf_counter()
        process = self.start(self.whole)
        while not self.whole.exists() and process.poll() is None:
            time.sleep(0.01)
        self.begins = time.perf_counter() - start
        assert process.wait() == 0, (folder / "log").read_text()
        self.ends = time.perf_counter() - start
        again = self.aim(folder / "again", -1, 0.0)
        assert not (found := differences(self.whole, again)), found
        notes = (folder / "notes").read_text().splitlines()
        self.changes = [Change.read(note) for note in notes]
        shutil.rmtree(again)

    def start(
        self, out: Path, *arguments: str, program: tuple[str, ...] = ()
    ) -> subprocess.Popen:
        with (self.folder / "log").open("w") as log:
            return subprocess.Popen(
                [
                    sys.executable,
                    *(program or ("train_all.py",)),
                    *ARGUMENTS,
                    "--out",
                    str(out),
                    *arguments,
                ],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def aim(self, out: Path, change: int, seconds: float) -> Path:
        """Run until some seconds after a change to the file system, by its number."""
        notes = str(self.folder / "notes")
        program = ("-c", AIMED, notes, str(out), str(change), str(seconds))
        self.start(out, program=program).wait()
        return out

    def kill(self, out: Path, moment: float, *arguments: str) -> bool:
        """Run for this many seconds; whether it was killed then or had ended before."""
        process = self.start(out, *arguments)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
        return process.wait() == -signal.SIGKILL

    def resume(self, out: Path, accidents: list[str]) -> Ending:
        """Resume to the end, and compare."""
        code = self.start(out, "--resume").wait()
        said = (self.folder / "log").read_text()
        found = [said[-1000:]] if code else differences(self.whole, out)
        if accidents and accidents[-1] in (SAVING, EXPORTS, END) and "Epoch " in said:
            found.append("it trained again, though the training had ended")
        shutil.rmtree(out)
        return Ending(tuple(accidents), code == 0, found, said)


def differences(whole: Path, out: Path) -> list[str]:
    """What differs from the undisturbed run, in words."""
    found = [f"{path} is left over" for path in out.rglob(".*")]
    found += [f"{name} is missing or new" for name in sorted(names(whole) ^ names(out))]
    for path in whole.rglob("*"):
        other = out / path.relative_to(whole)
        if path.is_file() and other.is_file() and not same(path, other):
            found.append(f"{other} differs")
    report = json.loads((out / "report.json").read_text())
    return found + [
        f"{check['file']}: {check['promise']} fails"
        for check in report["char_rnn_export"]["checks"]
        if not check["passed"]
    ]


def names(out: Path) -> set[str]:
    """All files except the second-last checkpoint, which may be used up."""
    paths = {str(path.relative_to(out)) for path in out.rglob("*")}
    return paths - {"char_rnn/checkpoint_before.npz"}


def same(path: Path, other: Path) -> bool:
    """Whether two files are the same, except times and numbers of a process."""
    if path.suffix in (".keras", ".npz"):
        with zipfile.ZipFile(path) as one, zipfile.ZipFile(other) as two:
            members = set(one.namelist()) - {"metadata.json", "config.json"}
            return set(one.namelist()) == set(two.namelist()) and all(
                one.read(name) == two.read(name) for name in members
            )
    if path.name in ("report.json", "REPORT.md") or path.suffix == ".pb":
        return True  # their checks are compared instead
    return path.read_bytes() == other.read_bytes()


def phase(out: Path) -> str:
    """When a run was killed, judged by what it left."""
    checkpoint = out / "char_rnn" / "checkpoint.npz"
    if half := sorted(path.name for path in out.rglob(".partial-*")):
        return f"while {half[0].removeprefix('.partial-')} was written"
    report = out / "report.json"
    sections = json.loads(report.read_text()) if report.exists() else {}
    if "char_rnn_export" in sections:
        return END
    if "char_rnn" in sections:
        return EXPORTS
    if not checkpoint.exists():
        return FIRST
    with np.load(checkpoint) as arrays:
        return SAVING if json.loads(str(arrays["done"]))["ended"] else TRAINING


def killed(runs: Runs, count: int) -> Iterator[Ending]:
    """SIGKILL at random moments, one in each of `count` periods of the whole run."""
    length = runs.ends - runs.begins
    for index in range(count):
        out, accidents = runs.folder / "killed", []
        moments = [(index + runs.random.random()) / count]
        if index % 3 == 2:  # a resume has less to do
            moments += [runs.random.uniform(0, 0.5), runs.random.uniform(0, 0.5)]
        for number, moment in enumerate(moments):
            resume = ["--resume"] if number else []
            if runs.kill(out, runs.begins + moment * length, *resume):
                accidents.append(phase(out))
        yield runs.resume(out, accidents)


def aimed(runs: Runs, count: int) -> Iterator[Ending]:
    """SIGKILL while a file is written."""
    kinds: dict[str, list[int]] = {"checkpoint": [], "export": [], "other": []}
    for number, change in enumerate(runs.changes):
        # What was written under another name is renamed.
        if change.event == "os.rename" and change.name.startswith(".partial-"):
            exported = change.name.endswith(("saved_model", ".tflite"))
            kept = "checkpoint" if "checkpoint" in change.name else "other"
            kinds["export" if exported else kept].append(number)
    for index in range(count):
        number = runs.random.choice(list(kinds.values())[index % 3])
        seconds = 0.0
        if index % 2 == 0:
            # Some time before that, and after the change before, which opened the file.
            length = runs.changes[number].seconds - runs.changes[number - 1].seconds
            number, seconds = number - 1, runs.random.uniform(0, length)
        out = runs.aim(runs.folder / "aimed", number, seconds)
        yield runs.resume(out, [phase(out)])


def damaged(runs: Runs, count: int) -> Iterator[Ending]:
    """The checkpoint of a run that was killed in its third round is damaged."""
    changes = enumerate(runs.changes)
    rows = [number for number, change in changes if change.name.endswith("history.csv")]
    # Opened, renamed, and looked for once more: three changes per row.
    third = rows[2 * 3]
    killed_run = runs.aim(runs.folder / "to damage", third, 0.0)
    for index in range(count):
        out = runs.folder / "damaged"
        shutil.copytree(killed_run, out)
        path = out / "char_rnn" / "checkpoint.npz"
        content = bytearray(path.read_bytes())
        start = runs.random.randrange(len(content))
        kind = ("cut short", "a bit flipped", "zeros")[index % 3]
        if kind == "cut short":
            del content[start:]
        elif kind == "a bit flipped":
            content[start] ^= 1 << runs.random.randrange(8)
        else:
            end = min(len(content), start + 4096)
            content[start:end] = bytes(end - start)
        path.write_bytes(content)
        ending = runs.resume(out, [kind])
        if "continuing from the one before it" not in ending.said:
            ending.differences.append("the resume did not say that it went back")
        yield ending


def full(runs: Runs, count: int) -> Iterator[Ending]:
    """The disk is full at some point; before the resume it grows."""
    size = sum(path.stat().st_size for path in runs.whole.rglob("*"))
    for index in range(count):
        disk = runs.folder / "disk"
        disk.mkdir(exist_ok=True)
        room = round((index + runs.random.random()) / count * size)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(disk)]
        subprocess.run(mount, check=True)
        try:
            out = disk / "out"
            code = runs.start(out).wait()
            said = (runs.folder / "log").read_text()
            lines = [line for line in said.splitlines() if "cannot be written" in line]
            name = lines[0].split(" cannot")[0].rpartition("/")[2] if lines else "none"
            ordered = code == 1 and len(lines) == 1 and "--resume" in lines[0]
            left = [str(path) for path in disk.rglob(".*")]
            mount = ["mount", "-o", f"remount,size={100 * size}", str(disk)]
            subprocess.run(mount, check=True)
            ending = runs.resume(out, [f"full at {name}"])
            if not ordered or "Traceback" in said or left:
                ending.differences.append(f"code {code}, left {left}: {said[-1000:]}")
            yield ending
        finally:
            subprocess.run(["umount", str(disk)], check=True)


PARTS: dict[str, tuple[Callable[[Runs, int], Iterator[Ending]], int]] = {
    "kills": (killed, 20),
    "aimed": (aimed, 12),
    "damaged": (damaged, 6),
    "full": (full, 8),
}


def can_mount(folder: Path) -> bool:
    """Whether this process may mount a tmpfs."""
    command = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)]
    if not shutil.which("mount"):
        return False
    if subprocess.run(command, capture_output=True).returncode:
        return False
    subprocess.run(["umount", str(folder)], check=True)
    return True


def survive(counts: dict[str, int], seed: int = 0) -> dict[str, list[Ending]]:
    """Let this many accidents of each kind happen, and print each when it ends."""
    endings: dict[str, list[Ending]] = {}
    with tempfile.TemporaryDirectory() as directory:
        runs = Runs(Path(directory).resolve())
        print(f"the undisturbed run takes {runs.ends:.1f} s", flush=True)
        for part, count in counts.items():
            if part == "full" and count and not can_mount(runs.temporary):
                print("full: left out, since a tmpfs cannot be mounted here")
                continue
            endings[part] = []
            runs.random.seed(f"{seed} {part}")  # the same alone or after others
            for ending in PARTS[part][0](runs, count):
                endings[part].append(ending)
                end = "; ".join(ending.differences) or "equal"
                print(f"{part}: {', then '.join(ending.accidents)}: {end}", flush=True)
    return endings


def main() -> int:
    """Print the counts; the exit code says whether every run ended as required."""
    parser = argparse.ArgumentParser(description=__doc__)
    for part, (_, count) in PARTS.items():
        parser.add_argument(f"--{part}", type=int, default=count)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    counts = {part: getattr(options, part) for part in PARTS}
    endings = survive(counts, options.seed)
    print("\n| accident | where | times | resumed to the end | equal |")
    print("| --- | --- | --- | --- | --- |")
    wrong = 0
    for part, found in endings.items():
        times: Counter[str] = Counter()
        resumed: Counter[str] = Counter()
        equal: Counter[str] = Counter()
        for ending in found:
            for where in ending.accidents:
                times[where] += 1
                resumed[where] += ending.resumed
                equal[where] += not ending.differences
            wrong += bool(ending.differences)
        for where in sorted(times):
            numbers = f"{times[where]} | {resumed[where]} | {equal[where]}"
            print(f"| {part} | {where} | {numbers} |")
    total = sum(map(len, endings.values()))
    print(f"{total} runs, {total - wrong} ended like the undisturbed one", end="; ")
    print(f"{(time.perf_counter() - start) / 60:.0f} minutes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
