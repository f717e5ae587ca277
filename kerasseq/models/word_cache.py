"""A cache of the words that were typed last, mixed with what a model predicts.

People repeat their words and phrases. Each of the last words stands for itself: with a
weight that decays with its age, and that is higher if it followed the same word as now,
and higher still if it followed the same two (Kuhn and De Mori 1990, "A cache-based
natural language model for speech recognition", with the pairs and triples of Jelinek et
al. 1991, "A dynamic language model for speech recognition"). With p the model's
probabilities and c the sums of the weights, those of the two together are
(p + c) / (1 + sum(c)): MacKay and Peto 1995, "A hierarchical Dirichlet language model".

Words that the model does not know are numbered from V on, see
`TypedVocabulary.encode_own`: the cache alone predicts them.

Shapes: T words, V vocabulary, M own words.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from kerasseq.text.keyboard import OWN_WORDS
from kerasseq.text.words import UNKNOWN

# How many of the last words it remembers.
REMEMBERED = 500
# A word loses its weight by this factor with each word after it.
DECAY = 0.99
# Of any word, of one after the same word as now, and of one after the same two.
WEIGHT, AFTER_ONE, AFTER_TWO = 0.001, 0.05, 0.25
# Of a word of one's own that was typed longer ago, instead of 0.
LEAST = 1e-6


def cache_weights(recent: np.ndarray, size: int) -> np.ndarray:
    """What a cache adds to the probabilities of the next word.

    Args:
        recent: int (T,), ids of the words so far, of which the last 500 count.
        size: V.

    Returns:
        float64 (V + M,).
    """
    recent = np.asarray(recent)[-REMEMBERED:]
    weights = np.full(len(recent), WEIGHT)
    if len(recent) and recent[-1] != UNKNOWN:
        after_one = np.append(False, recent[:-1] == recent[-1])
        after_two = np.append([False, False], recent[:-2] == recent[-2:-1])
        after_two = after_one & after_two[: len(recent)]
        weights = np.where(after_two, AFTER_TWO, np.where(after_one, AFTER_ONE, WEIGHT))
    weights *= DECAY ** np.arange(len(recent), 0, -1)
    known = recent > UNKNOWN
    return np.bincount(recent[known], weights[known], size + OWN_WORDS)


def with_cache(
    pieces: Iterable[np.ndarray],
    histories: Iterable[np.ndarray],
    *,
    logits: bool = False,
) -> Iterator[np.ndarray]:
    """Mix a cache with a model's predictions.

    Args:
        pieces: probabilities (n, V), or logits, of the word after each history.
        histories: ids (T,) of the words so far, with those of one's own, a history for
            each row.
        logits: whether the pieces are logits.

    Yields:
        Logarithms of the probabilities, float32 (n, V + M).
    """
    rest = iter(histories)
    for piece in pieces:
        size = piece.shape[1]
        mixed = np.empty((len(piece), size + OWN_WORDS), np.float32)
        for row, out, history in zip(piece, mixed, rest, strict=False):
            row = row.astype(np.float64)
            if logits:
                row -= row.max()
                row -= np.log(np.exp(row).sum())
            else:
                row = np.log(row)
            added = cache_weights(history, size)
            typed = np.flatnonzero(added[:size])
            row[typed] = np.log(np.exp(row[typed]) + added[typed])
            out[:size] = row
            out[size:] = np.log(added[size:] + LEAST)
            out -= np.log1p(added.sum())
        yield mixed


def histories(ids: np.ndarray) -> Iterator[np.ndarray]:
    """The words up to each of a text, int (T,), as far as a cache remembers them."""
    for end in range(1, len(ids) + 1):
        yield ids[max(0, end - REMEMBERED) : end]
