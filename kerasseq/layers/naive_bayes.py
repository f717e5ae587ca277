"""Naive Bayes inside a model: what words, their pairs and spellings say for a class.

Shapes: B batch, T words, L bytes of a word, K classes.
"""

from collections.abc import Sequence
from typing import Any

import keras

from kerasseq.layers.attention import Shape, Tensor
from kerasseq.layers.checks import check_at_least

PAD = 0
# Stands before the first word; no sentence contains this id.
START = 2
# A prime. Times an id and plus another it stays within int32, so that the buckets of
# pairs are the same wherever integers have at least 32 bits.
FACTOR = 65_599
MOST_WORDS = (2**31 - 1) // (FACTOR + 1)
# Of n-grams: their bytes are the digits of a number of this base.
LONGEST_NGRAM = 4
BASE = 4_099
MOST_ROWS = (2**31 - 1) // (BASE + 1)


@keras.saving.register_keras_serializable(package="kerasseq")
class NaiveBayes(keras.layers.Layer):
    """Sums of log-count ratios of the words and of the pairs of a sentence.

    Wang and Manning 2012, "Baselines and Bigrams: Simple, Good Sentiment and Topic
    Classification", section 2.1. Each sum is divided by the root of the number of
    words: words of a sentence repeat one another, and plain sums are too sure of long
    ones. The tables are counted, not trained: see `count_naive_bayes`. They start as
    zeros, with which all sums are zero.

    A pair is a word and the next one; the sentence's start and end count as words.
    Pairs share `num_pairs` rows: pair (a, b) has row 1 + (65,599 a + b) mod
    (num_pairs - 1), and row 0 is padding's.

    Args:
        num_words: V, number of ids, at most 32,736.
        num_pairs: rows of the table of pairs, at least 2.
        num_classes: K.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        token_ids: int32 (B, T), 0 at padding, which is on the right.

    Returns:
        float32 (B, K, 2): the sum of the words and that of the pairs.

    Raises:
        ValueError: a number is out of range.
    """

    def __init__(
        self, num_words: int, num_pairs: int, num_classes: int, **kwargs: Any
    ) -> None:
        # Sums of many ratios need float32, whatever the dtype policy.
        super().__init__(**{**kwargs, "dtype": "float32"})
        check_at_least(1, num_words=num_words, num_classes=num_classes)
        check_at_least(2, num_pairs=num_pairs)
        if num_words > MOST_WORDS:
            raise ValueError(f"num_words={num_words} must be at most {MOST_WORDS}")
        self.num_words = num_words
        self.num_pairs = num_pairs
        self.num_classes = num_classes

    def build(self, input_shape: Shape) -> None:
        for name, rows in (("words", self.num_words), ("pairs", self.num_pairs)):
            table = self.add_weight(
                shape=(rows, self.num_classes),
                initializer="zeros",
                trainable=False,
                name=name,
            )
            setattr(self, name, table)

    def pair_ids(self, token_ids: Tensor) -> Tensor:
        """The rows of the pairs, int32 (B, T + 1), 0 at padding."""
        edge = keras.ops.zeros_like(token_ids[:, :1])
        first = keras.ops.concatenate([edge + START, token_ids], axis=1)
        second = keras.ops.concatenate([token_ids, edge], axis=1)
        rows = 1 + keras.ops.mod(FACTOR * first + second, self.num_pairs - 1)
        after = keras.ops.concatenate([token_ids[:, :1], token_ids], axis=1)
        return keras.ops.where(after == PAD, PAD, rows)

    def call(self, token_ids: Tensor) -> Tensor:
        sums = [
            keras.ops.sum(
                keras.ops.take(table, ids, axis=0) * is_there(ids)[..., None], axis=1
            )
            for table, ids in (
                (self.words, token_ids),
                (self.pairs, self.pair_ids(token_ids)),
            )
        ]
        count = keras.ops.sum(is_there(token_ids), axis=1)[:, None, None]
        return keras.ops.stack(sums, axis=-1) / keras.ops.sqrt(
            keras.ops.maximum(count, 1)
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape[0], self.num_classes, 2

    def get_config(self) -> dict[str, Any]:
        sizes = {
            name: getattr(self, name)
            for name in ("num_words", "num_pairs", "num_classes")
        }
        return {**super().get_config(), **sizes}


@keras.saving.register_keras_serializable(package="kerasseq")
class SpellingBayes(keras.layers.Layer):
    """The sum of the log-count ratios of the byte n-grams of a sentence's words.

    They tell something of words that the training did not have. The sum is divided by
    the root of the number of n-grams, see `NaiveBayes`. The table is counted, too.

    A word is its bytes between 1, its start, and 0, its end; its n-grams are all
    sequences of 1 to 4 of these numbers but the end alone. They share `num_rows` rows:
    the n-gram (a, b, c) has row 1 + ((4,099 a + b) 4,099 + c) mod (num_rows - 1), and
    row 0 is for none.

    Args:
        num_rows: of the table, 2 to 523,776.
        num_classes: K.
        **kwargs: those of `keras.layers.Layer`.

    Call arguments:
        letters: int32 (B, T, L), the first bytes of each word, 0 at padding.

    Returns:
        float32 (B, K, 1).

    Raises:
        ValueError: a number is out of range.
    """

    def __init__(self, num_rows: int, num_classes: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        check_at_least(1, num_classes=num_classes)
        check_at_least(2, num_rows=num_rows)
        if num_rows > MOST_ROWS:
            raise ValueError(f"num_rows={num_rows} must be at most {MOST_ROWS}")
        self.num_rows = num_rows
        self.num_classes = num_classes

    def build(self, input_shape: Shape) -> None:
        self.ngrams = self.add_weight(
            shape=(self.num_rows, self.num_classes),
            initializer="zeros",
            trainable=False,
            name="ngrams",
        )

    def ngram_ids(self, letters: Tensor) -> list[Tensor]:
        """The rows of the n-grams, for n = 1 to 4: int32 (B, T, L + 3 - n), 0 for none.

        Those of one byte are the start, too: its row says how many words there are.
        """
        first = letters[..., :1]
        start = keras.ops.cast(first != PAD, "int32")
        digits = keras.ops.concatenate(
            [start, letters, keras.ops.zeros_like(first)], axis=-1
        )
        modulus, count = self.num_rows - 1, digits.shape[-1]
        value, whole = digits, digits != PAD
        found = [keras.ops.where(whole, 1 + keras.ops.mod(value, modulus), PAD)]
        for size in range(2, LONGEST_NGRAM + 1):
            # Only the last number of an n-gram may be the end.
            there = whole[..., : count + 1 - size]
            last = digits[..., size - 1 :]
            value = keras.ops.mod(BASE * value[..., : count + 1 - size] + last, modulus)
            whole = there & (last != PAD)
            found.append(keras.ops.where(there, 1 + value, PAD))
        return found

    def call(self, letters: Tensor) -> Tensor:
        # One n after the other takes a quarter of the memory.
        total, count = 0.0, 0.0
        for ids in self.ngram_ids(letters):
            there = is_there(ids)
            ratios = keras.ops.take(self.ngrams, ids, axis=0) * there[..., None]
            total += keras.ops.sum(ratios, axis=(1, 2))
            count += keras.ops.sum(there, axis=(1, 2))
        count = keras.ops.maximum(count, 1)[:, None]
        return (total / keras.ops.sqrt(count))[..., None]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape[0], self.num_classes, 1

    def get_config(self) -> dict[str, Any]:
        sizes = {"num_rows": self.num_rows, "num_classes": self.num_classes}
        return {**super().get_config(), **sizes}


@keras.saving.register_keras_serializable(package="kerasseq")
class WeightedSum(keras.layers.Layer):
    """Adds other scores of the classes to logits, each times a learned factor.

    Call arguments:
        inputs: logits (B, K) and scores (B, K, S).

    Returns:
        (B, K).
    """

    def build(self, input_shape: Sequence[Shape]) -> None:
        self.factors = self.add_weight(
            shape=(input_shape[1][-1],),
            initializer=keras.initializers.Constant(0.3),
            name="factors",
        )

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        logits, scores = inputs
        return logits + keras.ops.sum(scores * self.factors, axis=-1)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return input_shape[0]


def is_there(ids: Tensor) -> Tensor:
    """1 for an id and 0 for padding, float32 and of the same shape."""
    return keras.ops.cast(ids != PAD, "float32")
