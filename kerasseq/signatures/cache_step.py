"""The cache of a next-word model as it is exported, one word at a time.

Shapes: V vocabulary, M own words, R remembered words.
"""

import numpy as np
import tensorflow as tf

from kerasseq.models.word_cache import (
    AFTER_ONE,
    AFTER_TWO,
    DECAY,
    LEAST,
    REMEMBERED,
    WEIGHT,
)
from kerasseq.text.keyboard import OWN_WORDS
from kerasseq.text.words import UNKNOWN


class CacheStep(tf.Module):
    """`with_cache` as a step, in operations that TFLite has.

    Args:
        vocabulary_size: V.
    """

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        self._sizes = [vocabulary_size, OWN_WORDS]
        self._decays = DECAY ** np.arange(REMEMBERED, 0, -1, dtype=np.float32)

    def __call__(
        self, logits: tf.Tensor, token: tf.Tensor, recent: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Mix in the cache.

        Args:
            logits: float32 (1, V), of the word after this one.
            token: int32 (1,), this word.
            recent: float32 (1, R), ids of the words before it, the last one at the end.

        Returns:
            Logarithms of the probabilities, float32 (1, V + M), and the new `recent`.
        """
        last = tf.cast(token, tf.float32)[None]
        two = tf.concat([recent[:, -1:], last], 1)
        recent = tf.concat([recent[:, 1:], last], 1)
        words = recent[0]
        after_one = _as_numbers(recent[0, :-1] == last[0]) * _as_numbers(
            last[0] != UNKNOWN
        )
        after_two = _as_numbers(recent[0, :-2] == two[0, :1]) * after_one[1:]
        weights = WEIGHT + tf.concat([[0.0], (AFTER_ONE - WEIGHT) * after_one], 0)
        weights += tf.concat([[0.0, 0.0], (AFTER_TWO - AFTER_ONE) * after_two], 0)
        weights *= self._decays * _as_numbers(words > UNKNOWN)
        added = tf.scatter_nd(
            tf.cast(words, tf.int32)[:, None], weights, [sum(self._sizes)]
        )
        known, own = added[: self._sizes[0]], added[self._sizes[0] :]
        logits -= tf.reduce_max(logits)
        logits -= tf.math.log(tf.reduce_sum(tf.exp(logits)))
        # Where nothing is added, a small probability keeps its logarithm.
        mixed = tf.where(known > 0, tf.math.log(tf.exp(logits[0]) + known), logits[0])
        mixed = tf.concat([mixed, tf.math.log(own + LEAST)], 0)
        mixed -= tf.math.log(1 + tf.reduce_sum(weights))
        return mixed[None], recent


def _as_numbers(holds: tf.Tensor) -> tf.Tensor:
    return tf.cast(holds, tf.float32)
