"""Pairs of texts, a source and its target: reading and splitting."""

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kerasseq.files.reading import shortened
from kerasseq.text.encodings import point_out_controls
from kerasseq.text.reading import read_lines

# A longer line is not a pair of sentences: the file has another format.
MOST_CHARACTERS = 10_000
# More held-out sources would take minutes to translate and show nothing new.
MOST_HELD_OUT = 1_000


class Pair(NamedTuple):
    """A text and what it becomes, such as a sentence and its translation."""

    source: str
    target: str


def read_pairs(path: str | os.PathLike, encoding: str = "utf-8") -> list[Pair]:
    """Read a text file with a source, a tab and its target on each line.

    Whitespace around the two and blank lines are ignored; Windows line ends are
    allowed. So are stray tabs, at the end of a line or between double quotes, where
    they become a space; standard error says how many lines have one.

    Raises:
        ValueError: the file cannot be read as text, holds no pair, or a line does not
            have two columns, has an empty one, or is longer than 10,000 characters.
            The message gives file, line and reason.
    """
    pairs: list[Pair] = []
    stray: list[int] = []
    for number, text in read_lines(path, encoding):
        where = f"{path}:{number}"
        if not text.strip():
            continue
        if len(text) > MOST_CHARACTERS:
            raise ValueError(
                f"{where} has {len(text):,} characters, more than {MOST_CHARACTERS:,}; "
                "give one pair of sentences a line"
            )
        columns = [column.strip() for column in text.split("\t")]
        if len(columns) > 2:
            columns = _without_stray_tabs(columns)
            stray.append(number)
        if len(columns) != 2:
            raise ValueError(
                f"{where} has {len(columns)} columns; give two, a source and its "
                f"target, with one tab between them: {shortened(text)}"
            )
        for column, side in zip(columns, ("source", "target"), strict=True):
            if not column:
                raise ValueError(
                    f"{where} has no {side}; give both, with one tab between them, or "
                    f"take the line out: {shortened(text)}"
                )
        pairs.append(Pair(*columns))
    point_out_controls(path, "".join(text for pair in pairs for text in pair))
    if not pairs:
        raise ValueError(f"{path} holds no pair; give a source, a tab and its target")
    if stray:
        name, count = shortened(str(path)), len(stray)
        print(
            f"{name}: ignored a stray tab in each of {count:,} lines; the first is "
            f"line {stray[0]}",
            file=sys.stderr,
        )
    return pairs


def _without_stray_tabs(columns: Sequence[str]) -> list[str]:
    """Columns without empty ones at the end, or joined within double quotes."""
    columns = list(columns)
    while len(columns) > 2 and not columns[-1]:
        columns.pop()
    joined: list[str] = []
    inside = False
    for column in columns:
        if inside:
            joined[-1] += f" {column}"
        else:
            joined.append(column)
        inside ^= bool(column.count('"') % 2)
    return joined if len(joined) == 2 else columns


def split_by_source(
    pairs: Sequence[Pair], fraction: float = 0.1, seed: int = 0
) -> tuple[list[Pair], list[Pair]]:
    """Hold out a fraction of the sources with all their targets.

    Args:
        pairs: with at least two different sources.
        fraction: of the sources to hold out: at least one of them, at most 1,000 and
            never all.
        seed: decides which.

    Returns:
        The pairs to learn from and those held out, both in the order of `pairs`. No
        source is in both.

    Raises:
        ValueError: all pairs have the same source.
    """
    sources = list(dict.fromkeys(pair.source for pair in pairs))
    if len(sources) < 2:
        raise ValueError(
            f"all {len(pairs)} pairs have the source {shortened(sources[0])}; give at "
            "least two sources, one to learn from and one to hold out"
        )
    count = min(max(1, round(fraction * len(sources))), MOST_HELD_OUT, len(sources) - 1)
    order = np.random.default_rng(seed).permutation(len(sources))
    chosen = {sources[index] for index in order[:count]}
    return (
        [pair for pair in pairs if pair.source not in chosen],
        [pair for pair in pairs if pair.source in chosen],
    )
