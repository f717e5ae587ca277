"""The benchmark of adaptation: what it reads, and what it learns."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.adaptation import Adapting, losses_with_cache
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.stateful import logits_along

LENGTH = 6


@pytest.fixture
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_char_rnn(CharRNNConfig(vocabulary_size=5, units=7, num_layers=2))


@pytest.fixture
def ids() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 5, 3 * LENGTH + 3)


def cross_entropies(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)
    sums = np.log(np.exp(logits).sum(-1))
    return sums - np.take_along_axis(logits, targets[:, None], -1)[:, 0]


def test_without_learning_it_is_the_loss_of_the_text(model, ids):
    logits = np.concatenate(list(logits_along(model, ids)))[:-1]
    adapting = Adapting(model, LENGTH, [1.0, 1.5])
    found = adapting.losses(ids, rate=0.0, decay=0.0).mean(1)
    expected = [cross_entropies(logits / t, ids[1:]).mean() for t in (1.0, 1.5)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.slow
def test_a_segment_is_learned_once_it_was_read(model, ids):
    rate, text = 0.01, ids[: 2 * LENGTH + 1]
    adapting = Adapting(model, LENGTH, [1.0])
    # Gradients of the one segment that it learns, so that a step is their sign.
    adapting.measure_gradients(ids[: LENGTH + 1])
    before = [each.numpy() for each in model.trainable_variables]
    with tf.GradientTape() as tape:
        logits = model(ids[None, :LENGTH])
        first = tf.reduce_mean(
            keras.losses.sparse_categorical_crossentropy(
                ids[None, 1 : LENGTH + 1], logits, from_logits=True
            )
        )
    gradients = tape.gradient(first, model.trainable_variables)
    gradients = [tf.convert_to_tensor(each).numpy() for each in gradients]

    found = adapting.losses(text, rate, decay=0.0)[0]

    # The state that the second segment starts with is that of the trained weights.
    twin = Adapting(model, LENGTH, [1.0])
    for weight, value, gradient in zip(
        model.trainable_variables, before, gradients, strict=True
    ):
        weight.assign(value - rate * gradient / (np.abs(gradient) + 1e-8))
    learned = [each.numpy() for each in model.trainable_variables]
    for weight, value in zip(model.trainable_variables, before, strict=True):
        weight.assign(value)
    segments = list(twin._segments(text))
    twin._read(*segments[0])
    for weight, value in zip(model.trainable_variables, learned, strict=True):
        weight.assign(value)
    second = twin._read(*segments[1])[0].numpy()[0]
    np.testing.assert_allclose(found[:LENGTH].mean(), first, rtol=1e-4)
    np.testing.assert_allclose(found[LENGTH:], second, rtol=1e-3)


@pytest.mark.slow
def test_each_reading_starts_with_the_trained_weights(model, ids):
    adapting = Adapting(model, LENGTH, [1.0])
    adapting.measure_gradients(ids)
    first = adapting.losses(ids, 0.01, 0.1)
    assert first.mean() != adapting.losses(ids, 0.0, 0.0).mean()
    np.testing.assert_array_equal(adapting.losses(ids, 0.01, 0.1), first)


@pytest.mark.slow
def test_the_decay_draws_most_where_gradients_are_large(model, ids):
    adapting = Adapting(model, LENGTH, [1.0])
    adapting.measure_gradients(ids)
    weights = model.trainable_variables
    trained = [each.numpy() for each in weights]
    for weight in weights:
        weight.assign_add(tf.ones_like(weight))
    adapting._learn([tf.zeros_like(each) for each in weights], 0.0, tf.constant(0.5))
    left = [each.numpy() - start for each, start in zip(weights, trained, strict=True)]
    everything = np.concatenate([each.numpy().ravel() for each in adapting._rms])
    for each, rms in zip(left, adapting._rms, strict=True):
        share = 0.5 * rms.numpy() / everything.mean()
        np.testing.assert_allclose(each, 1 - np.minimum(share, 1), atol=1e-5)


def test_the_cache_knows_what_was_read_only():
    """A part that comes again is foreseen the second time; nothing else is."""
    # No character comes twice in a part.
    part = np.random.default_rng(0).permutation(100)
    other = 100 + part
    loss = np.full(199, np.log(60.0))
    again = losses_with_cache(np.concatenate([part, part]), loss)
    np.testing.assert_allclose(again[:99], loss[:99])
    assert again[120:].mean() < 0.3 * loss[0]
    np.testing.assert_allclose(
        losses_with_cache(np.concatenate([part, other]), loss), loss
    )


@given(st.data())
def test_the_cache_is_a_distribution(data):
    """The probabilities of all characters that may follow sum to one."""
    size = data.draw(st.integers(2, 4))
    text = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=60))
    rng = np.random.default_rng(len(text))
    losses = -np.log(rng.dirichlet(np.ones(size), len(text)))
    before = losses[np.arange(len(text) - 1), text[1:]]
    following = [
        losses_with_cache(np.array([*text, each]), np.append(before, losses[-1, each]))
        for each in range(size)
    ]
    np.testing.assert_allclose(sum(np.exp(-each[-1]) for each in following), 1)
