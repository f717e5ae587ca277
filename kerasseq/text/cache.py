"""Ids of texts in files of the user's cache, found by the hash of the text.

A text has two files: its ids, which are mapped into memory and never read as a whole,
and a card with its vocabulary. Only their owner can read them. They are used if the ids
decode to the text of that hash, so that neither damage nor forgery can replace it. The
folder can be emptied at any time: missing files are made again.
"""

import contextlib
import hashlib
import json
import math
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from kerasseq.text.characters import NUM_CODE_POINTS, Vocabulary
from kerasseq.text.progress import watched_pieces

# Seconds. No text takes a day to encode, so older files were left by a killed run.
STALE = 86_400
# Bytes of the longest card: a character is at most "\ud83d\ude00", and a comma.
LONGEST_CARD = 100 + 16 * NUM_CODE_POINTS
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


def find_ids(sha256: str) -> tuple[Vocabulary, np.ndarray] | None:
    """The vocabulary and the mapped ids of a text, as `store_ids` wrote them.

    Args:
        sha256: of the text as UTF-8, in hexadecimal.

    Returns:
        None if they are missing, damaged or of another text.
    """
    try:
        ids_path, card_path = _paths(private_folder(), sha256)
        with _open(card_path) as file:
            if os.fstat(file.fileno()).st_size > LONGEST_CARD:
                return None
            card = json.load(file)
        vocabulary = Vocabulary(tuple(card["characters"]))
        with _open(ids_path) as file:
            if _hash_decoded(file, vocabulary) != sha256:
                return None
            ids = _map(file, vocabulary)
        os.utime(ids_path)
        return vocabulary, ids
    except (OSError, LookupError, TypeError, ValueError, RecursionError):
        return None


def store_ids(
    sha256: str, vocabulary: Vocabulary, pieces: Iterable[np.ndarray]
) -> np.ndarray:
    """Write the ids of a text to the cache, whole or not at all.

    The least recently used texts are removed to stay within `cache_limit`. A run
    that has one mapped keeps it: its memory stays when the file's name goes.

    Args:
        sha256: of the text as UTF-8, in hexadecimal.
        vocabulary: of the text.
        pieces: the ids in order, of the type `vocabulary.id_type`.

    Returns:
        All ids, mapped into memory.

    Raises:
        OSError: they cannot be written.
    """
    limit = cache_limit()
    if not limit:
        raise OSError("KERASSEQ_CACHE_GB is 0")
    folder = private_folder()
    ids_path, card_path = _paths(folder, sha256)
    for left in folder.glob(".partial-*"):
        with contextlib.suppress(FileNotFoundError):  # another run was faster
            if left.stat().st_mtime < time.time() - STALE:
                shutil.rmtree(left)
    # A directory of its own, since two runs may write the same text at the same time.
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as name:
        ids_beside, card_beside = _paths(Path(name), sha256)
        with open(ids_beside, "wb", opener=_private) as file:
            for piece in pieces:
                file.write(piece.data)
        with open(card_beside, "wb", opener=_private) as file:
            file.write(vocabulary.to_json().encode())
        # The card last, since ids without a card are not found.
        ids_beside.replace(ids_path)
        card_beside.replace(card_path)
    with _open(ids_path) as file:
        ids = _map(file, vocabulary)
    texts = sorted(_entries(folder, TEXT), key=lambda entry: entry.used)
    size = sum(entry.size for entry in texts)
    for entry in texts:
        if size > limit and entry.name != sha256:
            size -= _remove(entry)
    return ids


def cached_texts() -> list[Entry]:
    """The texts in the cache; those used last come first."""
    texts = _entries(cache_folder(), TEXT)
    return sorted(texts, key=lambda entry: entry.used, reverse=True)


def empty_cache() -> int:
    """Remove all that the cache holds, and nothing else that is in its folder.

    Returns:
        How many bytes were removed. On Windows what is in use remains.
    """
    return sum(map(_remove, _entries(cache_folder(), f"{TEXT}|{OTHERS}")))


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
    """Remove an entry and return its bytes; 0 where it is in use on Windows."""
    with contextlib.suppress(OSError):
        for path in sorted(entry.paths, reverse=True):  # the card first
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        return entry.size
    return 0


def _paths(folder: Path, sha256: str) -> tuple[Path, Path]:
    return folder / f"{sha256}.ids", folder / f"{sha256}.json"


def _open(path: Path) -> BinaryIO:
    """Open a regular file, neither what a link names nor a pipe, which would wait."""

    def opener(name: str, flags: int) -> int:
        for each in ("O_NOFOLLOW", "O_NONBLOCK"):
            flags |= getattr(os, each, 0)
        return os.open(name, flags)

    file = open(path, "rb", opener=opener)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(f"{path} is not a file")
    return file


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _hash_decoded(file: BinaryIO, vocabulary: Vocabulary) -> str:
    """SHA-256 of the text of ids in a file, in hexadecimal.

    Raises:
        LookupError: an id is not in the vocabulary.
        ValueError: the file does not hold whole ids, or the vocabulary half characters.
    """
    points, digest = vocabulary.code_points.astype("<u4"), hashlib.sha256()
    # One table for ASCII: 0xff, for unknown ids, is in no text.
    table = points.astype(np.uint8).tobytes().ljust(256, b"\xff")
    for piece in watched_pieces(file, "checking the cached ids"):
        if points[-1] < 128:
            digest.update(piece.translate(table))
        else:
            ids = points.take(np.frombuffer(piece, vocabulary.id_type))
            digest.update(ids.tobytes().decode("utf-32-le").encode())
    return digest.hexdigest()


def _map(file: BinaryIO, vocabulary: Vocabulary) -> np.ndarray:
    return np.asarray(np.memmap(file, vocabulary.id_type, "r"))
