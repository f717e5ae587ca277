"""How fast does a command answer?

    python -m benchmarks.startup [--file FILE.tflite] [--runs N] [--old CHECKOUT]

Seconds from the start of a process to its first byte on standard output: the median and
the range of some runs. With a file of a character model, `write` is measured too. With
a checkout of an earlier state, the help of its `train_all.py` is measured too.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def first_byte(command: Sequence[str], folder: Path) -> float:
    """Seconds until a command, run in a folder, writes its first byte."""
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
    ) as process:
        assert process.stdout  # it is a pipe
        if not process.stdout.read(1):
            raise ValueError(f"{' '.join(command)} wrote nothing")
        seconds = time.perf_counter() - start
        process.kill()
    return seconds


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--file", type=Path, help="a .tflite of a character model")
    parser.add_argument("--runs", type=int, default=11, help="of each command (11)")
    parser.add_argument("--old", type=Path, help="a checkout of an earlier state")
    options = parser.parse_args()
    commands = {
        "kerasseq --help": ("-m kerasseq --help", ROOT),
        "kerasseq train --help": ("-m kerasseq train --help", ROOT),
        "train_all.py --help": ("train_all.py --help", ROOT),
    }
    if options.file:
        arguments = f"{options.file.resolve()} --prompt a --length 1000"
        commands["kerasseq write"] = (f"-m kerasseq write {arguments}", ROOT)
        copied = f"kerasseq/on_device/generate.py {arguments}"
        commands["generate.py, copied"] = (copied, ROOT)
    if options.old:
        commands["train_all.py --help, before"] = ("train_all.py --help", options.old)
    print("| command | median, s | from | to |\n| --- | --- | --- | --- |")
    for name, (arguments, folder) in commands.items():
        command = [sys.executable, *arguments.split()]
        times = [first_byte(command, folder) for _ in range(options.runs)]
        median, low, high = statistics.median(times), min(times), max(times)
        print(f"| {name} | {median:.2f} | {low:.2f} | {high:.2f} |", flush=True)


if __name__ == "__main__":
    main()
