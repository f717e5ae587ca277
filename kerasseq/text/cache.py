"""Ids of texts in files of the user's cache, found by the hash of the text.

A text has two files: its ids, which are mapped into memory and never read as a whole,
and a card with its vocabulary and a hash of both. The folder can be deleted at any
time: missing files are made again.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kerasseq.text.characters import Vocabulary
from kerasseq.text.progress import read_with_progress

# Seconds. No text takes a day to encode, so older files were left by a killed run.
STALE = 86_400


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


def find_ids(sha256: str) -> tuple[Vocabulary, np.ndarray] | None:
    """The vocabulary and the mapped ids of a text, as `store_ids` wrote them.

    Args:
        sha256: of the text as UTF-8, in hexadecimal.

    Returns:
        None if they are missing, damaged or of another text.
    """
    try:
        ids_path, card_path = _paths(sha256)
        card = json.loads(card_path.read_text(encoding="utf-8"))
        vocabulary = Vocabulary(tuple(card["characters"]))
        digest = _begin_digest(sha256, vocabulary)
        for piece in read_with_progress(ids_path, "checking the cached ids"):
            digest.update(piece)
        whole = card["digest"] == digest.hexdigest()
        return (vocabulary, _map(ids_path, vocabulary)) if whole else None
    except (OSError, KeyError, TypeError, ValueError):
        return None


def store_ids(
    sha256: str, vocabulary: Vocabulary, pieces: Iterable[np.ndarray]
) -> np.ndarray:
    """Write the ids of a text to the cache, whole or not at all.

    Args:
        sha256: of the text as UTF-8, in hexadecimal.
        vocabulary: of the text.
        pieces: the ids in order, of the type `vocabulary.id_type`.

    Returns:
        All ids, mapped into memory.

    Raises:
        OSError: they cannot be written.
    """
    ids_path, card_path = _paths(sha256)
    folder = ids_path.parent
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".partial-*"):
        with contextlib.suppress(FileNotFoundError):  # another run was faster
            if left.stat().st_mtime < time.time() - STALE:
                shutil.rmtree(left)
    # A directory of its own, since two runs may write the same text at the same time.
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as name:
        beside, digest = Path(name), _begin_digest(sha256, vocabulary)
        with (beside / "ids").open("wb") as file:
            for piece in pieces:
                file.write(piece.data)
                digest.update(piece.data)
        card = {"digest": digest.hexdigest(), "characters": vocabulary.characters}
        (beside / "card").write_text(json.dumps(card) + "\n", encoding="utf-8")
        # The card last, since ids without a card are not found.
        (beside / "ids").replace(ids_path)
        (beside / "card").replace(card_path)
    return _map(ids_path, vocabulary)


def _paths(sha256: str) -> tuple[Path, Path]:
    folder = cache_folder()
    return folder / f"{sha256}.ids", folder / f"{sha256}.json"


def _begin_digest(sha256: str, vocabulary: Vocabulary) -> "hashlib._Hash":
    """A hash of text and vocabulary, to which the caller adds the ids."""
    return hashlib.sha256((sha256 + vocabulary.to_json()).encode())


def _map(path: Path, vocabulary: Vocabulary) -> np.ndarray:
    return np.asarray(np.memmap(path, vocabulary.id_type, "r"))
