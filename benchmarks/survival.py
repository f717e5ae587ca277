"""Does a run that was killed, damaged or out of disk space end like an undisturbed one?

    python -m benchmarks.survival [--kills 20] [--aimed 12] [--damaged 6] [--full 8]
                                  [--frozen 8] [--read-only 9] [--together 6]
                                  [--forged 8]

A small model (two LSTM layers with dropout) is trained and exported once undisturbed,
and then repeatedly with accidents, which are followed by `--resume`:

- kills: SIGKILL at random moments, spread over the whole run; every third run is killed
  twice more while it resumes.
- aimed: SIGKILL while a file is half written, or when it is complete and not yet
  renamed: a third each at checkpoints, exported files and all others.
- damaged: a killed run's checkpoint is truncated, has a bit flipped or is partly zero.
- full: the disk is full before the run ends.
- frozen: the disk freezes, so that writes wait, and is thawed when the run has waited
  for it; every other run is killed in between.
- read-only: the disk becomes read-only, as ext4 does after an error, or is so before
  the start, or before the resume of a killed run. The run ends in one line.
- together: a second run, every other time with `--resume`, starts in the folder of one
  that is at work. It is refused in one line, and the first ends undisturbed.
- forged: a killed run's checkpoint is one that somebody made, with the right hash. The
  resume is refused in one line and changes nothing; then the true one is put back.

Each run must end with the same weights bit for bit, the same history, and exported
files that are equal byte for byte and pass their checks, and must leave no partial file
in its folder. Otherwise the exit code is 1. The same seed gives the same accidents. All
of it takes half an hour. The disks are mounted, which requires root; where the system
does not permit it, the part is left out, with a line that says why.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.survival_accidents import aimed, damaged, killed
from benchmarks.survival_disks import frozen, full, read_only, why_not
from benchmarks.survival_intruders import forged, together
from benchmarks.survival_runs import Ending, Runs

PARTS: dict[str, tuple[Callable[[Runs, int], Iterator[Ending]], int]] = {
    "kills": (killed, 20),
    "aimed": (aimed, 12),
    "damaged": (damaged, 6),
    "full": (full, 8),
    "frozen": (frozen, 8),
    "read-only": (read_only, 9),
    "together": (together, 6),
    "forged": (forged, 8),
}


def survive(counts: dict[str, int], seed: int = 0) -> dict[str, list[Ending]]:
    """Let this many accidents of each kind happen, and print each when it ends."""
    endings: dict[str, list[Ending]] = {}
    with tempfile.TemporaryDirectory() as directory:
        runs = Runs(Path(directory).resolve())
        print(f"the undisturbed run takes {runs.ends:.1f} s", flush=True)
        for part, count in counts.items():
            if not count:
                continue
            if reason := why_not(part, runs.folder):
                print(f"{part}: left out, since it is not permitted here ({reason})")
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
    counts = {part: getattr(options, part.replace("-", "_")) for part in PARTS}
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
