"""Reading a file in pieces, with a progress bar on stderr if it takes long."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from tqdm import tqdm

from kerasseq.on_device.command import is_terminal, visible

# Bytes. A piece and everything made from it fit in a processor's cache.
PIECE = 1 << 20


class Bar(tqdm):
    """A progress bar on stderr if it takes long; none where stderr is closed.

    The bar appears after a second. A terminal's is updated five times a second, a log's
    every ten seconds.

    Args:
        title: label of the bar, e.g. "reading story.txt".
        **options: of tqdm.
    """

    # tqdm's thread for slow bars would need the memory of a stack.
    monitor_interval = 0

    def __init__(self, *args: Any, title: str = "", **options: Any) -> None:
        super().__init__(
            *args,
            desc=visible(title),
            delay=1.0,
            miniters=1,
            mininterval=0.2 if is_terminal(sys.stderr) else 10.0,
            disable=sys.stderr is None,  # it was closed
            **options,
        )


def read_with_progress(path: Path, title: str, size: int = PIECE) -> Iterator[bytes]:
    """Read a file in pieces and show a progress bar on stderr; see `watched_pieces`."""
    with path.open("rb") as file:
        yield from watched_pieces(file, title, size)


def watched_pieces(file: BinaryIO, title: str, size: int = PIECE) -> Iterator[bytes]:
    """The pieces of an open file, with a progress `Bar`.

    Args:
        file: the file, which stays open.
        title: label of the bar, e.g. "reading story.txt".
        size: bytes in a piece.
    """
    size_of_file = os.fstat(file.fileno()).st_size or None  # a pipe has none
    reader = Bar.wrapattr(file, "read", total=size_of_file, title=title)
    with reader as watched:
        while piece := watched.read(size):
            yield piece
