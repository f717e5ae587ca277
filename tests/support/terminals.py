"""What may reach a terminal."""

import re
import unicodedata

TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
MARKS = "\u061c\u200e\u200f"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def harmful(character: str) -> bool:
    """By Unicode's own tables."""
    return (
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(character) in TURNING
        or character in MARKS
    )


def check_lines(text: str, count: int, kept: str = "") -> None:
    """There are so many lines, in which nothing but colours controls a terminal."""
    lines = COLOURS.sub("", text).split("\n")
    assert lines.pop() == "" and len(lines) == count
    assert not [c for c in "".join(lines) if harmful(c) and c not in kept]
