"""Pairs: every line is read or refused, none is lost, and batches hold each once."""

import collections

import keras
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kerasseq.data.pairs import (
    MOST_CHARACTERS,
    MOST_SHAPES,
    Pair,
    PairBatches,
    choose_lengths,
    read_pairs,
    split_by_source,
)

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
        f"{path}: ignored a stray tab in each of 3 lines; the first is line 3\n"
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


def padded(lengths: np.ndarray, limits: np.ndarray) -> int:
    return int(limits[np.searchsorted(limits, lengths)].sum())


@given(st.lists(st.integers(1, 12), min_size=1))
@example([1] * 1000 + [12])
def test_lengths_are_the_best_of_their_number(lengths):
    """No other lengths of this number need less padding: all are tried."""
    lengths = np.array(lengths)
    limits = choose_lengths(lengths)
    assert limits[-1] == lengths.max() and len(limits) <= MOST_SHAPES
    assert (np.diff(limits) > 0).all()
    if len(limits) <= 3:
        inner = np.unique(lengths)[:-1]
        others = {2: [(a,) for a in inner], 3: [(a, b) for a in inner for b in inner]}
        for other in others.get(len(limits), []):
            tried = np.array(sorted({*other, limits[-1]}))
            assert padded(lengths, limits) <= padded(lengths, tried)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1),
    st.integers(1, 90),
    st.none() | st.integers(0, 9),
)
def test_each_pass_has_every_pair_once_within_the_bounds(sizes, most_pieces, seed):
    """Pair n is n + 3, repeated, so that each row says which pair it is."""
    sources = [np.full(size, 3 + index) for index, (size, _) in enumerate(sizes)]
    targets = [np.full(size, 3 + index) for index, (_, size) in enumerate(sizes)]
    batches = PairBatches(sources, targets, most_pieces, 1, 2, seed)
    found = list(batches.batches(passes=2))
    assert len(found) == 2 * batches.steps_per_pass
    shapes = set()
    for half in (found[: batches.steps_per_pass], found[batches.steps_per_pass :]):
        seen = []
        for inputs, labels, weights in half:
            source_ids, target_ids = inputs["source_ids"], inputs["target_ids"]
            assert labels.shape == weights.shape == target_ids.shape
            assert len(source_ids) == len(target_ids)
            size = max(source_ids.size, target_ids.size)
            assert size <= most_pieces or len(source_ids) == 1
            shapes.add((*source_ids.shape, labels.shape[1]))
            for row in range(len(source_ids)):
                source = source_ids[row][source_ids[row] > 0]
                target = labels[row][labels[row] > 0]
                read = target_ids[row][target_ids[row] > 0]
                assert weights[row].tolist() == (labels[row] > 0).tolist()
                if source.size:
                    assert source[-1] == target[-1] == 2 and read[0] == 1
                    assert (read[1:] == target[:-1]).all()
                    ids = {*source[:-1].tolist(), *target[:-1].tolist()}
                    assert len(ids) <= 1
                    seen.append((len(source) - 1, len(target) - 1))
                else:
                    assert not target.size and not read.size
        assert sorted(seen) == sorted(sizes)
    assert len(shapes) <= MOST_SHAPES


def test_the_order_follows_from_seed_and_pass_alone():
    sources = [np.full(3, index) for index in range(3, 40)]

    def order(seed: int, passes: int) -> list[int]:
        batches = PairBatches(sources, sources, 20, 1, 2, seed)
        return [
            row
            for inputs, _, _ in batches.batches(passes)
            for row in inputs["source_ids"][:, 0].tolist()
        ]

    first, second = np.split(np.array(order(5, 2)), 2)
    assert first.tolist() == order(5, 1) and first.tolist() != second.tolist()
    assert order(5, 1) != order(6, 1)


def test_a_dataset_has_the_same_batches_and_says_how_many():
    sources = [np.full(size, 3) for size in (1, 2, 7, 7)]
    batches = PairBatches(sources, sources[::-1], 16, 1, 2, seed=0)
    dataset = batches.dataset(passes=3)
    assert int(dataset.cardinality()) == 3 * batches.steps_per_pass
    found = list(dataset.as_numpy_iterator())
    for one, other in zip(found, batches.batches(3), strict=True):
        keras.tree.map_structure(np.testing.assert_array_equal, one, other)
