"""The progress of reading a large file, with a clock that the test sets."""

import io
import itertools
import os
import re
import threading

import pytest

from kerasseq.text.progress import read_with_progress


class Screen(io.StringIO):
    """Records what is printed, as a terminal or as a log."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def path(tmp_path):
    """A file of 21 chunks of a thousand bytes."""
    path = tmp_path / "big.txt"
    path.write_bytes(bytes(range(250)) * 84)
    return path


def shown(path, monkeypatch, terminal: bool, seconds: float) -> str:
    """What is shown if the clock advances by this many seconds each time it is read."""
    screen, clock = Screen(terminal), itertools.count()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr("tqdm.std.time", lambda: next(clock) * seconds)
    pieces = list(read_with_progress(path, "reading", 1000))
    assert b"".join(pieces) == path.read_bytes()
    assert {len(piece) for piece in pieces} == {1000}
    return screen.getvalue()


def percentages(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"reading: +(\d+)%", text)]


@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_is_shown_of_what_takes_less_than_a_second(path, monkeypatch, terminal):
    assert shown(path, monkeypatch, terminal, 0.02) == ""


def test_a_terminal_has_a_bar_after_a_second(path, monkeypatch):
    text = shown(path, monkeypatch, terminal=True, seconds=0.1)
    found = percentages(text)
    assert len(found) > 5 and found == sorted(found)
    assert found[0] > 30, "the first second shows nothing"
    assert found[-1] == 100
    assert text.endswith("\n") and text.count("\n") == 1, "one line, overwritten"


def test_a_log_has_an_update_every_ten_seconds(path, monkeypatch):
    text = shown(path, monkeypatch, terminal=False, seconds=1.0)
    # The clock is read some 30 times, so 30 seconds pass.
    assert 2 <= len(percentages(text)) <= 4
    assert percentages(text)[-1] == 100


def test_an_interrupted_bar_ends_its_line(path, monkeypatch):
    screen, clock = Screen(terminal=True), itertools.count()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr("tqdm.std.time", lambda: next(clock))
    reading = read_with_progress(path, "reading", 1000)
    for _ in range(5):
        next(reading)
    reading.close()
    assert percentages(screen.getvalue())
    assert screen.getvalue().endswith("\n")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_has_no_size_and_no_percentage(tmp_path, monkeypatch):
    pipe, screen, clock = tmp_path / "pipe", Screen(terminal=True), itertools.count()
    os.mkfifo(pipe)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr("tqdm.std.time", lambda: next(clock))
    writer = threading.Thread(target=pipe.write_bytes, args=[b"abc" * 3000])
    writer.start()
    assert b"".join(read_with_progress(pipe, "reading", 1000)) == b"abc" * 3000
    writer.join()
    assert "reading: " in screen.getvalue() and "%" not in screen.getvalue()
