"""What is shown of a long reading, by a clock that the test sets."""

import doctest
import io
import itertools

import pytest

import kerasseq.text.progress
from kerasseq.text.progress import progress_bar, read_with_progress


class Screen(io.StringIO):
    """Takes what is printed, as a terminal or as a log."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def path(tmp_path):
    """A file of 21 pieces of a thousand bytes."""
    path = tmp_path / "big.txt"
    path.write_bytes(bytes(range(250)) * 84)
    return path


def shown(path, monkeypatch, terminal: bool, seconds: float) -> str:
    """What is shown where each piece takes so many seconds."""
    screen, clock = Screen(terminal), itertools.count()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr("time.monotonic", lambda: next(clock) * seconds)
    pieces = list(read_with_progress(path, "reading", 1000))
    assert b"".join(pieces) == path.read_bytes()
    assert {len(piece) for piece in pieces} == {1000}
    return screen.getvalue()


def test_the_examples_in_the_docstrings_are_true():
    results = doctest.testmod(kerasseq.text.progress)
    assert (results.attempted, results.failed) == (1, 0)


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_done_within_a_second_is_not_shown(path, monkeypatch, terminal):
    assert shown(path, monkeypatch, terminal, 0.04) == ""


def test_a_terminal_has_a_bar_after_a_second(path, monkeypatch):
    text = shown(path, monkeypatch, terminal=True, seconds=0.1)
    assert text.startswith("reading [")
    assert text.endswith("\r\n") and text.count("\n") == 1
    bars = text.split("\r")[:-1]
    assert len({len(bar) for bar in bars}) == 1, "each covers the one before"
    parts = [int(bar.partition("]")[2].partition("%")[0]) for bar in bars]
    assert parts == [48, 57, 67, 76, 86, 95, 100]  # of 10, 12, ... 21 pieces


def test_a_log_has_a_line_every_ten_seconds(path, monkeypatch):
    text = shown(path, monkeypatch, terminal=False, seconds=1.0)
    assert "\r" not in text
    parts = [line.partition("]")[2].split()[0] for line in text.splitlines()]
    assert parts == ["48%", "95%"]


def test_a_bar_that_is_given_up_ends_its_line(path, monkeypatch):
    screen, clock = Screen(terminal=True), itertools.count()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    reading = read_with_progress(path, "reading", 1000)
    for _ in range(3):
        next(reading)
    reading.close()
    assert screen.getvalue().endswith("\r\n")


@pytest.mark.parametrize(("done", "total"), [(7, 0), (9, 8)])
def test_what_has_no_size_or_grows_is_never_over_the_whole(done, total):
    assert f"[{'#' * 30}] 100%" in progress_bar(done, total, 1.0)
