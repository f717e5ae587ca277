"""The benchmark of the classifier: its folds and its baseline."""

import numpy as np
import pytest

from benchmarks.classification import naive_bayes, split_folds


def test_folds_hold_each_index_once():
    folds = split_folds(np.arange(103), 10, seed=0)
    assert sorted(np.concatenate(folds)) == list(range(103))
    assert {len(fold) for fold in folds} == {10, 11}
    assert not np.array_equal(folds[0], split_folds(np.arange(103), 10, seed=1)[0])


def test_naive_bayes_is_that_of_scikit_learn():
    text = pytest.importorskip("sklearn.feature_extraction.text")
    bayes = pytest.importorskip("sklearn.naive_bayes")
    rng = np.random.default_rng(0)
    class_ids = np.concatenate([[0, 1, 2], rng.choice(3, 200, p=[0.6, 0.3, 0.1])])
    sentences = [
        " ".join(f"w{word}" for word in rng.poisson(8 + 2 * class_id, 9))
        for class_id in class_ids
    ]
    others = [" ".join(f"w{word}" for word in rng.poisson(11, 9)) for _ in range(300)]
    counter = text.CountVectorizer(binary=True)
    model = bayes.MultinomialNB().fit(counter.fit_transform(sentences), class_ids)
    expected = model.predict(counter.transform(others))
    found = naive_bayes(sentences, class_ids, others)
    np.testing.assert_array_equal(found, expected)
    assert len(set(found)) == 3
