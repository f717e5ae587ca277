"""The loss of hidden words, of an encoder and of their neighbours alone.

Shapes: N hidden words, each in its own sentence, T words, V vocabulary.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from kerasseq.scores.kneser_ney import continuations
from kerasseq.text.words import MASK, PAD, SPECIALS

ROWS_AT_ONCE = 256


class Hidden(NamedTuple):
    """Words to guess.

    Attributes:
        sentences: of each, int32 (N, T), padded.
        positions: its index, int (N,).
    """

    sentences: np.ndarray
    positions: np.ndarray

    @property
    def words(self) -> np.ndarray:
        """The ids of the words, (N,)."""
        return self.sentences[np.arange(len(self.positions)), self.positions]


def hide_words(
    sequences: Sequence[np.ndarray], most: int, most_a_sentence: int = 3, seed: int = 0
) -> Hidden:
    """Choose known words at random.

    Args:
        sequences: the sentences, arrays of ids.
        most: N is at most this.
        most_a_sentence: words of one sentence.
        seed: decides which.

    Raises:
        ValueError: no sentence has a known word.
    """
    generator = np.random.default_rng(seed)
    chosen = [
        (row, position)
        for row, ids in enumerate(sequences)
        for position in generator.permutation(np.flatnonzero(ids >= len(SPECIALS)))[
            :most_a_sentence
        ]
    ]
    if not chosen:
        raise ValueError(f"none of {len(sequences)} sentences has a known word")
    kept = generator.permutation(len(chosen))[:most]
    rows, positions = np.array(chosen)[kept].T
    padded = keras.utils.pad_sequences(sequences, padding="post")
    return Hidden(padded[rows], positions)


def encoder_loss(masked_word_model: keras.Model, hidden: Hidden) -> float:
    """Mean loss in nats, each word hidden alone.

    Args:
        masked_word_model: from `build_masked_word_model`.
        hidden: the words.
    """
    token_ids = hidden.sentences.copy()
    token_ids[np.arange(len(token_ids)), hidden.positions] = MASK
    logits = masked_word_model.predict(
        {"token_ids": token_ids, "chosen": hidden.positions[:, None]},
        batch_size=ROWS_AT_ONCE,
        verbose=0,
    )[:, 0].astype(np.float64)
    largest = logits.max(1, keepdims=True)
    normalizers = np.log(np.exp(logits - largest).sum(1)) + largest[:, 0]
    found = logits[np.arange(len(logits)), hidden.words]
    return float((normalizers - found).mean())


class WordPairs:
    """A bigram model with interpolated modified Kneser-Ney smoothing.

    Chen and Goodman 1999, section 4.1.6. Sentences begin and end with `PAD`.

    Args:
        sequences: the sentences, arrays of ids.
        vocabulary_size: V.
    """

    def __init__(self, sequences: Sequence[np.ndarray], vocabulary_size: int) -> None:
        size = self._size = vocabulary_size
        ids = np.concatenate([[PAD], *([*ids, PAD] for ids in sequences)])
        ids = ids.astype(np.int64)
        pairs, counts = np.unique(ids[:-1] * size + ids[1:], return_counts=True)
        words, contexts = np.unique(pairs % size, return_counts=True)
        self._pairs = continuations(pairs, counts, size)
        self._first = np.repeat(self._pairs.histories, np.diff(self._pairs.starts))
        uniform = np.full(size, 1 / size)
        self._alone = continuations(words, contexts, size).add(0, uniform)
        self._left = np.ones(size)
        self._left[self._pairs.histories] = self._pairs.left

    def after(self, word: int) -> np.ndarray:
        """The probability of each word after a word, float64 (V,)."""
        return self._pairs.add(word, self._alone)

    def before(self, word: int) -> np.ndarray:
        """The probability of a word after each word, float64 (V,)."""
        probabilities = self._left * self._alone[word]
        seen = self._pairs.tokens == word
        probabilities[self._first[seen]] += self._pairs.shares[seen]
        return probabilities

    def losses(self, hidden: Hidden) -> tuple[float, float]:
        """Mean losses in nats of known words, each hidden alone.

        Returns:
            The loss from the word before alone, and that from both neighbours: a word
            is as probable as the model finds the sentence with it.
        """
        around = np.pad(hidden.sentences, ((0, 0), (1, 1)), constant_values=PAD)
        rows = np.arange(len(around))
        previous, following = (
            around[rows, hidden.positions + offset] for offset in (0, 2)
        )
        sums = np.zeros(2)
        for left, word, right in zip(previous, hidden.words, following, strict=True):
            probabilities = self.after(left)
            for index, each in enumerate(
                (probabilities, probabilities * self.before(right))
            ):
                sums[index] -= np.log(each[word] / each[len(SPECIALS) :].sum())
        one, both = map(float, sums / len(rows))
        return one, both
