"""Scores, compared with scikit-learn's."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.scores.classes import accuracy, macro_f1

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle")


@given(st.data(), st.integers(2, 6))
def test_they_are_those_of_scikit_learn(data, num_classes):
    classes = st.integers(0, num_classes - 1)
    pairs = data.draw(st.lists(st.tuples(classes, classes), min_size=1))
    actual, predicted = map(np.array, zip(*pairs, strict=True))
    matrix = tf.math.confusion_matrix(actual, predicted, num_classes).numpy()
    expected = metrics.confusion_matrix(actual, predicted, labels=range(num_classes))
    np.testing.assert_array_equal(matrix, expected)
    assert accuracy(matrix) == pytest.approx(metrics.accuracy_score(actual, predicted))
    f1 = metrics.f1_score(actual, predicted, average="macro")
    assert macro_f1(matrix) == pytest.approx(f1)


def test_by_hand():
    matrix = np.array([[2, 1, 0], [0, 1, 0], [1, 0, 0]])
    assert accuracy(matrix) == 3 / 5
    assert macro_f1(matrix) == pytest.approx((4 / 6 + 2 / 3 + 0) / 3)


def test_nothing_scores_nothing():
    empty = np.zeros((2, 2), int)
    assert (accuracy(empty), macro_f1(empty)) == (0, 0)
