"""How fast does the C program write, beside generate.py?

    make -C export/c
    python -m benchmarks.c_program FILE.tflite ...

Each starts as a process of its own, in turn, and prints the milliseconds to its first
64 characters and the microseconds of each character after them: the best of some runs.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAMS = {
    "C": [str(ROOT / "export" / "c" / "kerasseq")],
    "Python": [sys.executable, str(ROOT / "kerasseq" / "on_device" / "generate.py")],
}
FIRST = 64


def measure(command: Sequence[str], length: int) -> tuple[float, float]:
    """Milliseconds to the first characters, microseconds a character afterwards."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.read(FIRST)
        first = time.perf_counter()
        process.stdout.read()
        end = time.perf_counter()
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return (first - start) * 1e3, (end - first) / (length - FIRST) * 1e6


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", help="character models")
    parser.add_argument("--length", type=int, default=5000)
    parser.add_argument("--times", type=int, default=9)
    options = parser.parse_args()
    print("| file | program | ms to 64 characters | µs a character |")
    print("|---|---|---|---|")
    for file in options.files:
        arguments = [file, "--prompt=Once", f"--length={options.length}", "--seed=1"]
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
        for _ in range(options.times):
            for name, program in PROGRAMS.items():
                found[name].append(measure([*program, *arguments], options.length))
        for name, pairs in found.items():
            first, rest = map(min, zip(*pairs, strict=True))
            print(f"| {Path(file).name} | {name} | {first:.0f} | {rest:.1f} |")


if __name__ == "__main__":
    main()
