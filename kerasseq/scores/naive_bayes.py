"""Naive Bayes on words and pairs of words: the baseline of a classifier."""

import itertools
from collections.abc import Sequence

import numpy as np

from kerasseq.text.words import split_words


def naive_bayes(
    training: Sequence[str], class_ids: np.ndarray, others: Sequence[str]
) -> np.ndarray:
    """Classify sentences by multinomial naive Bayes on their words and pairs of words.

    Signs count as words, and one is added to each count (Laplace). Manning et al. 2008,
    "Introduction to Information Retrieval", section 13.2.

    Args:
        training: N sentences to count.
        class_ids: int (N,), their classes, each of 0 to K - 1 at least once.
        others: M sentences.

    Returns:
        The likeliest class of each of the others, int (M,), at a tie the first. What
        training does not have is left out.
    """
    index: dict[str, int] = {}
    rows = [[index.setdefault(f, len(index)) for f in _features(s)] for s in training]
    counts = np.ones((class_ids.max() + 1, len(index)))
    for class_id, row in zip(class_ids, rows, strict=True):
        np.add.at(counts[class_id], row, 1)
    logs = np.log(counts / counts.sum(axis=1, keepdims=True))
    prior = np.log(np.bincount(class_ids) / len(class_ids))
    found = ([index[f] for f in _features(s) if f in index] for s in others)
    return np.array([np.argmax(prior + logs[:, row].sum(axis=1)) for row in found], int)


def _features(sentence: str) -> list[str]:
    words = split_words(sentence)
    return words + [" ".join(pair) for pair in itertools.pairwise(words)]
