"""Files and directories that appear whole or not at all."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Names of files and directories that are being written, or were when a run was killed.
UNFINISHED = f".partial-{'[0-9a-f]' * 8}-*"


class WriteError(OSError):
    """A file could not be written; an older one of that name is unchanged."""

    def __init__(self, path: str | os.PathLike, error: OSError | str) -> None:
        self.reason = str(error)
        if isinstance(error, OSError):
            self.reason = getattr(error, "reason", error.strerror) or str(error)
        super().__init__(f"{path} cannot be written ({self.reason})")


def plain_directory(path: str | os.PathLike) -> Path:
    """A directory's path, checked to be one that TensorFlow can write to and load from.

    It loads a SavedModel's variables from all files that match its path.

    Raises:
        ValueError: it holds what begins a pattern, or is not UTF-8.
    """
    if any("\ud800" <= character <= "\udfff" for character in str(path)):
        raise ValueError(
            f"the name {path} is not UTF-8 here; give another, or set PYTHONUTF8=1"
        )
    signs = "*?[" if os.sep == "\\" else "*?[\\"
    if any(sign in str(path) for sign in signs):
        raise ValueError(
            f"{path} holds one of {' '.join(signs)}, which TensorFlow reads as a "
            "pattern when it loads a SavedModel from there; give another name"
        )
    return Path(path)


def write_file(path: str | os.PathLike, content: bytes | str) -> Path:
    """Write a file under another name, rename it, and return its path.

    A kill or a disk's fault leaves an older file as it was. Text is written as UTF-8,
    after a byte order mark if it begins with one itself, which readers would take for
    the file's. The folder is made if missing.

    Raises:
        WriteError: the file cannot be written.
    """
    with replacing(path) as beside:
        if isinstance(content, str):
            marked = content.startswith("\ufeff")
            content = content.encode("utf-8-sig" if marked else "utf-8")
        beside.write_bytes(content)
    return Path(path)


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a path in the same folder and rename it to `path` after the block.

    If the block raises, its file is removed and `path` stays as it was. The suffix is
    kept, since Keras and matplotlib choose the format by it.

    Raises:
        WriteError: the block raised an OSError, or the file cannot be renamed.
    """
    path = Path(path)
    beside = _unfinished(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        _sync(beside)
        beside.replace(path)
    except OSError as error:
        raise WriteError(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # a read-only disk keeps it
            beside.unlink()


def replace_directory(path: str | os.PathLike, write: Callable[[Path], Any]) -> Path:
    """Let `write` fill a new directory, then replace the old one by it.

    No file system renames a directory over another, so the old one is renamed first. A
    kill at that moment leaves it complete, and `recover_directory`, which this function
    calls first, restores it.

    Args:
        path: the directory to replace, or to create.
        write: called with the path of the directory to fill.

    Raises:
        WriteError: `write` raised an OSError, or a directory cannot be renamed.
    """
    path = Path(path)
    new, old = _unfinished(path), _old(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        recover_directory(path)
        write(new)
        for file in new.rglob("*"):
            if file.is_file():
                _sync(file)
        if os.path.lexists(path):  # also as a link that leads nowhere
            path.rename(old)
        new.rename(path)
    except OSError as error:
        raise WriteError(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # a read-only disk keeps what is left
            recover_directory(path)
    return path


def recover_directory(path: str | os.PathLike) -> None:
    """Clean up after a killed `replace_directory`: one complete copy remains."""
    path = Path(path)
    old = _old(path)
    if old.exists() and not os.path.lexists(path):
        old.rename(path)
    for left in (old, *path.parent.glob(UNFINISHED)):
        if left == old or left.name.endswith(f"-{path.name}"):
            _remove(left)


def remove_unfinished(directory: Path) -> None:
    """Remove what killed runs left in a folder, and in those in it.

    Only for the holder of the folder: unfinished files of others have such names, too.
    """
    for folder in (directory, *directory.iterdir()):
        if folder == directory or (folder.is_dir() and not folder.is_symlink()):
            for left in folder.glob(UNFINISHED):
                _remove(left)


def _remove(path: Path) -> None:
    """Remove a folder, a file or a link, but never what a link leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until a file is on the disk, so that its name is not there before it."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _unfinished(path: Path) -> Path:
    # No other process has this name, and nobody can have made a link of it before.
    return path.with_name(f".partial-{secrets.token_hex(4)}-{path.name}")


def _old(path: Path) -> Path:
    return path.with_name(f".old-{path.name}")
