"""Naive Bayes on words and pairs of words: the baseline of a classifier."""

import collections
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
    # Most features are of few classes, and a matrix of all would not fit.
    counts: dict[str, collections.Counter[int]] = collections.defaultdict(
        collections.Counter
    )
    totals = np.zeros(class_ids.max() + 1)
    for sentence, class_id in zip(training, class_ids.tolist(), strict=True):
        features = _features(sentence)
        totals[class_id] += len(features)
        for feature in features:
            counts[feature][class_id] += 1
    prior = np.log(np.bincount(class_ids) / len(class_ids))
    likeliest = []
    for sentence in others:
        known = [counts[each] for each in _features(sentence) if each in counts]
        scores = prior - len(known) * np.log(totals + len(counts))
        for each in known:
            scores[list(each)] += np.log(np.array(list(each.values())) + 1)
        likeliest.append(scores.argmax())
    return np.array(likeliest, int)


def _features(sentence: str) -> list[str]:
    words = split_words(sentence)
    return words + [" ".join(pair) for pair in itertools.pairwise(words)]
