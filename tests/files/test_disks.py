"""A disk that becomes read-only at any moment leaves the old files or the new ones."""

import shutil
import sys

import pytest

from benchmarks.survival_disks import command, tmpfs, why_not
from kerasseq.files.lock import locked
from kerasseq.files.writing import (
    WriteError,
    recover_directory,
    replace_directory,
    write_file,
)

CHANGES = ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir")


@pytest.fixture
def disk(tmp_path):
    """A disk of its own, which can be read-only alone."""
    if reason := why_not("full", tmp_path):
        pytest.skip(f"no disk can be mounted here: {reason}")
    with tmpfs(tmp_path, 2**20) as disk:
        yield disk


@pytest.fixture(scope="module")
def countdown():
    """A list: after so many changes to files as its number says, the disk in it fails.

    Python reports such changes to audit hooks, which cannot be removed.
    """
    left = []

    def hook(event, arguments):
        if left and event in CHANGES:
            left[0] -= 1
            if left[0] < 0:
                disk = left.pop()
                left.clear()
                command("mount", "-o", "remount,ro", disk)

    sys.addaudithook(hook)
    return left


def fill(directory, content, names):
    directory.mkdir()
    for name in names:
        (directory / name).write_text(content)


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


WRITERS = {
    "file": lambda out: write_file(out / "file", "new"),
    "directory": lambda out: replace_directory(
        out / "kept", lambda beside: fill(beside, "new", "ab")
    ),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_disk_that_becomes_read_only_at_any_moment(disk, countdown, writer):
    found, out = [], disk / "out"
    for change in range(100):
        shutil.rmtree(out, ignore_errors=True)
        fill(out, "old", ["file"])
        fill(out / "kept", "old", "abc")
        countdown[:] = [change, disk]
        try:
            WRITERS[writer](out)
            failed = False
        except WriteError as error:
            failed = True
            assert str(error).startswith(f"{out}/")
            assert str(error).endswith(" cannot be written (Read-only file system)")
        ended = bool(countdown)  # before the disk failed
        countdown.clear()
        if not ended:
            with pytest.raises(ValueError, match="Read-only file system"):
                locked(out).__enter__()
        command("mount", "-o", "remount,rw", disk)
        with locked(out):
            recover_directory(out / "kept")
        file, kept = contents(out), contents(out / "kept")
        is_new = file == {"file": "new"} or kept == dict.fromkeys("ab", "new")
        assert is_new or (file, kept) == ({"file": "old"}, dict.fromkeys("abc", "old"))
        assert {path.name for path in out.iterdir()} == {"file", "kept"}
        found.append((failed, is_new))
        if ended:
            break
    assert found[0] == (True, False)
    assert found[-1] == (False, True)
    assert len(found) > 3
    assert not any(failed and is_new for failed, is_new in found)
