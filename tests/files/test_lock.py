"""One run holds a folder, until it ends or is killed; what it left is cleaned up."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kerasseq.files.lock import locked
from kerasseq.files.writing import replacing, write_file

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from kerasseq.files.lock import locked
from kerasseq.files.writing import replacing
folder = Path(sys.argv[1])
with locked(folder), replacing(folder / "model" / "half.txt") as beside:
    beside.write_text("half")
    print("held", flush=True)
    time.sleep(600)
"""


@contextlib.contextmanager
def holder(folder: Path):
    """Another process that holds a folder and has not finished a file in it."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


def files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_a_second_run_is_refused_in_one_line_until_the_first_is_killed(tmp_path):
    folder = tmp_path / "out"
    with holder(folder) as process:
        before = files(folder)
        assert len(before) == 2
        with pytest.raises(ValueError) as refused, locked(folder):
            pytest.fail("the folder is held twice")
        assert str(refused.value) == (
            f"{folder} is in use by another run (process {process.pid} on "
            f"{socket.gethostname()}); wait until it has ended, or give another folder"
        )
        assert files(folder) == before
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert files(folder) == before, "the lock file stays, and half a file"
    with locked(folder):
        assert files(folder) == {
            ".lock": f"{os.getpid()} {socket.gethostname()}".encode()
        }
    assert files(folder) == {}


def test_two_threads_of_one_process_exclude_each_other_too(tmp_path):
    with locked(tmp_path):
        with pytest.raises(ValueError, match=f"process {os.getpid()} on"):
            locked(tmp_path).__enter__()
        with pytest.raises(ValueError, match="in use"):
            locked(tmp_path).__enter__()
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("name", ["file/out", "x" * 300])
def test_a_folder_that_cannot_be_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="cannot be written to"):
        locked(tmp_path / name).__enter__()


def test_a_new_folder_goes_if_nothing_was_written_into_it(tmp_path):
    with locked(tmp_path / "a" / "b"):
        pass
    assert not (tmp_path / "a" / "b").exists()
    (tmp_path / "a" / "b").mkdir()
    with locked(tmp_path / "a" / "b"):
        pass
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("note", [b"", b"x" * 9999, b"7 \x1b[2J\nforged", b"\xff"])
def test_what_stands_in_the_file_is_shown_if_it_is_a_process(tmp_path, note):
    with locked(tmp_path):
        (tmp_path / ".lock").write_bytes(note)
        with pytest.raises(ValueError) as refused:
            locked(tmp_path).__enter__()
        assert re.search("in use by another run; wait", str(refused.value))


def test_links_from_elsewhere_are_not_followed(tmp_path):
    """A folder that somebody else made must not make a run write outside of it."""
    victim, folder = tmp_path / "victim", tmp_path / "out"
    folder.mkdir()
    victim.write_text("innocent")
    (folder / ".partial-a.txt").symlink_to(victim)
    (folder / ".partial-01234567-a.txt").symlink_to(victim)
    write_file(folder / "a.txt", "new")
    with locked(folder):
        assert not (folder / ".partial-01234567-a.txt").is_symlink()
    (folder / ".lock").symlink_to(victim)
    with pytest.raises(ValueError, match="cannot be written to"):
        locked(folder).__enter__()
    assert victim.read_text() == "innocent"


def test_where_there_are_no_locks_a_line_says_so(tmp_path, monkeypatch, capsys):
    import fcntl

    def fail(descriptor, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", fail)
    left = tmp_path / ".partial-01234567-a.txt"
    left.touch()
    with locked(tmp_path):
        (line,) = capsys.readouterr().out.splitlines()
        assert "cannot be locked (Operation not supported); let no other run" in line
        assert left.exists(), "another run could still be writing it"


def test_two_writers_of_a_file_have_files_of_their_own(tmp_path):
    with replacing(tmp_path / "a.txt") as one, replacing(tmp_path / "a.txt") as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert files(tmp_path) == {"a.txt": b"one"}


@pytest.mark.parametrize(("held", "wanted"), [("out", "out/rnn"), ("out/rnn", "out")])
def test_neither_of_two_folders_in_one_another_is_taken_while_the_other_is_held(
    tmp_path, monkeypatch, held, wanted
):
    """A run writes into the folders inside its own, and cleans up in them."""
    (tmp_path / "out" / "rnn").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "out")
    with locked(tmp_path / held):
        with pytest.raises(ValueError, match=f"{held} is in use by another run"):
            locked(tmp_path / wanted).__enter__()
        with pytest.raises(ValueError, match="in use"):
            locked("." if wanted == "out" else "rnn").__enter__()
    assert list((tmp_path / "out").rglob(".lock")) == []
    (tmp_path / "out" / "rnn" / ".lock").write_text("1 elsewhere")  # of a killed run
    with locked("."):
        pass


@pytest.mark.parametrize("make", [os.link, lambda victim, lock: os.mkfifo(lock)])
def test_another_file_under_the_name_of_the_lock_is_refused(tmp_path, make):
    """A second name of a file elsewhere would empty that file."""
    victim, folder = tmp_path / "victim", tmp_path / "out"
    folder.mkdir()
    victim.write_text("innocent")
    make(victim, folder / ".lock")
    with pytest.raises(ValueError, match=r"\.lock is not the lock of a run"):
        locked(folder).__enter__()
    assert victim.read_text() == "innocent"
    assert (folder / ".lock").exists()
