"""Runs that are disturbed and resumed, and what differs from an undisturbed one."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
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
    """One of a run's changes to the file system: when, what, and to which file.

    What is in an unfinished directory has that directory's name.
    """

    seconds: float
    event: str
    name: str

    @classmethod
    def read(cls, note: str) -> "Change":
        seconds, event, path = note.split(maxsplit=2)
        unfinished = [part for part in Path(path).parts if part.startswith(".partial-")]
        return cls(float(seconds), event, [*unfinished, Path(path).name][0])


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
        self,
        out: Path,
        *arguments: str,
        program: tuple[str, ...] = (),
        log_name: str = "log",
    ) -> subprocess.Popen:
        with (self.folder / log_name).open("w") as log:
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

    def killed_in_the_third_round(self, name: str) -> Path:
        """The folder of a run with two checkpoints."""
        rows = [
            number
            for number, change in enumerate(self.changes)
            if change.event == "os.rename" and change.name.endswith("history.csv")
        ]
        return self.aim(self.folder / name, self.beginning(rows[2]), 0.0)

    def beginning(self, number: int) -> int:
        """The change, its folder's, before the first change to an unfinished file."""
        return [each.name for each in self.changes].index(self.changes[number].name) - 1

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
        return f"while {half[0].split('-', 2)[2]} was written"
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
