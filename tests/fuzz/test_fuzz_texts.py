"""Files of the user and of the cache are read, or refused in one line that is safe."""

import pytest

from tests.fuzz.fuzz_texts import (
    FORMATS,
    KINDS,
    MOST_MEMORY,
    characters,
    fuzz,
    judge,
    most_memory,
)


@pytest.mark.parametrize("cases", [80, pytest.param(4_000, marks=pytest.mark.slow)])
def test_bad_files(cases):
    counts = fuzz(cases)
    assert sum(counts.values()) == (len(FORMATS) + 1) * cases
    refused = {form for form, _, verdict in counts if verdict == "refused"}
    read = {form for form, _, verdict in counts if verdict == "read"}
    assert refused == read == {form.__name__ for form in FORMATS}
    assert {kind for _, kind, _ in counts} == {*(k.__name__ for k in KINDS), "forged"}
    assert counts["cache", "forged", "unused"] > cases / 2


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("line", ["\t", "x y "])
def test_a_long_line_takes_little_memory(form, line):
    content = b"ham\ta\n" + (line * (50_000 // len(line))).encode()
    assert most_memory(form, content) < MOST_MEMORY


@pytest.mark.parametrize(
    "message",
    ["two\nlines", "an escape \x1b[2J", "turned \u202e", "long " * 100],
)
def test_the_judge_tells_a_bad_message(tmp_path, message):
    def form(path, content):
        raise ValueError(message)

    with pytest.raises(AssertionError):
        judge(form, b"", tmp_path / "file")
    with pytest.raises(AssertionError):
        judge(lambda path, content: characters(path, b"x"), b"y", tmp_path / "file")
