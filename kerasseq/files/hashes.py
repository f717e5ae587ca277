"""The SHA-256 of a run's files, with which an export recognizes other files."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SECTION = "SHA-256 of the files"


def sha256_of(path: str | os.PathLike) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashes(folder: Path, *names: str) -> dict[str, dict[str, str]]:
    """Entries for the report on files of a folder, for `require_same`."""
    return {SECTION: {name: sha256_of(folder / name) for name in names}}


def require_same(folder: Path, names: Iterable[str], report: Mapping[str, Any]) -> None:
    """Check that files are the ones that a training wrote, by the hashes in its report.

    Args:
        folder: of the files.
        names: of the files.
        report: the report's section on the training; one without hashes, of an older
            version or of none, allows any files.

    Raises:
        ValueError: a file has another hash.
    """
    if SECTION not in report:
        return
    written = report[SECTION] if isinstance(report[SECTION], dict) else {}
    for name in names:
        path = folder / name
        if path.exists() and written.get(name) != sha256_of(path):
            raise ValueError(
                f"{path} is not the file that the training wrote: its SHA-256 is not "
                "the one in report.json; train again, or export your own files with "
                "kerasseq.export in Python"
            )
