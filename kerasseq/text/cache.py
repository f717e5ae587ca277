"""Ids of texts in files of the user's cache, found by the hash of the text.

A text has two files: its ids, which are mapped into memory and never read as a whole,
and a card with its vocabulary. Only their owner can read them. They are used if the ids
decode to the text of that hash, so that neither damage nor forgery can replace it. The
folder can be emptied at any time: missing files are made again.
"""

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kerasseq.text.cache_folder import cache_limit, make_room, private_folder
from kerasseq.text.characters import NUM_CODE_POINTS, Vocabulary
from kerasseq.text.progress import watched_pieces

# Bytes of the longest card: a character is at most "\ud83d\ude00", and a comma.
LONGEST_CARD = 100 + 16 * NUM_CODE_POINTS


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
        with contextlib.suppress(OSError):  # the disk is read-only
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
    make_room(sha256, limit)
    return ids


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
