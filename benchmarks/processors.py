"""Do exported files answer on ARM processors as on this one?

    python -m benchmarks.processors FOLDER [--texts FILE] [--cache DIR]

Runs every `.tflite` below a folder here and on emulated ARM64 processors, and prints a
table. A character model writes a greedy and a sampled text and predicts another; the
other models read lines. Speeds under emulation say nothing of a phone's.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.emulation import PROCESSORS, command, set_up
from benchmarks.processor_answers import NEUTRAL, Answers
from kerasseq.on_device.card import CHARACTERS, TRANSLATOR
from kerasseq.on_device.generate import Writer
from kerasseq.on_device.model_file import Model

ROOT = Path(__file__).parents[1]
CACHE = Path(tempfile.gettempdir()) / "kerasseq-arm64"


class Difference(NamedTuple):
    """How the answers of a file on a processor differ from those on this machine.

    Attributes:
        same: for a character model, how many characters of the greedy and of the
            sampled text come before the first that differs; else how many answers are
            the same.
        of: how many there are: characters of each text, or answers.
        loss: by how many nats a character, or a translation, is less likely; NaN for
            models without a loss.
        largest: the largest difference of a probability.
    """

    same: tuple[int, ...]
    of: int
    loss: float
    largest: float


def compare(
    path: Path,
    lines: Sequence[str] = (),
    *,
    cache: Path = CACHE,
    processors: Sequence[str] = PROCESSORS,
    length: int = 500,
    texts: int = 50,
) -> Iterator[tuple[str, Difference]]:
    """Run a file on this machine and on others.

    Args:
        path: of a `.tflite` file.
        lines: what it reads. Without any, a character model reads what it writes
            itself, and another reads random entries of its vocabulary.
        cache: the folder of the emulation, which is set up if it is not there.
        processors: what qemu's `-cpu` names.
        length: characters that are written, and of which the loss is measured.
        texts: how many lines other models read at most.

    Yields:
        Each processor, and how its answers differ.

    Raises:
        OSError: the emulation cannot be set up.
    """
    emulation = set_up(cache)
    model = Model(path)
    given = json.dumps(
        {
            "path": str(path.absolute()),
            "texts": inputs_of(model, lines, length, texts),
            "length": length,
        }
    )
    here = answers([sys.executable], given)
    for processor in processors:
        there = answers(command(emulation, processor, []), given)
        yield processor, difference(model.kind, here, there)


def inputs_of(
    model: Model, lines: Sequence[str], length: int, texts: int
) -> Sequence[str]:
    """What a model reads."""
    if model.kind == CHARACTERS:
        text = "\n".join(lines) or Writer(model).write("", length + 1, **NEUTRAL)
        return [text[-length - 1 :]]
    if lines:
        return lines[-texts:]
    pieces = model.kind == TRANSLATOR
    entries = model.vocabulary["pieces" if pieces else "words"]
    rng = np.random.default_rng(0)
    chosen = (rng.choice(entries, rng.integers(3, 12)) for _ in range(texts))
    return [("" if pieces else " ").join(each) for each in chosen]


def answers(python: Sequence[str], given: str) -> Answers:
    """What a file answers in a Python of its own; see `processor_answers.py`."""
    ended = subprocess.run(
        [*python, "-m", "benchmarks.processor_answers"],
        cwd=ROOT,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise OSError(f"{' '.join(python)} failed: {ended.stderr.strip()[-500:]}")
    return json.loads(ended.stdout)


def difference(kind: str, here: Answers, there: Answers) -> Difference:
    """Compare answers of two processors."""
    (said, probabilities), (said_there, probabilities_there) = here, there
    p, q = np.array(probabilities), np.array(probabilities_there)
    pairs = list(zip(said, said_there, strict=True))
    if kind == CHARACTERS:
        same = tuple(equal_at_first(one, other) for one, other in pairs)
        of = len(said[0])
    else:
        same, of = (sum(one == other for one, other in pairs),), len(pairs)
    loss = float(np.mean(np.log(p / q))) if kind in (CHARACTERS, TRANSLATOR) else np.nan
    return Difference(same, of, loss, float(np.abs(p - q).max(initial=0)))


def equal_at_first(one: Sequence[str], other: Sequence[str]) -> int:
    """How many are the same before the first that differs."""
    pairs = enumerate(zip(one, other, strict=True))
    return next((index for index, (a, b) in pairs if a != b), len(one))


def rows(path: Path, found: Iterable[tuple[str, Difference]]) -> Iterator[str]:
    """A row for each run of processors whose answers are the same."""
    card = Model(path).card
    for each, group in itertools.groupby(found, key=lambda pair: pair[1]):
        names = ", ".join(name for name, _ in group)
        same = ", ".join(f"{count:,}" for count in each.same)
        if set(each.same) == {each.of}:
            same = "all"
        loss = "" if np.isnan(each.loss) else f"{each.loss:+.5f}"
        cells = (path.name, card["kind"], names, f"{same} of {each.of:,}", loss)
        yield f"| {' | '.join(cells)} | {each.largest:.1e} |"


def main() -> int:
    """Print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="with .tflite files, at any depth")
    parser.add_argument(
        "--texts", type=Path, metavar="FILE", help="lines to read, the last ones"
    )
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="DIR")
    parser.add_argument("--characters", type=int, default=500, metavar="N")
    parser.add_argument("--processors", nargs="+", default=PROCESSORS, metavar="CPU")
    options = parser.parse_args()
    paths = sorted(options.folder.rglob("*.tflite"))
    if not paths:
        print(f"error: no .tflite file below {options.folder}", file=sys.stderr)
        return 2
    lines = options.texts.read_text("utf-8").splitlines() if options.texts else ()
    print("| file | kind | processor | the same | loss | probability |")
    print("| --- | --- | --- | --- | --- | --- |")
    try:
        for path in paths:
            found = compare(
                path,
                lines,
                cache=options.cache,
                processors=options.processors,
                length=options.characters,
            )
            for row in rows(path, found):
                print(row, flush=True)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
