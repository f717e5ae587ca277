"""Text files read in pieces, since a text may be larger than memory."""

import codecs
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from kerasseq.files.reading import shortened
from kerasseq.on_device.command import visible
from kerasseq.text.encodings import advise, marked_encoding
from kerasseq.text.progress import PIECE, read_with_progress

CHANGED = "{} changed while it was read; wait until it is complete"


def read_text(path: str | os.PathLike, encoding: str = "utf-8") -> str:
    """Read a whole text file; line ends stay as they are.

    A byte order mark at the start is not part of the text.

    Raises:
        ValueError: the file is missing, a directory, unreadable, empty, binary or not
            in this encoding; the message says which, and at which byte.
    """
    return "".join(read_characters(path, encoding=encoding))


def read_characters(
    path: str | os.PathLike,
    title: str = "reading",
    size: int = PIECE,
    sha256: str | None = None,
    encoding: str = "utf-8",
) -> Iterator[str]:
    """Read a text file in pieces.

    Args:
        path: the file.
        title: label of the progress bar, e.g. "reading".
        size: bytes of a piece, at least 3.
        sha256: what `hash_text` said of the file; None for any text.
        encoding: of the file.

    Yields:
        Texts, which together are what `read_text` returns.

    Raises:
        ValueError: as `read_text`, once it reaches the fault, or at the end if the text
            has another hash.
    """
    decoder, digest = codecs.getincrementaldecoder("utf-8")(), hashlib.sha256()
    pieces = read_utf8(path, title, size, encoding)
    try:
        for offset, piece in pieces:
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
            f"0x{error.object[error.start]:02x} ({error.reason}); "
            + advise(
                piece + next(pieces, (0, b""))[1], max(0, start + error.start - offset)
            )
        ) from None
    if sha256 and digest.hexdigest() != sha256:
        raise ValueError(CHANGED.format(path))


def is_file(path: Path) -> bool:
    """Whether a path is a regular file, which can be read more than once."""
    try:
        return path.is_file()
    except OSError:  # its name is too long, or a folder cannot be entered
        return False


def read_lines(
    path: str | os.PathLike, encoding: str = "utf-8"
) -> Iterator[tuple[int, str]]:
    """Read the lines of a text file, each with its number, without the newline.

    Raises:
        ValueError: as `read_utf8`, or a line is not UTF-8.
    """
    pieces = read_utf8(path, "reading", encoding=encoding)
    content = b"".join(piece for _, piece in pieces)
    start = 0
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}:{number} is not UTF-8: its byte {error.start} is "
                f"0x{line[error.start]:02x} ({error.reason}); "
                f"{advise(content, start + error.start)}"
            ) from None
        start += len(line) + 1
        yield number, text


def hash_text(path: str | os.PathLike, encoding: str = "utf-8") -> str:
    """SHA-256 of a text as UTF-8 without a byte order mark, in hexadecimal.

    Raises:
        ValueError: as `read_utf8`.
    """
    digest = hashlib.sha256()
    for _, piece in read_utf8(path, "hashing", encoding=encoding):
        digest.update(piece)
    return digest.hexdigest()


def read_utf8(
    path: str | os.PathLike, title: str, size: int = PIECE, encoding: str = "utf-8"
) -> Iterator[tuple[int, bytes]]:
    """Read a text file in pieces as UTF-8, without its byte order mark.

    Args:
        path: the file.
        title: label of the progress bar, e.g. "hashing".
        size: bytes of a piece, at least 3.
        encoding: of the file. What is UTF-8 already is handed on unchecked.

    Yields:
        The offset of a piece in the file, and the piece. None is empty.

    Raises:
        ValueError: the file is missing, a directory, unreadable, empty, binary or not
            in this encoding; the message says which, and at which byte.
    """
    pieces = _read_bytes(Path(path), title, size)
    if encoding != "utf-8":
        pieces = _as_utf8(path, pieces, encoding)
    first = empty = True
    for offset, piece in pieces:
        if first and encoding == "utf-8" and (marked := marked_encoding(piece)):
            sample = shortened(piece[:80].decode(marked, "ignore"))
            raise ValueError(
                f"{path} is not UTF-8: its byte order mark names {marked}, in which it "
                f"begins {sample}: give --encoding {marked}"
            )
        if b"\0" in piece:
            raise ValueError(
                f"{path} looks binary: byte {offset + piece.index(0)} is NUL; give a "
                "UTF-8 text file, or name its --encoding"
            )
        text = piece.removeprefix(codecs.BOM_UTF8) if first else piece
        first = False
        if text:
            yield offset + len(piece) - len(text), text
            empty = False
    if empty:
        raise ValueError(f"{path} is empty; give a file with text in it")


def _read_bytes(path: Path, title: str, size: int) -> Iterator[tuple[int, bytes]]:
    """The bytes of a file in pieces, each with its offset; see `read_utf8`."""
    if "\0" in str(path):
        raise ValueError(f"{str(path)!r} holds NUL, which no file's name may hold")
    offset = 0
    try:
        if path.is_dir():
            raise ValueError(f"{path} is a directory; give a text file")
        if path.is_fifo():
            line = f"reading the pipe {path} until it is closed"
            print(visible(line), file=sys.stderr)
        for piece in read_with_progress(path, f"{title} {path.name}", size):
            yield offset, piece
            offset += len(piece)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; give a UTF-8 text file") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


def _as_utf8(
    path: str | os.PathLike, pieces: Iterator[tuple[int, bytes]], encoding: str
) -> Iterator[tuple[int, bytes]]:
    """Pieces in another encoding as UTF-8; see `read_utf8`."""
    decoder = codecs.getincrementaldecoder(encoding)()
    start = 0
    try:
        for offset, piece in pieces:
            if offset == 0 and not piece.isascii() and _is_utf8(piece):
                raise ValueError(
                    f"{path} is UTF-8, not {encoding}: leave out --encoding"
                )
            start = offset - len(decoder.getstate()[0])
            text = decoder.decode(piece)
            if "\0" in text:
                raise ValueError(f"{path} holds NUL, read as {encoding}; give a text")
            if text:
                yield offset, text.encode()
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise ValueError(
            f"{path} is not {encoding}, which ends at byte "
            f"{start + getattr(error, 'start', 0)}: "
            f"{getattr(error, 'reason', error)}; give another --encoding"
        ) from None


def _is_utf8(piece: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(piece)
    except UnicodeDecodeError:
        return False
    return True
