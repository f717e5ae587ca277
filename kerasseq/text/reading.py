"""UTF-8 files read piece by piece, since a text may be larger than memory."""

import codecs
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from kerasseq.text.progress import PIECE, read_with_progress


def read_text(path: str | os.PathLike) -> str:
    """Read a UTF-8 file to the last character; line ends stay as they are.

    A byte order mark at the start is not part of the text.

    Raises:
        ValueError: the file is missing, a directory, unreadable, empty, binary or not
            UTF-8; the message says which, and at which byte.
    """
    return "".join(read_characters(path))


def read_characters(
    path: str | os.PathLike, title: str = "reading", size: int = PIECE
) -> Iterator[str]:
    """Read what `read_text` reads, piece by piece.

    Args:
        path: the file.
        title: label of the progress bar, e.g. "reading".
        size: bytes of a piece, at least 3.

    Yields:
        Texts, which together are the whole.

    Raises:
        ValueError: as `read_text`, once the reading comes to the fault.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for place, piece in read_bytes(path, title, size):
            # The first bytes of a character wait in the decoder for the rest of it.
            start = place - len(decoder.getstate()[0])
            yield decoder.decode(piece)
        start = place + len(piece) - len(decoder.getstate()[0])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8: byte {start + error.start} is "
            f"0x{error.object[error.start]:02x} ({error.reason}); convert it, for "
            "example with iconv -f latin1 -t utf-8"
        ) from None


def hash_text(path: str | os.PathLike) -> str:
    """SHA-256 of a text file without its byte order mark, in hexadecimal.

    Raises:
        ValueError: as `read_bytes`.
    """
    digest = hashlib.sha256()
    for _, piece in read_bytes(path, "hashing"):
        digest.update(piece)
    return digest.hexdigest()


def read_bytes(
    path: str | os.PathLike, title: str, size: int = PIECE
) -> Iterator[tuple[int, bytes]]:
    """Read a text file's bytes without its byte order mark, piece by piece.

    Args:
        path: the file.
        title: label of the progress bar, e.g. "hashing".
        size: bytes of a piece, at least 3.

    Yields:
        Where in the file a piece begins, and the piece.

    Raises:
        ValueError: the file is missing, a directory, unreadable, empty or binary; the
            message says which, and at which byte.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a directory; give a text file")
    place, empty = 0, True
    try:
        for piece in read_with_progress(path, f"{title} {path.name}", size):
            if b"\0" in piece:
                raise ValueError(
                    f"{path} looks binary: byte {place + piece.index(0)} is NUL; give "
                    "a UTF-8 text file"
                )
            text = piece.removeprefix(codecs.BOM_UTF8) if place == 0 else piece
            if text:
                yield place + len(piece) - len(text), text
                empty = False
            place += len(piece)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; give a UTF-8 text file") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if empty:
        raise ValueError(f"{path} is empty; give a file with text in it")
