"""Rare words of a next-word model: those at a vocabulary's end without vectors.

A model hardly learns when a word comes that it saw once or twice. It learns when any
such word comes: all of them are one word to it, the unknown one. Each of them, and what
is not in the vocabulary, has the same share of that word's probability. So the first
letters choose a rare word, and its vector takes no room in a file. (Of a class of
words, Goodman 2001, "Classes for fast maximum entropy training", equation 3.)

Shapes: V vocabulary, R rare words.
"""

import numpy as np

from kerasseq.text.words import UNKNOWN


def read_rare_words(ids: np.ndarray, num_known: int) -> np.ndarray:
    """Ids (N,) as a model reads and predicts them: from V - R on, the unknown word."""
    return np.where(ids < num_known, ids, UNKNOWN)


def with_rare_words(logits: np.ndarray, num_rare: int) -> np.ndarray:
    """Share the unknown word's probability with the rare words.

    Args:
        logits: float (n, V - R), of a model.
        num_rare: R.

    Returns:
        float (n, V), the same probabilities in all.
    """
    each = logits[:, UNKNOWN : UNKNOWN + 1] - np.log1p(num_rare).astype(logits.dtype)
    rare = np.repeat(each, num_rare, axis=1)
    return np.concatenate(
        [logits[:, :UNKNOWN], each, logits[:, UNKNOWN + 1 :], rare], axis=1
    )
