"""Labelled sentences: every line is read or refused, and none is lost."""

import collections

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kerasseq.data.labelled import (
    MOST_CHARACTERS,
    labelled_batches,
    read_labelled_sentences,
    split_by_class,
)

GOOD = "ham\tsee you at noon\nspam\twin money\nham\tthanks\nspam\tfree money\n"


def write(tmp_path, content: str | bytes):
    path = tmp_path / "mail.tsv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_lines_become_labels_and_sentences(tmp_path):
    data = read_labelled_sentences(write(tmp_path, GOOD))
    assert data.labels == ("ham", "spam", "ham", "spam")
    assert data.sentences[1] == "win money"
    assert data.classes == ("ham", "spam")
    assert data.class_ids.tolist() == [0, 1, 0, 1]


def test_windows_lines_a_mark_blank_lines_and_any_script_are_read(tmp_path):
    lines = [
        "好\t你好 世界",
        " β \t  ένα\u2028δύο\x0bτρία ",
        "",
        " \t ",
        "β\tx",
        "好\ty",
    ]
    content = b"\xef\xbb\xbf" + "\r\n".join(lines).encode()
    data = read_labelled_sentences(write(tmp_path, content))
    assert data.labels == ("好", "β", "β", "好")
    assert data.sentences == ("你好 世界", "ένα\u2028δύο\x0bτρία", "x", "y")
    assert data.classes == ("β", "好")


BAD = {
    "no tab": ("just a sentence\n", 5, "has 1 columns"),
    "two tabs": ("ham\tone\ttwo\n", 5, "has 3 columns"),
    "no sentence": ("ham\t \n", 5, "has no word after 'ham'"),
    "no label": ("\tone two\n", 5, "has no label before 'one two'"),
    "long": (f"ham\t{'long ' * 20_000}\n", 5, "has 100,004 characters, more than"),
    "no-break space": ("ham\t\u00a0\u202f\n", 5, "has no word after 'ham'"),
    "invisible": ("ham\t\u200b\ufeff\u00ad\n", 5, "has no word after 'ham'"),
    "latin1": ("ham\tna\xefve\n".encode("latin1"), 5, "byte 6 is 0xef"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_refused_with_file_line_and_reason(name, tmp_path):
    content, line, reason = BAD[name]
    content = content.encode() if isinstance(content, str) else content
    path = write(tmp_path, GOOD.encode() + content)
    with pytest.raises(ValueError) as error:
        read_labelled_sentences(path)
    message = str(error.value)
    assert message.startswith(f"{path}:{line} ") and reason in message
    assert "\n" not in message and len(message) < 300


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("ham\tone\nham\ttwo\n", "all have the label 'ham'"),
        ("", "is empty"),
        ("a good film\tpos\na bad film\tneg\nfine\tpos\n", "columns look swapped"),
        ("good\tpos\nbad\tneg\nbad\tneg\ngood\tpos\nfine\tpos\n", "look swapped"),
        ("Kind,Words\nham,one\nham,two\nspam,no\nspam,yes\n",
         "1 is the only example of 'Kind'; .*; if the line is a header, give"),
        ("\n \n", "0 sentences"),
        ("a\tb\n".encode("utf-16"), "its byte order mark names utf-16"),
    ],
)  # fmt: skip
def test_a_file_with_nothing_to_learn_is_refused(content, reason, tmp_path):
    path = write(tmp_path, content)
    with pytest.raises(ValueError, match=reason) as error:
        read_labelled_sentences(path)
    assert str(path) in str(error.value)


def test_what_was_understood_is_said(tmp_path):
    data = read_labelled_sentences(write(tmp_path, "id,text,label\r\n" + CSV))
    assert data.labels == ("positive", "negative") * 2
    assert data.sentences == ('a "good" film, really', "dull, and long", "fine", "no")
    said = "CSV with a header, 3 columns, label in column 3, text in column 2, 2 labels"
    assert data.form == said


CSV = """1,"a ""good"" film, really",positive\r
2,"dull, and long",negative\r
3,fine,positive\r
4,no,negative\r
"""


def test_a_class_of_one_sentence_is_learned_from_and_said_to_be(tmp_path):
    lines = "ham\tx\nother\tonce\nham\ty\nlast\tonce\n"
    data = read_labelled_sentences(write(tmp_path, lines))
    assert data.form.endswith(
        "3 labels; 'other' and 1 more: one example, which is learned from and so not "
        "measured; give more"
    )
    training, held_out = split_by_class(data.class_ids)
    assert {1, 3} < set(training) and len(held_out) == 1


def test_a_line_of_the_most_characters_is_read(tmp_path):
    longest = "x" * (MOST_CHARACTERS - len("ham\t"))
    data = read_labelled_sentences(write(tmp_path, f"{GOOD}ham\t{longest}\n"))
    assert data.sentences[-1] == longest
    with pytest.raises(ValueError, match="10,001 characters"):
        read_labelled_sentences(write(tmp_path, f"{GOOD}ham\t{longest}x\n"))


# --- splitting


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=5),
    st.integers(0, 10).map(lambda tenths: tenths / 10),
    st.integers(0, 9),
)
@example([2, 3, 40], 1.0, 0)
def test_a_class_is_on_both_sides_if_it_can_be(sizes, fraction, seed):
    class_ids = np.repeat(np.arange(len(sizes)), sizes)
    np.random.default_rng(seed).shuffle(class_ids)
    training, held_out = split_by_class(class_ids, fraction, seed)
    assert sorted([*training, *held_out]) == list(range(len(class_ids)))
    for class_id, size in enumerate(sizes):
        count = int(np.sum(class_ids[held_out] == class_id))
        assert count == min(max(1, round(fraction * size)), size - 1)


def test_another_seed_holds_out_others():
    class_ids = np.arange(200) % 2
    first, again, other = (
        split_by_class(class_ids, seed=seed)[1].tolist() for seed in (1, 1, 2)
    )
    assert first == again != other


# --- batches


def examples(batches) -> list[tuple[tuple[int, ...], int]]:
    return [
        (tuple(ids[ids != 0].tolist()), int(target))
        for inputs, targets in batches.as_numpy_iterator()
        for ids, target in zip(inputs, targets, strict=True)
    ]


def test_batches_hold_every_sentence_once_with_its_target():
    rng = np.random.default_rng(0)
    lengths = [*rng.integers(1, 300, 90), 15, 16, 17, 128]
    sequences = [rng.integers(1, 50, length).astype(np.int32) for length in lengths]
    targets = np.arange(len(sequences), dtype=np.int32)
    batches = labelled_batches(sequences, targets, 7, seed=3)
    wanted = [(tuple(ids.tolist()), i) for i, ids in enumerate(sequences)]
    orders = [examples(batches) for _ in range(2)]
    for order in orders:
        assert collections.Counter(order) == collections.Counter(wanted)
    assert orders[0] != orders[1], "each pass has another order"
    assert len(list(batches)) == len(batches), "the number of batches is known"
    for inputs, _ in batches.as_numpy_iterator():
        widths = (inputs != 0).sum(axis=1)
        assert len(inputs) <= 7 and widths.max() == inputs.shape[1]
        assert max(widths) < 16 or max(widths) >= 129 or 2 * min(widths) >= max(widths)


def test_a_length_on_the_border_counts_where_it_is_batched():
    lengths = [15, *[16] * 6, 17, 17]
    sequences = [np.ones(length, np.int32) for length in lengths]
    batches = labelled_batches(sequences, np.zeros(9), 7)
    sizes = sorted(len(targets) for _, targets in batches)
    assert sizes == [1, 1, 7] and len(batches) == 3


def test_without_a_seed_all_passes_are_equal():
    sequences = [np.arange(1, 2 + n % 5, dtype=np.int32) for n in range(20)]
    batches = labelled_batches(sequences, np.arange(20), 4)
    assert examples(batches) == examples(batches)
