"""Pairs: every line is read or refused, and none is lost."""

import collections

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.data.pairs import MOST_CHARACTERS, Pair, read_pairs, split_by_source
from kerasseq.files.reading import shortened

GOOD = "a dog\tein Hund\na cat\teine Katze\n"


def write(tmp_path, content: str | bytes):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_windows_lines_a_mark_blank_lines_and_any_script_are_read(tmp_path, capsys):
    lines = [" 你好 世界 \t  ένα\u2028δύο ", "", " \t ", "\u200fשלום\ta\x0bb"]
    content = b"\xef\xbb\xbf" + "\r\n".join(lines).encode()
    assert read_pairs(write(tmp_path, content)) == [
        Pair("你好 世界", "ένα\u2028δύο"),
        Pair("\u200fשלום", "a\x0bb"),
    ]
    assert capsys.readouterr().err == ""


def test_stray_tabs_are_said_and_ignored(tmp_path, capsys):
    path = write(
        tmp_path, f'{GOOD}a\tb\t\r\n"the \t end"\t"das \t Ende"\t\nc "d\te\t\t\n'
    )
    assert read_pairs(path)[2:] == [
        Pair("a", "b"),
        Pair('"the end"', '"das Ende"'),
        Pair('c "d', "e"),
    ]
    assert capsys.readouterr().err == (
        f"{shortened(str(path))}: ignored a stray tab in each of 3 lines; the first is "
        "line 3\n"
    )


BAD = {
    "no tab": ("just a sentence\n", 3, "has 1 columns"),
    "two tabs": ("one\ttwo\tthree\n", 3, "has 3 columns"),
    "two tabs, one quotation": ('one\t"two"\tthree\n', 3, "has 3 columns"),
    "a quotation that does not end": ('one "\ttwo\tthree\n', 3, "has 3 columns"),
    "no target": ("one\t \n", 3, "has no target"),
    "no target, and stray tabs": ("one\t\t\t\n", 3, "has no target"),
    "no source": ("\ttwo\n", 3, "has no source"),
    "no source, and a stray tab": ("\ttwo\t\n", 3, "has no source"),
    "long": (f"one\t{'long ' * 20_000}\n", 3, "has 100,004 characters, more than"),
    "latin1": ("one\tna\xefve\n".encode("latin1"), 3, "byte 6 is 0xef"),
    "a terminal's code": ("\x1b[31mred\n", 3, r"'\x1b[31mred'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_refused_with_file_line_and_reason(name, tmp_path):
    content, line, reason = BAD[name]
    content = content.encode() if isinstance(content, str) else content
    path = write(tmp_path, GOOD.encode() + content)
    with pytest.raises(ValueError) as error:
        read_pairs(path)
    message = str(error.value)
    assert message.startswith(f"{path}:{line} ") and reason in message
    assert "\n" not in message and len(message) < 300


def test_a_file_without_pairs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no pair"):
        read_pairs(write(tmp_path, "\n \t \n"))


@given(st.lists(st.tuples(*[st.text(max_size=MOST_CHARACTERS // 4)] * 2), max_size=9))
@settings(max_examples=50)
def test_what_is_written_is_read(tmp_path_factory, pairs):
    clean = [
        Pair(*(" ".join(side.replace("\0", "").split()) or "x" for side in pair))
        for pair in [("a", "b"), *pairs]
    ]
    path = tmp_path_factory.mktemp("pairs") / "pairs.tsv"
    path.write_bytes("".join(f"{a}\t{b}\n" for a, b in clean).encode(errors="replace"))
    expected = [
        Pair(*(side.encode(errors="replace").decode() for side in pair))
        for pair in clean
    ]
    assert read_pairs(path) == expected


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), min_size=2))
def test_no_source_is_on_both_sides(numbers):
    pairs = [Pair(str(source), str(target)) for source, target in numbers]
    sources = {pair.source for pair in pairs}
    if len(sources) < 2:
        with pytest.raises(ValueError, match="have the source"):
            split_by_source(pairs)
        return
    learned, held_out = split_by_source(pairs, seed=3)
    assert collections.Counter(learned + held_out) == collections.Counter(pairs)
    both = {pair.source for pair in learned} & {pair.source for pair in held_out}
    assert not both and learned and held_out
    assert split_by_source(pairs, seed=3) == (learned, held_out)
    count = len({pair.source for pair in held_out})
    assert count == max(1, round(len(sources) / 10))


def test_at_most_a_thousand_sources_are_held_out():
    pairs = [Pair(str(index), "x") for index in range(20_000)]
    assert len(split_by_source(pairs)[1]) == 1_000
    assert split_by_source(pairs, seed=1) != split_by_source(pairs, seed=2)
