"""Run generate.py as a user does, and measure its time and memory."""

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

PROGRAM = Path(__file__).parents[1] / "on_device" / "generate.py"


class Run(NamedTuple):
    """What the command wrote and used.

    Attributes:
        text: the written text.
        seconds: from the command to the first character, including Python's start.
        peak_megabytes: the peak of its memory; None on systems other than Linux.
    """

    text: str
    seconds: float
    peak_megabytes: float | None


def run_command(path: Path, prompt: str, length: int, seed: int) -> Run:
    """Write a text at temperature 1 with generate.py, in a process of its own.

    Raises:
        OSError: the command ended before it had written `length` characters.
    """
    # It has more to write than is read, so that it is still running when measured.
    arguments = f"--length {length + 10**6} --seed {seed} --temperature 1"
    process = subprocess.Popen(
        [sys.executable, "-E", "-s", str(PROGRAM), str(path), *arguments.split()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
    )
    start = time.perf_counter()
    with process:
        assert process.stdin and process.stdout  # pipes were asked for
        process.stdin.write(prompt.encode())
        process.stdin.close()
        written = process.stdout.read(1)
        seconds = time.perf_counter() - start
        while len(written.decode(errors="ignore")) < length:
            more = process.stdout.read(1 << 16)  # what is there
            if not more:
                raise OSError(f"{PROGRAM.name} wrote {len(written)} bytes and ended")
            written += more
        peak = _peak_megabytes(process.pid)
        process.kill()
    return Run(written.decode(errors="ignore")[:length], seconds, peak)


def _peak_megabytes(process_id: int) -> float | None:
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else None
