"""What may reach a terminal, and what does."""

import contextlib
import os
import pty
import re
import subprocess
import tty
import unicodedata
from collections.abc import Sequence
from typing import Any

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


def on_terminal(command: Sequence[object], **options: Any) -> tuple[int, str]:
    """Run a command whose output and errors a terminal shows, and return both as one.

    Args:
        command: the program and its arguments.
        **options: for `subprocess.Popen`.

    Returns:
        The exit code and what the terminal got, as it was sent.
    """
    terminal, end = pty.openpty()
    tty.setraw(end)  # so that it does not change the ends of lines
    process = subprocess.Popen(
        list(map(str, command)), stdout=end, stderr=end, **options
    )
    os.close(end)
    shown = b""
    with contextlib.suppress(OSError):  # Linux says so when the other end is closed
        while piece := os.read(terminal, 1 << 16):
            shown += piece
    os.close(terminal)
    return process.wait(timeout=60), shown.decode()
