"""UTF-8 files read in pieces, since a text may be larger than memory."""

import codecs
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from kerasseq.on_device.command import visible
from kerasseq.text.progress import PIECE, read_with_progress

CHANGED = "{} changed while it was read; wait until it is complete"


def read_text(path: str | os.PathLike) -> str:
    """Read a whole UTF-8 file; line ends stay as they are.

    A byte order mark at the start is not part of the text.

    Raises:
        ValueError: the file is missing, a directory, unreadable, empty, binary or not
            UTF-8; the message says which, and at which byte.
    """
    return "".join(read_characters(path))


def read_characters(
    path: str | os.PathLike,
    title: str = "reading",
    size: int = PIECE,
    sha256: str | None = None,
) -> Iterator[str]:
    """Read a UTF-8 file in pieces.

    Args:
        path: the file.
        title: label of the progress bar, e.g. "reading".
        size: bytes of a piece, at least 3.
        sha256: what `hash_text` said of the file; None for any text.

    Yields:
        Texts, which together are what `read_text` returns.

    Raises:
        ValueError: as `read_text`, once it reaches the fault, or at the end if the text
            has another hash.
    """
    decoder, digest = codecs.getincrementaldecoder("utf-8")(), hashlib.sha256()
    try:
        for offset, piece in read_bytes(path, title, size):
            if sha256:
                digest.update(piece)
            # The first bytes of a split character wait in the decoder.
            start = offset - len(decoder.getstate()[0])
            yield decoder.decode(piece)
        start = offset + len(piece) - len(decoder.getstate()[0])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8: byte {start + error.start} is "
            f"0x{error.object[error.start]:02x} ({error.reason}); convert it, for "
            "example with iconv -f latin1 -t utf-8"
        ) from None
    if sha256 and digest.hexdigest() != sha256:
        raise ValueError(CHANGED.format(path))


def is_file(path: Path) -> bool:
    """Whether a path is a regular file, which can be read more than once."""
    try:
        return path.is_file()
    except OSError:  # its name is too long, or a folder cannot be entered
        return False


def read_lines(path: str | os.PathLike) -> Iterator[tuple[int, str]]:
    """Read the lines of a UTF-8 file, each with its number, without the newline.

    Raises:
        ValueError: as `read_bytes`, or a line is not UTF-8.
    """
    content = b"".join(piece for _, piece in read_bytes(path, "reading"))
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}:{number} is not UTF-8: its byte {error.start} is "
                f"0x{line[error.start]:02x} ({error.reason}); convert the file, for "
                "example with iconv -f latin1 -t utf-8"
            ) from None
        yield number, text


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
    """Read a text file's bytes without its byte order mark, in pieces.

    Args:
        path: the file.
        title: label of the progress bar, e.g. "hashing".
        size: bytes of a piece, at least 3.

    Yields:
        The offset of a piece in the file, and the piece.

    Raises:
        ValueError: the file is missing, a directory, unreadable, empty or binary; the
            message says which, and at which byte.
    """
    path = Path(path)
    if "\0" in str(path):
        raise ValueError(f"{str(path)!r} holds NUL, which no file's name may hold")
    offset, empty = 0, True
    try:
        if path.is_dir():
            raise ValueError(f"{path} is a directory; give a text file")
        if path.is_fifo():
            line = f"reading the pipe {path} until it is closed"
            print(visible(line), file=sys.stderr)
        for piece in read_with_progress(path, f"{title} {path.name}", size):
            if b"\0" in piece:
                raise ValueError(
                    f"{path} looks binary: byte {offset + piece.index(0)} is NUL; give "
                    "a UTF-8 text file"
                )
            text = piece.removeprefix(codecs.BOM_UTF8) if offset == 0 else piece
            if text:
                yield offset + len(piece) - len(text), text
                empty = False
            offset += len(piece)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; give a UTF-8 text file") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if empty:
        raise ValueError(f"{path} is empty; give a file with text in it")
