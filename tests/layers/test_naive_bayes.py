"""The layer of naive Bayes, and the counting of its tables."""

import keras
import numpy as np
import pytest

from kerasseq.layers.naive_bayes import MOST_WORDS, NaiveBayes
from kerasseq.training.naive_bayes import count_naive_bayes, score

SENTENCES = [[3, 4, 4], [5, 3], [4, 6, 1, 3, 5], [6], [7, 1], [3, 5, 7, 7]]
SEQUENCES = [np.array(ids, np.int32) for ids in SENTENCES]
CLASS_IDS = np.array([0, 2, 1, 2, 0, 1])


def build(num_pairs: int = 11) -> NaiveBayes:
    layer = NaiveBayes(8, num_pairs, 3)
    layer.build((None, None))
    return layer


def by_hand(layer, training, class_ids, sentence) -> np.ndarray:
    """The scores of a sentence, from the definition, with counts in a dict."""

    def pairs(ids):
        edges = zip([2, *ids], [*ids, 0], strict=True)
        return [1 + (65_599 * a + b) % (layer.num_pairs - 1) for a, b in edges]

    scores = []
    for rows in (list, pairs):
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
        scores.append(total)
    return np.stack(scores, axis=-1) / np.sqrt(len(sentence))


def test_scores_are_those_by_hand():
    layer = build()
    count_naive_bayes(layer, SEQUENCES, CLASS_IDS)
    others = [[4, 3, 3, 2], [6, 7]]
    found = score(layer, [np.array(ids, np.int32) for ids in others])
    for scores, sentence in zip(found, others, strict=True):
        expected = by_hand(layer, SENTENCES, CLASS_IDS, sentence)
        np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert np.abs(found).max() > 0.1


def test_a_sentence_is_scored_by_the_others_alone():
    layer = build()
    found = count_naive_bayes(layer, SEQUENCES, CLASS_IDS)
    for index, sentence in enumerate(SENTENCES):
        others = [*SENTENCES[:index], *SENTENCES[index + 1 :]]
        expected = by_hand(layer, others, np.delete(CLASS_IDS, index), sentence)
        np.testing.assert_allclose(found[index], expected, atol=1e-6)


def test_the_rows_of_pairs_are_those_of_whole_numbers_of_any_size():
    layer = build(8192)
    ids = np.array([[MOST_WORDS - 1, 3, MOST_WORDS - 1, 0, 0]], np.int32)
    edges = [(2, ids[0, 0]), *((ids[0, i], ids[0, i + 1]) for i in range(3))]
    expected = [1 + (65_599 * int(a) + int(b)) % 8191 for a, b in edges]
    np.testing.assert_array_equal(layer.pair_ids(ids)[0], [*expected, 0, 0])


def test_sums_stay_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert build()(np.array([[3]], np.int32)).dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ((32_737, 9, 2), "num_words=32737 must be at most 32736"),
        ((9, 1, 2), "num_pairs=1 must be at least 2"),
    ],
)
def test_sizes_out_of_range_are_refused(sizes, reason):
    with pytest.raises(ValueError, match=reason):
        NaiveBayes(*sizes)
