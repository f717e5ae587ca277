"""Reading a file piece by piece, with a bar on stderr where it takes long."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# Bytes. All that is made of a piece stays in a processor's cache.
PIECE = 1 << 20
WIDTH = 30


def read_with_progress(path: Path, title: str, size: int = PIECE) -> Iterator[bytes]:
    """Read a file piece by piece, and show on stderr how far it is.

    What is done within a second shows nothing. After that a terminal has a bar; a log
    gets a line every ten seconds.

    Args:
        path: the file.
        title: what is done with it.
        size: bytes of a piece.
    """
    terminal = sys.stderr.isatty()
    wait, end = (0.2, "\r") if terminal else (10.0, "\n")
    start = time.monotonic()
    due, shown, done = start + max(wait, 1.0), False, 0
    try:
        with path.open("rb") as file:
            total = os.fstat(file.fileno()).st_size
            while piece := file.read(size):
                yield piece
                done += len(piece)
                now = time.monotonic()
                if now >= due or (shown and terminal and done == total):
                    line = f"{title} {progress_bar(done, total, now - start)}"
                    print(line, end=end, file=sys.stderr, flush=True)
                    due, shown = now + wait, True
    finally:
        if shown and terminal:
            print(file=sys.stderr)


def progress_bar(done: int, total: int, seconds: float) -> str:
    """How much of `total` bytes is done after so many seconds, in ASCII.

    Example:
        >>> progress_bar(300_000_000, 1_000_000_000, 2.0)
        '[#########.....................]  30% of 1,000 MB, 150 MB/s'
    """
    part = min(1.0, done / max(1, total))  # a file may grow, and a pipe has no size
    filled = int(part * WIDTH)
    rate = done / max(seconds, 1e-9) / 1e6
    return (
        f"[{'#' * filled}{'.' * (WIDTH - filled)}] {part:4.0%} of "
        f"{total / 1e6:,.0f} MB, {rate:,.0f} MB/s"
    )
