"""The layer of naive Bayes, and the counting of its tables."""

import keras
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kerasseq.layers.naive_bayes import (
    MOST_ROWS,
    MOST_WORDS,
    NaiveBayes,
    SpellingBayes,
)
from kerasseq.on_device.words import spell
from kerasseq.training.naive_bayes import count_naive_bayes, score

SENTENCES = [[3, 4, 4], [5, 3], [4, 6, 1, 3, 5], [6], [7, 1], [3, 5, 7, 7]]
# A word is known by its id alone here; its letters are of its own.
SPELLINGS = ["", "?", "", "naïve", "a", "tea", "at", "ant"]
LETTERS, ROWS = 5, 29
CLASS_IDS = np.array([0, 2, 1, 2, 0, 1])


def spelled(ids) -> tuple[np.ndarray, np.ndarray]:
    words = [SPELLINGS[index] for index in ids]
    return (np.array(ids, np.int32), spell(words, LETTERS))


def build(num_pairs: int = 11) -> NaiveBayes:
    layer = NaiveBayes(8, num_pairs, 3)
    layer.build((None, None))
    return layer


def build_both() -> tuple[NaiveBayes, SpellingBayes]:
    spelling = SpellingBayes(ROWS, 3)
    spelling.build((None, None, LETTERS))
    return build(), spelling


def ngrams(spelling: bytes) -> list[int]:
    """The rows of a word's n-grams, from the definition."""
    digits = [1, *spelling, 0]
    found = [
        digits[i : i + n] for n in (1, 2, 3, 4) for i in range(len(digits) - n + 1)
    ]
    found.remove([0])
    return [
        1 + sum(d * 4_099**i for i, d in enumerate(each[::-1])) % (ROWS - 1)
        for each in found
    ]


def by_hand(layer, training, class_ids, sentence) -> np.ndarray:
    """The scores of a sentence, from the definition, with counts in a dict."""

    def pairs(ids):
        edges = zip([2, *ids], [*ids, 0], strict=True)
        return [1 + (65_599 * a + b) % (layer.num_pairs - 1) for a, b in edges]

    def spellings(ids):
        words = [SPELLINGS[index].encode()[:LETTERS] for index in ids]
        return [row for word in words for row in ngrams(word)]

    scores = []
    for rows in (list, pairs, spellings):
        counts = [[x for s, c in zip(training, class_ids, strict=True) if c == k
                   for x in rows(s)] for k in range(3)]  # fmt: skip
        seen = set().union(*counts)
        total = np.zeros(3)
        for row in rows(sentence):
            if row in seen:
                logs = [
                    np.log((each.count(row) + 1) / (len(each) + len(seen)))
                    for each in counts
                ]
                total += logs - np.mean(logs)
        count = len(spellings(sentence) if rows == spellings else sentence)
        scores.append(total / np.sqrt(count))
    return np.stack(scores, axis=-1)


def test_scores_are_those_by_hand():
    layers = build_both()
    count_naive_bayes(*layers, [*map(spelled, SENTENCES)], CLASS_IDS)
    others = [[4, 3, 3, 7], [6, 7]]
    found = score(*layers, [*map(spelled, others)])
    for scores, sentence in zip(found, others, strict=True):
        expected = by_hand(layers[0], SENTENCES, CLASS_IDS, sentence)
        np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert (np.abs(found).max(axis=(0, 1)) > 0.1).all()


def test_a_sentence_is_scored_by_the_others_alone():
    layers = build_both()
    found = count_naive_bayes(*layers, [*map(spelled, SENTENCES)], CLASS_IDS)
    for index, sentence in enumerate(SENTENCES):
        others = [*SENTENCES[:index], *SENTENCES[index + 1 :]]
        expected = by_hand(layers[0], others, np.delete(CLASS_IDS, index), sentence)
        np.testing.assert_allclose(found[index], expected, atol=1e-6)


def test_the_rows_of_pairs_are_those_of_whole_numbers_of_any_size():
    layer = build(8192)
    ids = np.array([[MOST_WORDS - 1, 3, MOST_WORDS - 1, 0, 0]], np.int32)
    edges = [(2, ids[0, 0]), *((ids[0, i], ids[0, i + 1]) for i in range(3))]
    expected = [1 + (65_599 * int(a) + int(b)) % 8191 for a, b in edges]
    np.testing.assert_array_equal(layer.pair_ids(ids)[0], [*expected, 0, 0])


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=4))
def test_the_rows_of_ngrams_are_those_of_the_definition(words):
    letters = spell(words, LETTERS)
    # A NUL looks like a word's end; what follows it is told apart nowhere else.
    assume(all(word and "\0" not in word for word in words))
    _, spelling = build_both()
    padded = np.pad(letters, ((0, 2), (0, 0))).astype(np.int32)[None]
    found = np.concatenate([np.ravel(rows) for rows in spelling.ngram_ids(padded)])
    expected = [row for word in words for row in ngrams(word.encode()[:LETTERS])]
    assert sorted(found[found != 0]) == sorted(expected)


def test_the_rows_of_ngrams_stay_within_int32():
    spelling = SpellingBayes(MOST_ROWS, 2)
    letters = np.full((1, 1, 4), 255, np.int32)
    *_, rows = spelling.ngram_ids(letters)
    value = sum(255 * 4_099**i for i in range(4))
    assert rows[0, 0, 1] == 1 + value % (MOST_ROWS - 1)


def test_sums_stay_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert build()(np.array([[3]], np.int32)).dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("layer", "sizes", "reason"),
    [
        (NaiveBayes, (32_737, 9, 2), "num_words=32737 must be at most 32736"),
        (NaiveBayes, (9, 1, 2), "num_pairs=1 must be at least 2"),
        (SpellingBayes, (1, 2), "num_rows=1 must be at least 2"),
        (SpellingBayes, (523_777, 2), "num_rows=523777 must be at most 523776"),
    ],
)
def test_sizes_out_of_range_are_refused(layer, sizes, reason):
    with pytest.raises(ValueError, match=reason):
        layer(*sizes)
