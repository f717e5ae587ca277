"""The folder of the cache: where it is, who can read it, and how much it keeps."""

import contextlib
import math
import os
import re
import shutil
import stat
import time
from pathlib import Path
from typing import NamedTuple

# Seconds. No text takes a day to encode, so older files were left by a killed run.
STALE = 86_400
# What the cache holds: texts, built pages, and what a killed run left.
TEXT, OTHERS = r"([0-9a-f]{64})\.(ids|json)", r"page-[0-9a-f]{16}|\.partial-.+"


class Entry(NamedTuple):
    """What the cache holds under one name.

    Attributes:
        name: the SHA-256 of a text, or the name of a built page.
        paths: its files and directories.
        size: bytes.
        used: when it was used last, in seconds since 1970.
    """

    name: str
    paths: tuple[Path, ...]
    size: int
    used: float


def cache_folder() -> Path:
    """The folder that `KERASSEQ_CACHE` names, or `~/.cache/kerasseq`.

    Raises:
        OSError: there is no home directory.
    """
    if named := os.environ.get("KERASSEQ_CACHE"):
        return Path(named)
    try:
        return Path.home() / ".cache" / "kerasseq"
    except RuntimeError as error:
        raise FileNotFoundError(str(error)) from None


def cache_limit() -> int:
    """The most bytes of texts that are kept, from `KERASSEQ_CACHE_GB`, or 2 GB.

    Raises:
        ValueError: the variable is not a number from 0 up.
    """
    given = os.environ.get("KERASSEQ_CACHE_GB") or "2"
    try:
        limit = float(given) * 1e9
    except ValueError:
        limit = math.nan
    if not 0 <= limit < math.inf:
        raise ValueError(
            f"KERASSEQ_CACHE_GB={given[:40]!r} is not a number from 0 up; give the "
            "gigabytes of texts to keep, or 0 to keep none"
        )
    return int(limit)


def private_folder() -> Path:
    """The cache's folder, made if missing, which nobody but its owner can enter.

    Raises:
        OSError: it cannot be made, is another user's or cannot be made private.
    """
    folder = cache_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "geteuid"):  # other systems have other rights
        if folder.stat().st_uid != os.geteuid():
            raise PermissionError(f"{folder} belongs to another user")
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
        if folder.stat().st_mode & 0o077:  # a file system without rights
            raise PermissionError(f"{folder} cannot be made private")
    return folder


def make_room(sha256: str, limit: int) -> None:
    """Remove what killed runs left, and the texts that were not used for longest.

    Args:
        sha256: of the text that stays, whatever its size.
        limit: the most bytes of all texts.
    """
    folder = cache_folder()
    for left in folder.glob(".partial-*"):
        with contextlib.suppress(FileNotFoundError):  # another run was faster
            if left.stat().st_mtime < time.time() - STALE:
                shutil.rmtree(left)
    texts = cached_texts()
    size = sum(entry.size for entry in texts)
    for entry in reversed(texts):
        if size > limit and entry.name != sha256:
            with contextlib.suppress(OSError):  # it is in use on Windows
                size -= _remove(entry)


def cached_texts() -> list[Entry]:
    """The texts in the cache; those used last come first."""
    texts = _entries(cache_folder(), TEXT)
    return sorted(texts, key=lambda entry: entry.used, reverse=True)


def empty_cache() -> int:
    """Remove all that the cache holds, and nothing else that is in its folder.

    Returns:
        How many bytes were removed.

    Raises:
        OSError: something cannot be removed: its folder is read-only, or it is in use
            on Windows. All else is removed.
    """
    removed, failure = 0, None
    for entry in _entries(cache_folder(), f"{TEXT}|{OTHERS}"):
        try:
            removed += _remove(entry)
        except OSError as error:
            failure = error
    if failure:
        raise OSError(
            f"removed {removed:,} bytes, but {failure.filename} stays "
            f"({failure.strerror})"
        )
    return removed


def _entries(folder: Path, names: str) -> list[Entry]:
    """What is in a folder under names of this pattern."""
    found: dict[str, list[Path]] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        if match := re.fullmatch(names, path.name):
            found.setdefault(match[1] or path.name, []).append(path)
    entries = []
    for name, paths in found.items():
        files = [each for path in paths for each in (path, *path.rglob("*"))]
        states = [state for each in files if (state := _state(each))]
        size = sum(state.st_size for state in states if stat.S_ISREG(state.st_mode))
        used = max((state.st_mtime for state in states), default=0.0)
        entries.append(Entry(name, tuple(paths), size, used))
    return entries


def _state(path: Path) -> os.stat_result | None:
    with contextlib.suppress(OSError):  # another run removed it
        return path.lstat()
    return None


def _remove(entry: Entry) -> int:
    """Remove an entry and return its bytes."""
    for path in sorted(entry.paths, reverse=True):  # the card first
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(FileNotFoundError):  # another run was faster
                shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return entry.size
