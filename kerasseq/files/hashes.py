"""The SHA-256 of a run's files, with which an export recognizes other files."""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kerasseq.on_device.archive import open_regular

SECTION = "SHA-256 of the files"


def sha256_of(path: str | os.PathLike) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashes(folder: Path, *names: str) -> dict[str, dict[str, str]]:
    """Entries for the report on files of a folder, for `reading_same`."""
    return {SECTION: {name: sha256_of(folder / name) for name in names}}


@contextlib.contextmanager
def unchanged(*paths: Path) -> Iterator[dict[Path, str]]:
    """Check that files are the same before and after a block that reads them.

    Yields:
        The SHA-256 of each that exists, by its path.

    Raises:
        ValueError: one is another file after the block.
    """

    def found() -> dict[Path, str]:
        return {path: sha256_of(path) for path in paths if path.exists()}

    before = found()
    yield before
    after = found()
    for path in paths:
        if before.get(path) != after.get(path):
            raise ValueError(f"{path} has changed while it was read; run this again")


@contextlib.contextmanager
def reading_same(
    folder: Path, names: Iterable[str], report: Mapping[str, Any]
) -> Iterator[None]:
    """Check that a block reads the files that a training wrote, by its report's hashes.

    Args:
        folder: of the files.
        names: of the files.
        report: the report's section on the training; one without hashes, of an older
            version or of none, allows any files.

    Raises:
        ValueError: a file has another hash, or changes in the block.
    """
    written = report.get(SECTION)
    with unchanged(*(folder / name for name in names)) as found:
        for path, sha256 in found.items() if SECTION in report else ():
            if not isinstance(written, dict) or written.get(path.name) != sha256:
                raise ValueError(
                    f"{path} is not the file that the training wrote: its SHA-256 is "
                    "not the one in report.json; train again, or export your own files "
                    "with kerasseq.export in Python"
                )
        yield
