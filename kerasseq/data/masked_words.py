"""Batches of masked words, which an encoder is trained on.

Devlin et al. 2019, "BERT", section 3.1, task 1, without the words left as they are.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from kerasseq.text.words import MASK, SPECIALS


def masked_word_batches(
    sequences: Sequence[np.ndarray],
    batch_size: int,
    *,
    passes: int = 1,
    rate: float = 0.15,
    max_length: int = 64,
    seed: int = 0,
) -> tf.data.Dataset:
    """Sentences with words hidden behind `MASK`, as `model.fit` takes them.

    Every pass has the sentences in a new order and hides other words: each known word
    with probability `rate`, and at least one in a sentence. Padding and unknown words
    are never hidden, and a sentence without a known word is left out.

    The batches depend on the arguments only, so they are the same each time that the
    dataset is read. All have the same shape, which lets XLA compile one program: the
    last one is filled up from a further pass.

    A loss with `reduction="mean_with_sample_weight"` is the mean over the hidden words;
    Keras's default divides their sum by the number of all places.

    Args:
        sequences: N arrays of ids (T_n,), as from `WordVocabulary.encode`.
        batch_size: B.
        passes: how often to go through the sentences.
        rate: the probability with which a word is hidden, 0 to 1.
        max_length: a longer sentence loses its end.
        seed: not negative; decides the order and what is hidden.

    Returns:
        Batches of inputs int32 (B, T), targets int32 (B, T), which are the sentences
        as they were, and weights float32 (B, T), 1 at what is hidden and 0 elsewhere;
        T is the length of the longest sentence, at most `max_length`.

    Raises:
        ValueError: an argument is out of its range, or no sentence has a known word.
    """
    for name, value in (
        ("batch_size", batch_size),
        ("passes", passes),
        ("max_length", max_length),
    ):
        if value < 1:
            raise ValueError(f"{name}={value} must be at least 1")
    if not 0 <= rate <= 1:
        raise ValueError(
            f"rate={rate} is no probability; give 0 to 1, for example 0.15"
        )
    usable = [
        ids
        for ids in (np.asarray(sequence[:max_length]) for sequence in sequences)
        if (ids >= len(SPECIALS)).any()
    ]
    if not usable:
        raise ValueError(
            f"none of {len(sequences)} sentences has a known word to hide among its "
            f"first {max_length}; give sentences with words of the vocabulary"
        )
    padded = keras.utils.pad_sequences(usable, padding="post")
    num_batches = -(-passes * len(padded) // batch_size)
    order = _shuffled_passes(len(padded), num_batches * batch_size, seed)
    rows = tf.constant(order.reshape(num_batches, batch_size), tf.int32)
    table = tf.constant(padded)

    def batch(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        targets = tf.gather(table, rows[index])
        drawn = tf.random.stateless_uniform(tf.shape(targets), [seed, index])
        drawn = tf.where(targets >= len(SPECIALS), drawn, 2.0)
        # The lowest number of a sentence passes at any rate, a 2 at none.
        hidden = drawn <= tf.maximum(tf.reduce_min(drawn, 1, keepdims=True), rate)
        return tf.where(hidden, MASK, targets), targets, tf.cast(hidden, tf.float32)

    batches = tf.data.Dataset.range(num_batches).map(batch)
    options = tf.data.Options()
    # See `next_character_streams`: its end would be waited for.
    options.autotune.enabled = False
    return batches.with_options(options).prefetch(2)


def _shuffled_passes(num_rows: int, count: int, seed: int) -> np.ndarray:
    """The first `count` row indices, shuffled again for each pass."""
    generator = np.random.default_rng(seed)
    passes = [generator.permutation(num_rows) for _ in range(-(-count // num_rows))]
    return np.concatenate(passes)[:count]
