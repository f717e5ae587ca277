"""Masked words: the seed alone chooses them, and each one has a weight."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.data.masked_words import SENTENCES, masked_word_batches
from kerasseq.text.words import (
    MASK,
    SPECIALS,
    UNKNOWN,
    WordVocabulary,
    split_words,
)

VOCABULARY = WordVocabulary.from_sentences(SENTENCES)
SEQUENCES = [VOCABULARY.encode(sentence) for sentence in SENTENCES]


def arrays(batches: tf.data.Dataset) -> tuple[np.ndarray, ...]:
    """Inputs, targets and weights of all batches, each (num_batches, B, T)."""
    return tuple(map(np.stack, zip(*batches.as_numpy_iterator(), strict=True)))


ids = st.integers(UNKNOWN, 9).filter(lambda index: index != MASK)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(ids, max_size=7), min_size=1, max_size=5),
    st.integers(1, 4),
    st.integers(1, 3),
    st.floats(0, 1),
    st.integers(1, 8),
    st.integers(0, 2**31 - 1),
)
def test_masked_batches_hide_only_words(
    sequences, batch_size, passes, rate, max_length, seed
):
    usable = [s[:max_length] for s in sequences if max(s[:max_length], default=0) > 2]
    if not usable:
        with pytest.raises(ValueError, match="has a known word to hide"):
            masked_word_batches(sequences, batch_size, max_length=max_length)
        return
    batches = masked_word_batches(
        sequences,
        batch_size,
        passes=passes,
        rate=rate,
        max_length=max_length,
        seed=seed,
    )
    inputs, targets, weights = arrays(batches)
    num_batches = math.ceil(passes * len(usable) / batch_size)
    shape = batch_size, max(map(len, usable))
    assert int(batches.cardinality()) == num_batches
    for spec, dtype in zip(
        batches.element_spec, (tf.int32, tf.int32, tf.float32), strict=True
    ):
        assert (spec.shape, spec.dtype) == (shape, dtype)
    hidden = weights == 1
    assert np.isin(weights, (0, 1)).all()
    np.testing.assert_array_equal(inputs, np.where(hidden, MASK, targets))
    assert (targets[hidden] >= len(SPECIALS)).all()
    assert hidden.any(axis=-1).all()
    # Each pass has every usable sentence once.
    rows = targets.reshape(-1, shape[1]).tolist()
    for start in range(0, passes * len(usable), len(usable)):
        assert sorted(rows[start : start + len(usable)]) == sorted(
            keras.utils.pad_sequences(usable, padding="post").tolist()
        )
    for again, before in zip(arrays(batches), (inputs, targets, weights), strict=True):
        np.testing.assert_array_equal(again, before)


def test_masked_batches_depend_on_the_seed_alone():
    one, same, other = (
        arrays(masked_word_batches(SEQUENCES, 5, passes=9, seed=seed))
        for seed in (3, 3, 4)
    )
    for left, right in zip(one, same, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(one[1], other[1])


def test_every_pass_has_another_order():
    _, targets, _ = arrays(masked_word_batches(SEQUENCES, 12, passes=30))
    assert len({batch.tobytes() for batch in targets}) == 30
    for batch in targets:
        assert sorted(batch.tolist()) == sorted(
            keras.utils.pad_sequences(SEQUENCES, padding="post").tolist()
        )


def test_every_pass_and_every_seed_hides_other_words():
    # One sentence only, so that another order cannot pass for another choice.
    one, other = (
        arrays(masked_word_batches(SEQUENCES[:1], 1, passes=30, seed=seed))[2]
        for seed in (0, 1)
    )
    assert len({weights.tobytes() for weights in one}) > 10
    assert not np.array_equal(one, other)


def test_rate_is_the_fraction_of_hidden_words():
    # Long sentences, so that the one word that is always hidden hardly counts.
    sequences = np.full((1000, 60), 3)
    _, _, weights = arrays(masked_word_batches(sequences, 1000, rate=0.3))
    assert abs(weights.mean() - 0.3) < 0.01  # five standard deviations
    # The always hidden word alone: one per sentence, uniform over the positions.
    _, _, weights = arrays(masked_word_batches(sequences[:, :4], 1000, rate=0.0))
    assert weights.sum() == 1000
    assert (abs(weights.sum(axis=(0, 1)) - 250) < 70).all()
    _, _, weights = arrays(masked_word_batches(sequences, 1000, rate=1.0))
    assert weights.all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size=0 must be at least 1"),
        ({"passes": 0}, "passes=0 must be at least 1"),
        ({"max_length": 0}, "max_length=0 must be at least 1"),
        ({"rate": 1.5}, "rate=1.5 is not a probability"),
        ({"rate": math.nan}, "rate=nan is not a probability"),
        ({"sequences": []}, "none of 0 sentences"),
    ],
)
def test_masked_batches_refuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        masked_word_batches(**{"sequences": SEQUENCES, "batch_size": 2, **arguments})


def test_masked_batches_feed_fit():
    batches = masked_word_batches(SEQUENCES, 4, passes=2)
    model = keras.Sequential(
        [
            keras.layers.Embedding(len(VOCABULARY), 3, mask_zero=True),
            keras.layers.Dense(len(VOCABULARY), kernel_initializer="zeros"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"
    )
    model.compile("sgd", loss)
    # A model that gives every word the same probability: the loss is then a mean over
    # the hidden words and nothing else.
    assert math.isclose(
        model.evaluate(batches, verbose=0), math.log(len(VOCABULARY)), rel_tol=1e-6
    )
    model.fit(batches, shuffle=False, verbose=0)
    assert model.evaluate(batches, verbose=0) < math.log(len(VOCABULARY))


# --- the end


def test_batches_are_not_autotuned_which_would_delay_the_end_of_training():
    batches = masked_word_batches([[3, 4, 5]], 1)
    assert batches.options().autotune.enabled is False


def test_built_in_sentences_show_what_they_should():
    split = [split_words(sentence) for sentence in SENTENCES]
    assert all(7 <= len(words) <= 10 for words in split)
    # With one word hidden, the others identify the sentence.
    holed = [
        (*words[:position], None, *words[position + 1 :])
        for words in split
        for position in range(len(words))
    ]
    assert len(set(holed)) == len(holed)
    first, second = split[:2]
    assert first[1] == second[1] == "bank"
    assert len(first) != len(second)
