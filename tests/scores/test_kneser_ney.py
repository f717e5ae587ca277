"""The trigram, compared with the paper's recursion written with dictionaries."""

import collections
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.scores.kneser_ney import ROWS_AT_ONCE, KneserNey

V = 5
TEXTS = st.lists(st.integers(0, V - 1), min_size=3, max_size=60)


def rows_of(model: KneserNey, ids) -> np.ndarray:
    return np.concatenate(list(model(np.array(ids))))


def counts_by_order(ids) -> list[collections.Counter]:
    """Counts of trigrams, and the continuation counts of shorter ones."""
    grams = [collections.Counter(zip(*(ids[k:] for k in range(3)), strict=False))]
    grams.append(collections.Counter(gram[1:] for gram in grams[0]))
    # For single tokens: the number of different tokens that they follow.
    pairs = set(itertools.pairwise(ids))
    grams.append(collections.Counter((token,) for _, token in pairs))
    return grams


def discounts(counts: collections.Counter) -> list[float]:
    n = [sum(count == k for count in counts.values()) for k in range(5)]
    if not all(n[1:]):
        return [0, 0.5, 0.75, 0.75]
    y = n[1] / (n[1] + 2 * n[2])
    found = [k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3)]
    return [0, *(max(0, min(k, d)) for k, d in zip((1, 2, 3), found, strict=True))]


def probability(orders, history: tuple, token: int) -> float:
    """Chen and Goodman 1999, equations 24 to 26."""
    if not orders:
        return 1 / V
    counts, *shorter = orders
    lower = probability(shorter, history[1:], token)
    after = {gram[-1]: c for gram, c in counts.items() if gram[:-1] == history}
    if not after:
        return lower
    d = discounts(counts)
    left = sum(d[min(c, 3)] for c in after.values())
    seen = after.get(token, 0)
    return (max(0, seen - d[min(seen, 3)]) + left * lower) / sum(after.values())


@given(TEXTS, st.lists(st.integers(0, V - 1), min_size=2, max_size=5))
def test_it_is_the_papers_recursion(text, read):
    rows = rows_of(KneserNey(np.array(text), V), read)
    orders = counts_by_order(text)
    for position in range(1, len(read)):
        history = tuple(read[position - 1 : position + 1])
        expected = [probability(orders, history, token) for token in range(V)]
        np.testing.assert_allclose(rows[position], expected, atol=1e-12)
    first = [probability(orders[1:], (read[0],), token) for token in range(V)]
    np.testing.assert_allclose(rows[0], first, atol=1e-12)


@given(TEXTS)
def test_the_probabilities_sum_to_1_and_none_is_0(text):
    rows = rows_of(KneserNey(np.array(text), V), range(V))
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-12)
    assert (rows > 0).all()


def test_the_estimated_discounts_are_used_where_there_are_enough_counts():
    text = np.random.default_rng(3).zipf(1.3, 5000) % V
    orders = counts_by_order(text.tolist())
    assert discounts(orders[0])[1:] != [0.5, 0.75, 0.75] or discounts(orders[1])
    rows = rows_of(KneserNey(text, V), [1, 2])
    expected = [probability(orders, (1, 2), token) for token in range(V)]
    np.testing.assert_allclose(rows[1], expected, atol=1e-12)


@pytest.mark.parametrize("count", [0, 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1])
def test_each_position_has_its_row_however_many_there_are(count):
    model = KneserNey(np.array([0, 1, 2] * 9), 3)
    parts = list(model(np.resize([0, 1, 2], count)))
    assert sum(map(len, parts)) == count
    if count > 3:
        row = next(model(np.array([0, 1, 2])))[2]
        np.testing.assert_array_equal(np.concatenate(parts)[2::3][-1], row)
