"""Sentences with masked words, to train an encoder on.

Devlin et al. 2019, "BERT", section 3.1, task 1, where every chosen word is masked.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from kerasseq.text.words import MASK, SPECIALS

# The encoder's default text. Each word follows from the rest of its sentence, and the
# same words occur in several sentences, at the same and at other positions, with other
# neighbours and meanings.
SENTENCES = (
    "the bank of the river was muddy after the rain",
    "the bank lends money to the farmer",
    "she sat on the bank and watched the boat",
    "he keeps all his money in the bank",
    "the light of the moon fell on the water",
    "a feather is light but a stone is heavy",
    "light the fire before the night is cold",
    "we watch the moon rise over the river",
    "her watch was slow and the train was late",
    "the spring in the old watch was broken",
    "in spring the river is cold and fast",
    "rain fell on the farmer and his boat",
)


def masked_word_batches(
    sequences: Sequence[np.ndarray],
    batch_size: int,
    *,
    passes: int = 1,
    rate: float = 0.15,
    max_length: int = 64,
    seed: int = 0,
) -> tf.data.Dataset:
    """Sentences with words replaced by `MASK`, in batches for `model.fit`.

    Every pass shuffles the sentences and masks other words: each known word with
    probability `rate`, and at least one in a sentence. Padding and unknown words are
    never masked, and sentences without a known word are left out.

    The batches depend only on the arguments. All have the same shape, so that XLA
    compiles one program: the last one is filled up from another pass.

    With `reduction="mean_with_sample_weight"` the loss is the mean over the masked
    words; Keras's default divides their sum by the number of all positions.

    Args:
        sequences: N arrays of ids (T_n,), as from `WordVocabulary.encode`.
        batch_size: B.
        passes: over the sentences.
        rate: the probability of a word to be masked, 0 to 1.
        max_length: longer sentences lose their end.
        seed: not negative; decides the order and the masked words.

    Returns:
        Batches of inputs int32 (B, T), targets int32 (B, T), the unmasked sentences,
        and weights float32 (B, T), 1 at masked words and 0 elsewhere; T is the length
        of the longest sentence, at most `max_length`.

    Raises:
        ValueError: an argument is out of range, or no sentence has a known word.
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
            f"rate={rate} is not a probability; give 0 to 1, for example 0.15"
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
    generator, count = np.random.default_rng(seed), num_batches * batch_size
    order = np.concatenate(
        [generator.permutation(len(padded)) for _ in range(-(-count // len(padded)))]
    )[:count]
    rows = tf.constant(order.reshape(num_batches, batch_size), tf.int32)
    table = tf.constant(padded)

    def batch(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        targets = tf.gather(table, rows[index])
        drawn = tf.random.stateless_uniform(tf.shape(targets), [seed, index])
        drawn = tf.where(targets >= len(SPECIALS), drawn, 2.0)
        # The lowest value of a sentence is below any threshold, a 2 below none.
        hidden = drawn <= tf.maximum(tf.reduce_min(drawn, 1, keepdims=True), rate)
        return tf.where(hidden, MASK, targets), targets, tf.cast(hidden, tf.float32)

    batches = tf.data.Dataset.range(num_batches).map(batch)
    options = tf.data.Options()
    # As in `next_character_streams`.
    options.autotune.enabled = False
    return batches.with_options(options).prefetch(2)
