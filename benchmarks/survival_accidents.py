"""What happens to a run: kills, a damaged checkpoint, a full disk."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.survival_runs import Ending, Runs, phase


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
    killed_run = runs.killed_in_the_third_round("to damage")
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


def can_mount(folder: Path) -> bool:
    """Whether this process may mount a tmpfs."""
    command = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)]
    if not shutil.which("mount"):
        return False
    if subprocess.run(command, capture_output=True).returncode:
        return False
    subprocess.run(["umount", str(folder)], check=True)
    return True
