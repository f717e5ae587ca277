"""From logits to a token, and from a seed to uniform numbers.

The order of the steps and the arithmetic are those of the contract (export/README.md),
which all runtimes share. Only operations that TFLite has built in are used.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import tensorflow as tf

# The smallest temperature is greedy except for exact ties, and division by it is safe
# in float32 on runtimes that flush denormal numbers to zero. At the largest, all tokens
# are practically equally likely, and the quotients keep their order there too.
SMALLEST_TEMPERATURE, LARGEST_TEMPERATURE = 1e-6, 1e6
LARGEST_LOGIT = 1e30
LARGEST_UNIFORM = 1 - 2.0**-24

# From the index of a step int32 () and logits float32 (..., V) to tokens int32 (...).
Draw: TypeAlias = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class Settings(NamedTuple):
    """How to choose a token from logits; the defaults change nothing.

    Attributes:
        temperature: 0 takes the likeliest token; the higher, the more varied.
        top_k: keep this many of the likeliest tokens; 0 keeps all.
        top_p: keep the fewest of the likeliest whose probabilities sum to it.
        min_p: drop tokens under this fraction of the largest probability.

    Example:
        >>> Settings(temperature=0.7, top_k=5).check()
        Settings(temperature=0.7, top_k=5, top_p=1.0, min_p=0.0)
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def check(self) -> "Settings":
        """Return self, if every setting is in its range.

        Raises:
            ValueError: a setting is out of its range.
        """
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(
                f"temperature={self.temperature} is not a number from 0 up; use 0 for "
                "the likeliest token, 1 for the model's own distribution"
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


def filters(settings: Settings) -> tf.Tensor:
    """Whether top-k, top-p or min-p drops tokens, bool ()."""
    return (settings.top_k > 0) | (settings.top_p < 1.0) | (settings.min_p > 0.0)


def sampler(
    settings: Settings, filtered: bool
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function that chooses tokens: `choose_token(logits, uniform)`.

    What does not depend on the logits is computed here, outside the loop that calls the
    function. Logits are clipped to -1e30 and 1e30, and NaN counts as the lowest.

    Args:
        settings: scalar tensors: float32, but int32 for top_k.
        filtered: the value of `filters` for them. Only filters need sorting, and a
            condition inside the loop would cost as much as sorting.

    Returns:
        A function from logits float32 (V,) and a uniform number float32 () to a token
        int32 (), which inverts the distribution at that number. Without filters, both
        may have more axes before: (..., V) and (..., 1) or () to (...).
    """
    temperature = tf.minimum(
        tf.maximum(settings.temperature, SMALLEST_TEMPERATURE), LARGEST_TEMPERATURE
    )
    greedy = tf.equal(settings.temperature, 0.0)
    most = tf.where(settings.top_k > 0, settings.top_k, tf.int32.max)
    # No running sum reaches twice the total, so 1 keeps all despite rounding.
    head = tf.where(settings.top_p < 1.0, tf.maximum(settings.top_p, 1e-30), 2.0)

    def choose_token(logits: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        logits = tf.where(
            logits > -LARGEST_LOGIT, tf.minimum(logits, LARGEST_LOGIT), -LARGEST_LOGIT
        )
        # Subtracting the maximum first keeps the division from overflowing.
        largest = tf.reduce_max(logits, axis=-1, keepdims=True)
        scaled = (logits - largest) / temperature
        if filtered:
            weights = _kept_weights(scaled, most, settings.min_p, head)
        else:
            weights = tf.exp(scaled)
        sums = tf.cumsum(weights, axis=-1)
        # Since uniform < 1, at least the last sum exceeds the product.
        exceeds = tf.cast(sums > uniform * sums[..., -1:], tf.float32)
        sampled = tf.argmax(exceeds, axis=-1, output_type=tf.int32)
        likeliest = tf.argmax(logits, axis=-1, output_type=tf.int32)
        return tf.where(greedy, likeliest, sampled)

    return choose_token


def drawing(temperature: tf.Tensor, uniforms: tf.Tensor) -> Draw:
    """A function that chooses tokens, with a uniform number for each step.

    Args:
        temperature: float32 (), 0 for the likeliest token.
        uniforms: float32 (T,), the numbers of T steps.
    """
    choose_token = sampler(Settings(temperature), filtered=False)
    uniforms = tf.minimum(uniforms, LARGEST_UNIFORM)
    return lambda step, logits: choose_token(logits, tf.gather(uniforms, step))


def _kept_weights(
    scaled: tf.Tensor, most: tf.Tensor, min_p: tf.Tensor, head: tf.Tensor
) -> tf.Tensor:
    """Weights of the tokens that top-k, min-p and top-p keep, 0 for others, (V,)."""
    vocabulary_size = scaled.shape[0]
    ordered, ids = tf.math.top_k(scaled, vocabulary_size)  # ties by lower id
    weights = tf.exp(ordered)
    # The largest weight is exp(0) = 1, so weights compare with min_p directly.
    kept = (tf.range(vocabulary_size) < most) & (weights >= min_p)
    weights = tf.where(kept, weights, 0.0)
    before = tf.cumsum(weights, exclusive=True)
    weights = tf.where(before < head * tf.reduce_sum(weights), weights, 0.0)
    return tf.scatter_nd(ids[:, None], weights, (vocabulary_size,))


def uniform_numbers(seed: tf.Tensor, start: tf.Tensor, count: int) -> tf.Tensor:
    """Numbers `start` to `start + count - 1` of a seed's uniform sequence.

    Each depends only on the seed and its index, so a text written in chunks equals one
    written at once. The mixer is MurmurHash3's 32-bit finalizer (Appleby 2011).

    Args:
        seed: int32 (), from 0 to 2**31 - 1.
        start: int32 (), index of the first number.
        count: of numbers.

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
