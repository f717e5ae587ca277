"""Sentences with hidden words, to train an encoder on.

Devlin et al. 2019, "BERT", section 3.1, task 1 and appendix A.1.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from kerasseq.text.words import MASK, SPECIALS

# Of the chosen words, these shares stay as they are and become another word, so that
# the encoder also learns vectors of words that it sees.
KEPT, REPLACED = 0.1, 0.1


def masked_word_batches(
    sequences: Sequence[np.ndarray],
    batch_size: int,
    *,
    passes: int = 1,
    rate: float = 0.15,
    max_length: int = 64,
    seed: int = 0,
    vocabulary_size: int | None = None,
) -> tf.data.Dataset:
    """Sentences with hidden words, in batches for `model.fit`.

    Every pass shuffles the sentences and chooses other words: the fraction `rate` of
    the known words of each sentence, and at least one. `MASK` takes their place; with
    a vocabulary size, only of eight in ten, and one in ten becomes any other word.
    Sentences without a known word are left out.

    The batches depend only on the arguments. All have the same shape, so that XLA
    compiles one program: the last one is filled up from another pass.

    With `reduction="mean_with_sample_weight"` the loss is the mean over the chosen
    words; Keras's default divides their sum by the number of all positions.

    Args:
        sequences: N arrays of ids (T_n,), as from `WordVocabulary.encode`.
        batch_size: B.
        passes: over the sentences.
        rate: the fraction of words that are chosen, 0 to 1.
        max_length: longer sentences lose their end.
        seed: not negative; decides the order and the chosen words.
        vocabulary_size: V, to train; None to measure.

    Returns:
        Batches of inputs "token_ids" int32 (B, T) and "chosen" int32 (B, M), the
        indices of the chosen words; targets int32 (B, M), the words themselves; and
        weights float32 (B, M), 0 where a sentence has fewer. T is the length of the
        longest sentence, at most `max_length`, and M the most chosen words of one.

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
    chosen = (rate * (padded >= len(SPECIALS)).sum(1)).round().clip(1).astype(np.int32)
    most = int(chosen.max())
    num_batches = -(-passes * len(padded) // batch_size)
    generator, count = np.random.default_rng(seed), num_batches * batch_size
    order = np.concatenate(
        [generator.permutation(len(padded)) for _ in range(-(-count // len(padded)))]
    )[:count]
    rows = tf.constant(order.reshape(num_batches, batch_size), tf.int32)
    table, counts = tf.constant(padded), tf.constant(chosen)

    def batch(index: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
        sentences = tf.gather(table, rows[index])
        drawn = tf.random.stateless_uniform(tf.shape(sentences), [seed, index])
        _, positions = tf.math.top_k(
            tf.where(sentences >= len(SPECIALS), drawn, -1.0), most
        )
        weighed = tf.range(most) < tf.gather(counts, rows[index])[:, None]
        targets = tf.gather(sentences, positions, batch_dims=1)
        hidden = tf.fill(tf.shape(targets), MASK)
        if vocabulary_size is not None:
            # Other streams than that of the positions, which have no seed below zero.
            lot = tf.random.stateless_uniform(tf.shape(targets), [-1 - seed, index])
            others = tf.random.stateless_uniform(
                tf.shape(targets),
                [-1 - seed, num_batches + index],
                len(SPECIALS),
                vocabulary_size,
                tf.int32,
            )
            hidden = tf.where(lot < KEPT + REPLACED, others, hidden)
            hidden = tf.where(lot < KEPT, targets, hidden)
        row = tf.broadcast_to(tf.range(batch_size)[:, None], tf.shape(positions))
        token_ids = tf.tensor_scatter_nd_update(
            sentences,
            tf.stack([row, positions], -1),
            tf.where(weighed, hidden, targets),
        )
        inputs = {"token_ids": token_ids, "chosen": positions}
        return inputs, targets, tf.cast(weighed, tf.float32)

    batches = tf.data.Dataset.range(num_batches).map(batch)
    options = tf.data.Options()
    # As in `next_character_streams`.
    options.autotune.enabled = False
    return batches.with_options(options).prefetch(2)
