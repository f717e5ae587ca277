"""From logits to a token, and from a seed to uniform numbers.

The order of the steps and the arithmetic are those of the contract that every runtime
speaks (export/on_device/README.md); only operations that TFLite has built in are used.
"""

from typing import NamedTuple

import tensorflow as tf

# Below this a temperature is greedy but for exact ties, and dividing by it is safe in
# float32 on runtimes that flush denormal numbers to zero.
SMALLEST_TEMPERATURE = 1e-6


class Settings(NamedTuple):
    """How to choose a token from logits; the defaults change nothing.

    Attributes:
        temperature: 0 takes the likeliest token; above 1 is bolder.
        top_k: keep this many of the likeliest tokens; 0 keeps all.
        top_p: keep the shortest head of the likeliest whose probabilities reach it.
        min_p: drop tokens under this fraction of the largest probability.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def check(self) -> "Settings":
        """Return self.

        Raises:
            ValueError: a setting is out of its range; quoted with the range.
        """
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(
                f"temperature={self.temperature} is not a number from 0 up; use 0 for "
                "the likeliest character, 1 for the model's own distribution"
            )
        if not 0 <= self.top_k < 2**31:
            raise ValueError(
                f"top_k={self.top_k} is not within 0 to 2**31 - 1; 0 keeps all"
            )
        if not 0 <= self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p} is not within 0 to 1; 1 keeps all")
        if not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p={self.min_p} is not within 0 to 1; 0 keeps all")
        return self


def choose_token(
    logits: tf.Tensor, uniform: tf.Tensor, settings: Settings
) -> tf.Tensor:
    """Choose a token by inverting the distribution at a uniform number.

    Args:
        logits: float32 (V,).
        uniform: float32 (), from 0 to below 1.
        settings: scalar tensors: float32, but int32 for top_k.

    Returns:
        int32 ().
    """
    vocabulary_size = logits.shape[0]
    greedy = tf.argmax(logits, output_type=tf.int32)
    # Taking the maximum away first keeps the division from overflowing.
    scaled = (logits - tf.reduce_max(logits)) / tf.maximum(
        settings.temperature, SMALLEST_TEMPERATURE
    )
    filtered = (settings.top_k > 0) | (settings.top_p < 1.0) | (settings.min_p > 0.0)
    # Sorting costs as much as a small model, so it is done only where it is needed.
    kept = tf.cond(
        filtered,
        lambda: _kept(scaled, settings),
        lambda: tf.ones((vocabulary_size,)),
    )
    probabilities = kept * tf.exp(scaled)
    probabilities /= tf.reduce_sum(probabilities)
    # How many running sums are not above the number is the id of the first that is.
    below = tf.cumsum(probabilities) <= uniform
    index = tf.reduce_sum(tf.cast(below, tf.int32))
    ids = tf.range(vocabulary_size)
    last = tf.reduce_max(ids * tf.cast(kept, tf.int32))
    sampled = tf.minimum(index, last)
    return tf.where(settings.temperature > 0.0, sampled, greedy)


def _kept(scaled: tf.Tensor, settings: Settings) -> tf.Tensor:
    """Which tokens top-k, min-p and top-p keep: 1.0 or 0.0, float32 (V,).

    In order of probability each of the three keeps a head, so together they keep the
    shortest of the three heads, and its last token says for every other whether it is
    in.
    """
    vocabulary_size = scaled.shape[0]
    ordered, ids = tf.math.top_k(scaled, vocabulary_size)  # ties by lower id
    ranks = tf.range(vocabulary_size)
    top_k = tf.where(settings.top_k > 0, settings.top_k, vocabulary_size)
    kept = tf.cast(ranks < top_k, tf.float32)
    weights = kept * tf.exp(ordered)
    # The largest weight is exp(0), so min_p compares with it as it stands.
    kept *= tf.cast(weights >= settings.min_p, tf.float32)
    weights *= kept
    before = tf.cumsum(weights, exclusive=True) / tf.reduce_sum(weights)
    kept *= tf.cast((before < settings.top_p) | (ranks == 0), tf.float32)
    last = tf.cast(tf.reduce_sum(kept), tf.int32) - 1
    lowest, lowest_id = tf.gather(ordered, last), tf.gather(ids, last)
    tied = (scaled == lowest) & (tf.range(vocabulary_size) <= lowest_id)
    return tf.cast((scaled > lowest) | tied, tf.float32)


def uniform_numbers(seed: tf.Tensor, start: tf.Tensor, count: int) -> tf.Tensor:
    """Numbers `start` to `start + count - 1` of a seed's uniform sequence.

    They count rather than follow one another, so a text written in chunks equals one
    written whole. The mixer is MurmurHash3's 32-bit finalizer (Appleby 2011).

    Args:
        seed: int32 (), from 0 to 2**31 - 1.
        start: int32 (), index of the first number.
        count: how many.

    Returns:
        float32 (count,), multiples of 2**-24 from 0 to below 1.
    """
    golden = tf.constant(0x9E3779B9, tf.uint32)
    index = tf.cast(start + tf.range(count), tf.uint32)
    mixed = _mix(_mix(tf.cast(seed, tf.uint32) + golden) + index * golden)
    high = tf.bitwise.right_shift(mixed, tf.constant(8, tf.uint32))
    return tf.cast(high, tf.float32) / 2.0**24


def _mix(x: tf.Tensor) -> tf.Tensor:
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        x = tf.bitwise.bitwise_xor(
            x, tf.bitwise.right_shift(x, tf.constant(shift, tf.uint32))
        )
        x *= tf.constant(factor, tf.uint32)
    return x
