"""Scores, held against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.scores.classes import accuracy, confusion_matrix, macro_f1

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle")


@given(st.data(), st.integers(2, 6))
def test_they_are_those_of_scikit_learn(data, num_classes):
    classes = st.integers(0, num_classes - 1)
    pairs = data.draw(st.lists(st.tuples(classes, classes), min_size=1))
    actual, predicted = map(np.array, zip(*pairs, strict=True))
    matrix = confusion_matrix(actual, predicted, num_classes)
    expected = metrics.confusion_matrix(actual, predicted, labels=range(num_classes))
    np.testing.assert_array_equal(matrix, expected)
    assert accuracy(matrix) == pytest.approx(metrics.accuracy_score(actual, predicted))
    f1 = metrics.f1_score(actual, predicted, average="macro")
    assert macro_f1(matrix) == pytest.approx(f1)


def test_by_hand():
    matrix = confusion_matrix([0, 0, 0, 1, 2], [0, 0, 1, 1, 0], 3)
    assert matrix.tolist() == [[2, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert accuracy(matrix) == 3 / 5
    assert macro_f1(matrix) == pytest.approx((4 / 6 + 2 / 3 + 0) / 3)


def test_nothing_scores_nothing():
    empty = confusion_matrix(np.array([], int), np.array([], int), 2)
    assert (accuracy(empty), macro_f1(empty)) == (0, 0)


@pytest.mark.parametrize(
    ("actual", "predicted", "message"),
    [
        ([0, 1], [0], r"shape \(2,\), predicted ones \(1,\)"),
        ([0, 2], [0, 1], "class 2 is not from 0 to 1"),
        ([0, 1], [-1, 1], "class -1 is not from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_refused(actual, predicted, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(actual, predicted, 2)
