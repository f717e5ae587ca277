"""Naive Bayes, the baseline of a classifier: that of scikit-learn."""

import numpy as np
import pytest

from kerasseq.scores.naive_bayes import naive_bayes
from kerasseq.text.words import split_words


def test_it_is_that_of_scikit_learn():
    text = pytest.importorskip("sklearn.feature_extraction.text")
    bayes = pytest.importorskip("sklearn.naive_bayes")
    rng = np.random.default_rng(0)
    class_ids = np.concatenate([[0, 1, 2], rng.choice(3, 200, p=[0.6, 0.3, 0.1])])

    def sentence(class_id: float) -> str:
        words = [f"W{word}" for word in rng.poisson(8 + 2 * class_id, 9)]
        return " ".join(words[:4]) + ", " + " ".join(words[4:]) + "!"

    sentences = [sentence(class_id) for class_id in class_ids]
    others = [*(sentence(1.5) for _ in range(300)), "nothing known"]
    counter = text.CountVectorizer(
        tokenizer=split_words, token_pattern=None, lowercase=False, ngram_range=(1, 2)
    )
    model = bayes.MultinomialNB().fit(counter.fit_transform(sentences), class_ids)
    found = naive_bayes(sentences, class_ids, others)
    np.testing.assert_array_equal(found, model.predict(counter.transform(others)))
    assert len(set(found)) == 3
