"""Naive Bayes inside a model: what the words and pairs of words say for each class.

Shapes: B batch, T words, K classes.
"""

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


def is_there(ids: Tensor) -> Tensor:
    """1 for an id and 0 for padding, float32 and of the same shape."""
    return keras.ops.cast(ids != PAD, "float32")
