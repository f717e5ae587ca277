"""Files and directories that appear whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


class WriteError(OSError):
    """A file could not be written; an older one of that name is unchanged.

    Args:
        path: of the file.
        error: what went wrong, or why in words.
    """

    def __init__(self, path: str | os.PathLike, error: OSError | str) -> None:
        self.reason = str(error)
        if isinstance(error, OSError):
            self.reason = getattr(error, "reason", error.strerror) or str(error)
        super().__init__(f"{path} cannot be written ({self.reason})")


def write_file(path: str | os.PathLike, content: bytes | str) -> Path:
    """Write a file whole: under another name first, then renamed.

    A kill or a full disk leaves the file as it was. Text is written as UTF-8.

    Args:
        path: of the file; its folder is made if missing.
        content: of the file.

    Returns:
        The path.

    Raises:
        WriteError: it cannot be written.
    """
    with replacing(path) as beside:
        data = content.encode() if isinstance(content, str) else content
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    return Path(path)


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Give a path to write to, and rename the file to `path` after the block.

    If the block raises, what it wrote is removed and `path` stays as it was. The
    suffix is kept, since Keras and matplotlib choose the format by it.

    Yields:
        A path in the same folder, so that the last step is a rename.

    Raises:
        WriteError: the block raised an OSError.
    """
    path = Path(path)
    # One name for every attempt, so that the rest of a killed run is overwritten.
    beside = path.with_name(f".partial-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        beside.replace(path)
    except OSError as error:
        raise WriteError(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


def replace_directory(path: str | os.PathLike, write: Callable[[Path], Any]) -> Path:
    """Let `write` fill a new directory, then replace the old one by it.

    No file system renames a directory over another, so the old one is set aside for
    a moment. A kill in that moment leaves it there, complete; `recover_directory`,
    which this function calls first, brings it back.

    Args:
        path: the directory to replace, or one that does not exist yet.
        write: called with the path of the directory to fill.

    Raises:
        WriteError: `write` raised an OSError.
    """
    path = Path(path)
    recover_directory(path)
    new, old = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(new)
    except BaseException as error:
        shutil.rmtree(new, ignore_errors=True)
        if isinstance(error, OSError):
            raise WriteError(path, error) from error
        raise
    if path.exists():
        path.rename(old)
    new.rename(path)
    shutil.rmtree(old, ignore_errors=True)
    return path


def recover_directory(path: str | os.PathLike) -> None:
    """Repair what a killed `replace_directory` left: one complete copy remains."""
    path = Path(path)
    new, old = _beside(path)
    if old.exists() and not path.exists():
        old.rename(path)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(new, ignore_errors=True)


def _beside(path: Path) -> tuple[Path, Path]:
    return (
        path.with_name(f".partial-{path.name}"),
        path.with_name(f".old-{path.name}"),
    )
