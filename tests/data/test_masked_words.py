"""Masked words: the seed alone chooses them, and each one has a weight."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.data.masked_words import KEPT, REPLACED, masked_word_batches
from kerasseq.models.encoder import (
    EncoderConfig,
    build_encoder,
    build_masked_word_model,
)
from kerasseq.text.words import (
    MASK,
    SPECIALS,
    UNKNOWN,
    WordVocabulary,
)
from tests.support.twelve_sentences import SENTENCES

VOCABULARY = WordVocabulary.from_sentences(SENTENCES)
SEQUENCES = [VOCABULARY.encode(sentence) for sentence in SENTENCES]


def arrays(batches: tf.data.Dataset) -> tuple[np.ndarray, ...]:
    """Token ids (num_batches, B, T), positions, targets and weights, each (..., M)."""
    found = [
        (inputs["token_ids"], inputs["chosen"], targets, weights)
        for inputs, targets, weights in batches.as_numpy_iterator()
    ]
    return tuple(map(np.stack, zip(*found, strict=True)))


def unmasked(token_ids, positions, targets, weights):
    """The sentences before words were hidden, (num_batches, B, T)."""
    sentences = token_ids.copy()
    for index in np.ndindex(positions.shape):
        sentences[(*index[:2], positions[index])] = targets[index]
    return sentences


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
    token_ids, positions, targets, weights = arrays(batches)
    num_batches = math.ceil(passes * len(usable) / batch_size)
    length = max(map(len, usable))
    known = [sum(index > 2 for index in ids) for ids in usable]
    most = max(max(1, round(rate * count)) for count in known)
    assert token_ids.shape == (num_batches, batch_size, length)
    assert positions.shape == targets.shape == weights.shape
    assert targets.shape == (num_batches, batch_size, most)
    assert int(batches.cardinality()) == num_batches
    sentences = unmasked(token_ids, positions, targets, weights)
    chosen = weights == 1
    assert np.isin(weights, (0, 1)).all()
    assert (
        chosen.sum(-1) == np.clip(np.round(rate * (sentences > 2).sum(-1)), 1, None)
    ).all()
    assert (targets[chosen] >= len(SPECIALS)).all()
    # What differs from the sentence is hidden, and it is what was chosen.
    assert (token_ids != sentences).sum() == chosen.sum()
    assert (token_ids[token_ids != sentences] == MASK).all()
    rows = sentences.reshape(-1, length).tolist()
    for start in range(0, passes * len(usable), len(usable)):
        assert sorted(rows[start : start + len(usable)]) == sorted(
            keras.utils.pad_sequences(usable, padding="post").tolist()
        )
    everything = token_ids, positions, targets, weights
    for again, before in zip(arrays(batches), everything, strict=True):
        np.testing.assert_array_equal(again, before)


def test_masked_batches_depend_on_the_seed_alone():
    one, same, other = (
        arrays(masked_word_batches(SEQUENCES, 5, passes=9, seed=seed))
        for seed in (3, 3, 4)
    )
    for left, right in zip(one, same, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(unmasked(*one), unmasked(*other))


def test_every_pass_has_another_order():
    targets = unmasked(*arrays(masked_word_batches(SEQUENCES, 12, passes=30)))
    assert len({batch.tobytes() for batch in targets}) == 30
    for batch in targets:
        assert sorted(batch.tolist()) == sorted(
            keras.utils.pad_sequences(SEQUENCES, padding="post").tolist()
        )


def test_every_pass_and_every_seed_hides_other_words():
    # One sentence only, so that another order cannot pass for another choice.
    one, other = (
        arrays(masked_word_batches(SEQUENCES[:1], 1, passes=30, seed=seed))[1]
        for seed in (0, 1)
    )
    assert len({positions.tobytes() for positions in one}) > 10
    assert not np.array_equal(one, other)


def test_words_are_chosen_everywhere_alike():
    sequences = np.full((1000, 4), 3)
    _, positions, _, weights = arrays(masked_word_batches(sequences, 1000, rate=0.0))
    assert weights.shape == (1, 1000, 1), "at least one word a sentence"
    assert (abs(np.bincount(positions.ravel()) - 250) < 70).all()  # 5 deviations
    *_, weights = arrays(masked_word_batches(sequences, 1000, rate=1.0))
    assert weights.all()


def test_with_a_vocabulary_some_chosen_words_stay_or_become_others():
    sequences = np.full((1000, 40), 3)
    token_ids, _, _, weights = arrays(
        masked_word_batches(sequences, 1000, rate=0.5, vocabulary_size=103)
    )
    count = weights.sum()
    deviation = 5 * math.sqrt(0.1 * 0.9 / count)
    others = (token_ids != MASK) & (token_ids != 3)
    assert (
        abs((token_ids == MASK).sum() / count - (1 - KEPT - REPLACED)) < 2 * deviation
    )
    # One of a hundred is the word itself.
    assert abs(others.sum() / count - 0.99 * REPLACED) < deviation
    assert set(token_ids[others]) == set(range(4, 103))


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
    encoder = build_encoder(EncoderConfig(len(VOCABULARY), 4, 2, 1, 4))
    model = build_masked_word_model(encoder, len(VOCABULARY))
    model.get_layer("logits").kernel.assign(np.zeros((4, len(VOCABULARY))))
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
