"""Scores of senses and heads, worked out by hand."""

import numpy as np
import pytest

from kerasseq.scores.context import (
    best_roles,
    frequent_words,
    score_roles,
    sense_accuracy,
    sense_silhouette,
    similarities,
)


def test_similarities_are_cosines():
    found = similarities(np.array([[3.0, 4.0], [0.0, 2.0]]), np.array([[5.0, 0.0]]))
    np.testing.assert_allclose(found, [[0.6], [0.0]])


# In degrees. The nearest elsewhere of 0 is 20 (its sense), of 20 it is 0, of 60 it is
# 20 (another sense), of 90 it is 60; the bat of 1 degree is another word.
ANGLES = np.radians([0, 20, 60, 90, 1])
VECTORS = 7 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1)
WORDS = ["bank", "bank", "bank", "bank", "bat"]
SENSES = ["river", "river", "money", "money", "animal"]


def test_the_nearest_vector_at_another_position_decides():
    assert sense_accuracy(VECTORS, WORDS, SENSES, [0, 1, 2, 3, 4]) == 1.0
    # 60 and 90 stand at the same position now, so that 20 is the nearest of 60 and 90.
    assert sense_accuracy(VECTORS, WORDS, SENSES, [0, 1, 2, 2, 4]) == 0.5


def test_silhouette_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(23, 5))
    senses = rng.permutation(["a"] * 11 + ["b"] * 12)
    expected = metrics.silhouette_score(vectors, senses, metric="cosine")
    found = sense_silhouette(vectors, ["x"] * 23, senses)
    assert found == pytest.approx(expected)


def test_roles_are_scored_along_their_arrows():
    words = ["the", "old", "the"]
    weights = np.zeros((1, 2, 3, 3))
    weights[0, 0] = [[0.1, 0.2, 0.7], [0.3, 0.3, 0.4], [0.9, 0.1, 0.0]]
    weights[0, 1] = [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.2, 0.8, 0.0]]
    arrows = [{"the words around": [(1, (0, 2))]}]
    roles = score_roles([weights], [words], arrows)
    np.testing.assert_allclose(roles["the word after"].weights, [[0.3, 1.0]])
    np.testing.assert_allclose(roles["the word before"].weights, [[0.2, 0.4]])
    np.testing.assert_allclose(roles["the same word elsewhere"].weights, [[0.8, 0.1]])
    np.testing.assert_allclose(roles["the words around"].weights, [[0.7, 1.0]])
    assert roles["the words around"].chance == pytest.approx(2 / 3)
    assert roles["the word after"].occurrences == 2
    assert "signs" not in roles
    # 0.8 where 1 of 3 is chance strikes as (0.8 - 1/3) / (2/3) = 0.7; the second word
    # before and after are 0.7 and 0.9 themselves.
    assert best_roles(roles, 0, 0)[0] == "the second word before"
    assert best_roles(roles, 0, 1)[0] in ("the word after", "the words around")


def test_frequent_words_are_attended_to_by_the_others():
    first, second = frequent_words([["<UNK>", "a", "<UNK>", "b"], ["a", "c"]])
    assert first["words that it does not know"] == [(1, [0, 2]), (3, [0, 2])]
    assert first['the word "a"'] == [(0, [1]), (2, [1]), (3, [1])]
    assert second == {'the word "a"': [(1, [0])], 'the word "c"': [(0, [1])]}
