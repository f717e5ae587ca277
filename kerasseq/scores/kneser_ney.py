"""A trigram model with interpolated modified Kneser-Ney smoothing, as a baseline.

Chen and Goodman 1999, "An empirical study of smoothing techniques for language
modeling", section 4.1.6: the best of the count-based models for texts of this size.

Shapes: N tokens, V vocabulary.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

ROWS_AT_ONCE = 256


class Continuations(NamedTuple):
    """The tokens that follow each history of one length.

    Attributes:
        histories: int64 (M,), ascending.
        starts: int64 (M + 1,), where the tokens of each history start.
        tokens: int64, the tokens that followed.
        shares: float64, their discounted probabilities.
        left: float64 (M,), the probability left to the shorter history.
    """

    histories: np.ndarray
    starts: np.ndarray
    tokens: np.ndarray
    shares: np.ndarray
    left: np.ndarray

    def add(self, history: int, probabilities: np.ndarray) -> np.ndarray:
        """The probabilities (V,) after a history, from those after a shorter one."""
        at = int(np.searchsorted(self.histories, history))
        if at == len(self.histories) or self.histories[at] != history:
            return probabilities
        seen = slice(self.starts[at], self.starts[at + 1])
        probabilities = probabilities * self.left[at]
        probabilities[self.tokens[seen]] += self.shares[seen]
        return probabilities


class KneserNey:
    """Probabilities of the token after any two, from the counts in a text.

    Args:
        ids: int (N,), the text, at least three tokens.
        vocabulary_size: V.

    Example:
        >>> model = KneserNey(np.array([0, 1, 2] * 9), 3)
        >>> [rows] = model(np.array([0, 1]))
        >>> rows.argmax(axis=1).tolist()
        [1, 2]
    """

    def __init__(self, ids: np.ndarray, vocabulary_size: int) -> None:
        size = self._size = vocabulary_size
        ids = np.asarray(ids, np.int64)
        pairs = ids[:-1] * size + ids[1:]
        triples, counts = np.unique(pairs[:-1] * size + ids[2:], return_counts=True)
        # Shorter histories count the contexts of a token, not its occurrences.
        two, contexts_of_two = np.unique(triples % size**2, return_counts=True)
        one, contexts_of_one = np.unique(np.unique(pairs) % size, return_counts=True)
        self._after_two = continuations(triples, counts, size)
        self._after_one = continuations(two, contexts_of_two, size)
        uniform = np.full(size, 1 / size)
        self._alone = continuations(one, contexts_of_one, size).add(0, uniform)

    def __call__(self, ids: np.ndarray) -> Iterator[np.ndarray]:
        """The probabilities after each token of a text: float64 (n, V), in pieces."""
        rows: list[np.ndarray] = []
        before = None
        for token in map(int, ids):
            row = self._after_one.add(token, self._alone)
            if before is not None:
                row = self._after_two.add(before * self._size + token, row)
            rows.append(row)
            before = token
            if len(rows) == ROWS_AT_ONCE:
                yield np.stack(rows)
                rows = []
        if rows:
            yield np.stack(rows)


def continuations(grams: np.ndarray, counts: np.ndarray, size: int) -> Continuations:
    """Discount the counts of n-grams, ascending int64: history * V + token."""
    histories, starts = np.unique(grams // size, return_index=True)
    discounts = _discounts(counts)[np.minimum(counts, 3)]
    totals = np.add.reduceat(counts, starts)
    left = np.add.reduceat(discounts, starts) / totals
    starts = np.append(starts, len(grams))
    shares = (counts - discounts) / np.repeat(totals, np.diff(starts))
    return Continuations(histories, starts, grams % size, shares, left)


def _discounts(counts: np.ndarray) -> np.ndarray:
    """The discounts of counts of 0, 1, 2 and more, float64 (4,): equation 26."""
    n1, n2, n3, n4 = (int((counts == count).sum()) for count in (1, 2, 3, 4))
    if not n1 * n2 * n3 * n4:
        # There are too few counts to estimate them.
        return np.array([0.0, 0.5, 0.75, 0.75])
    y = n1 / (n1 + 2 * n2)
    found = [0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    return np.clip(found, 0, [0, 1, 2, 3])
