"""The layer of spellings, against n-grams that are looked up in a dict."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.layers.spelling import MOST_ROWS, SpellingScores

LENGTH = 7
# Of every length, in several scripts, with digits and signs; padding is last.
WORDS = ["a", "Ada", "@ada's", "3.5", "ΟΔΟΣ", "u2", "WNUT-2017 is cut", ""]


def build(num_rows: int = 16_381, dropout: float = 0.0) -> SpellingScores:
    layer = SpellingScores(num_rows, 3, dropout)
    layer.build((None, None, LENGTH))
    layer.table.assign(np.random.default_rng(0).normal(size=layer.table.shape))
    return layer


def as_letters(words: list[str]) -> np.ndarray:
    letters = np.zeros((1, len(words), LENGTH), np.int32)
    for row, word in zip(letters[0], words, strict=True):
        spelling = word.encode()[:LENGTH]
        row[: len(spelling)] = list(spelling)
    return letters


def shape(byte: int) -> int:
    for kind, sample in (
        (b"X", b"AZ"),
        (b"x", b"az"),
        (b"d", b"09"),
        (b"u", b"\x80\xff"),
    ):
        if sample[0] <= byte <= sample[1]:
            return kind[0]
    return byte


def rows_by_hand(word: str, num_rows: int) -> list[int]:
    """The rows of a word's n-grams, with whole numbers of any size."""
    spelling = word.encode()[:LENGTH]
    rows = []
    for salt, read in ((0, spelling.lower()), (101, bytes(map(shape, spelling)))):
        digits = [2, *read, 0]
        for count in (2, 3, 4):
            for start in range(len(digits) - count + 1 if read else 0):
                value = sum(
                    digit * 257 ** (count - 1 - place)
                    for place, digit in enumerate(digits[start : start + count])
                )
                rows.append((value + salt * 257 ** (count - 1)) % num_rows)
    return rows


@pytest.mark.parametrize("num_rows", [1, 11, MOST_ROWS])
def test_the_rows_are_those_by_hand(num_rows):
    rows, present = SpellingScores(num_rows, 3).rows(as_letters(WORDS))
    for word, found, there in zip(WORDS, rows[0], present[0], strict=True):
        kept = found.numpy()[there.numpy() == 1]
        assert sorted(kept) == sorted(rows_by_hand(word, num_rows)), word
    # Bytes need no 32 bits.
    narrow, _ = SpellingScores(num_rows, 3).rows(as_letters(WORDS).astype(np.uint8))
    np.testing.assert_array_equal(narrow, rows)


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0\2", exclude_categories=["Cs"])),
        min_size=1,
        max_size=3,
    )
)
def test_scores_are_sums_of_rows_over_the_root_of_their_number(words):
    layer = build(997)
    table = layer.table.numpy()
    for word, found in zip(words, layer(as_letters(words))[0], strict=True):
        rows = rows_by_hand(word, 997)
        expected = table[rows].sum(axis=0) / max(1, len(rows)) ** 0.5
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_n_grams_are_dropped_in_training_only():
    layer = build(dropout=0.5)
    letters = as_letters(WORDS)
    assert (layer(letters) == build()(letters)).numpy().all()
    draw = tf.function(lambda: layer(letters, training=True)[0])
    drawn = np.stack([draw() for _ in range(400)])
    assert drawn.std(axis=0)[:-1].min() > 0.05
    assert not drawn[:, -1].any()
    np.testing.assert_allclose(drawn.mean(axis=0), layer(letters)[0], atol=0.3)


def test_sums_stay_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert build()(as_letters(["ab"])).dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((MOST_ROWS + 1, 3), "num_rows=65001 must be at most 65000"),
        ((0, 3), "num_rows=0 must be at least 1"),
        ((9, 3, 1.0), r"dropout=1\.0 is not from 0 to below 1"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments, reason):
    with pytest.raises(ValueError, match=reason):
        SpellingScores(*arguments)
