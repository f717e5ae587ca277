"""What happens to the disk of a run: it is full, frozen or read-only."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.survival_intruders import contents, is_refused
from benchmarks.survival_runs import END, Ending, Runs, differences, phase


def full(runs: Runs, count: int) -> Iterator[Ending]:
    """The disk is full at some point; before the resume it grows."""
    size = sum(path.stat().st_size for path in runs.whole.rglob("*"))
    for index in range(count):
        room = round((index + runs.random.random()) / count * size)
        with tmpfs(runs.folder, room) as disk:
            out = disk / "out"
            code = runs.start(out).wait()
            said = (runs.folder / "log").read_text()
            left = [str(path) for path in disk.rglob(".*")]
            command("mount", "-o", f"remount,size={100 * size}", disk)
            ending = runs.resume(out, [f"full at {unwritten(said)}"])
            if not is_reported(code, said) or left:
                ending.differences.append(f"code {code}, left {left}: {said[-1000:]}")
            yield ending


def frozen(runs: Runs, count: int) -> Iterator[Ending]:
    """The disk freezes; every other run is killed before it is thawed."""
    length = runs.ends - runs.begins
    for index in range(count):
        with ext4(runs.folder) as disk:
            out = disk / "out"
            process = in_its_folder(runs, out)
            time.sleep((index + runs.random.random()) / count * length)
            with freezing(disk):
                while process.poll() is None and not waits_for_a_disk(process):
                    time.sleep(0.1)
                late = process.poll() is not None
                where = END if late else phase(out)
                time.sleep(2)
                went_on = not late and process.poll() is not None
                if index % 2:
                    process.kill()
            if index % 2:
                process.wait()
                ending = runs.resume(out, [f"killed, frozen {where}"])
            else:
                ended = process.wait() == 0
                said = (runs.folder / "log").read_text()
                found = differences(runs.whole, out) if ended else [said[-1000:]]
                ending = Ending((f"frozen {where}",), ended, found)
            if went_on:
                ending.differences.append("it ended on a frozen disk")
            yield ending


def read_only(runs: Runs, count: int) -> Iterator[Ending]:
    """The disk is read-only before a run, before a resume, or from some moment on."""
    length = runs.ends - runs.begins
    for index in range(count):
        with ext4(runs.folder) as disk:
            out = disk / "out"
            moment = (index + runs.random.random()) / count * length
            if index % 3 == 0:
                process = in_its_folder(runs, out)
                time.sleep(moment)
                where = END if process.poll() is not None else phase(out)
                # As ext4 does after an error; what it has not yet written is lost.
                command("mount", "-o", "remount,abort", disk)
                code = process.wait()
                said = (runs.folder / "log").read_text()
                ordered = where == END or is_reported(code, said)
                command("umount", disk)
                command("mount", "-o", "loop", disk.with_suffix(".image"), disk)
                accident = f"read-only {where}"
            else:
                accident = "read-only before the start"
                if index % 3 == 2:
                    runs.kill(out, runs.begins + moment)
                    accident = f"killed {phase(out)}, read-only before the resume"
                before = contents(disk)
                command("mount", "-o", "remount,ro", disk)
                code = runs.start(out, *["--resume"] * (index % 3 == 2)).wait()
                said = (runs.folder / "log").read_text()
                line = f"{out} cannot be written to (Read-only file system)"
                ordered = is_refused(code, said, line) and contents(disk) == before
                command("mount", "-o", "remount,rw", disk)
            ending = runs.resume(out, [accident])
            if not ordered:
                ending.differences.append(f"code {code}: {said[-1000:]}")
            yield ending


def in_its_folder(runs: Runs, out: Path) -> subprocess.Popen:
    """A new run that has its folder."""
    process = runs.start(out)
    while not (out / ".lock").exists() and process.poll() is None:
        time.sleep(0.01)
    return process


def unwritten(said: str) -> str:
    """The name of the file that a run could not write, or `none`."""
    lines = [line for line in said.splitlines() if "cannot be written" in line]
    return lines[0].split(" cannot")[0].rpartition("/")[2] if lines else "none"


def is_reported(code: int, said: str) -> bool:
    """Whether a run ended with 1 and one line on a file that cannot be written."""
    lines = [line for line in said.splitlines() if "cannot be written" in line]
    return (
        code == 1
        and len(lines) == 1
        and "--resume" in lines[0]
        and "Traceback" not in said
    )


def waits_for_a_disk(process: subprocess.Popen) -> bool:
    """Whether a thread of a process is in what Linux calls uninterruptible sleep."""
    states = []
    for path in Path(f"/proc/{process.pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):  # the thread has ended
            states.append(path.read_text().rpartition(") ")[2][0])
    return "D" in states


def command(*arguments: object) -> None:
    """Run a program of the system; what it says becomes the error."""
    line = list(map(str, arguments))
    ran = subprocess.run(line, capture_output=True, text=True)
    if ran.returncode:
        raise OSError(" ".join(ran.stderr.split()) or f"{line} failed")


@contextlib.contextmanager
def tmpfs(folder: Path, size: int) -> Iterator[Path]:
    """A small disk in memory."""
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    command("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk)
    try:
        yield disk
    finally:
        command("umount", "--lazy", disk)  # Ctrl-C leaves a run that uses it


@contextlib.contextmanager
def ext4(folder: Path) -> Iterator[Path]:
    """A small disk in a file."""
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    image = disk.with_suffix(".image")
    with image.open("wb") as file:
        file.truncate(2**26)
    command("mkfs.ext4", "-q", image)
    command("mount", "-o", "loop", image, disk)
    try:
        yield disk
    finally:
        command("umount", "--lazy", disk)  # Ctrl-C leaves a run that uses it


@contextlib.contextmanager
def freezing(disk: Path) -> Iterator[None]:
    """Let all that is written to a disk wait."""
    command("fsfreeze", "--freeze", disk)
    try:
        yield
    finally:
        command("fsfreeze", "--unfreeze", disk)


def why_not(part: str, folder: Path) -> str:
    """Why this process may not do this to a disk, or "" if it may."""
    try:
        if part == "full":
            with tmpfs(folder, 4096):
                pass
        elif part in ("frozen", "read-only"):
            with ext4(folder) as disk, freezing(disk):
                pass
    except OSError as error:  # a program that is missing, too
        return str(error)
    return ""
