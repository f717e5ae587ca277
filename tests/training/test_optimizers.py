"""Muon compared with Keras's own, and with the singular values of NumPy."""

import keras
import numpy as np
import pytest

from kerasseq.training.optimizers import Muon, as_matrix

SETTINGS = {"learning_rate": 0.1, "weight_decay": None, "adam_weight_decay": None}


def steps(optimizer, start, gradients, name="kernel"):
    variable = keras.Variable(start, name=name)
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    return np.array(variable.value)


def random(*shape):
    return np.random.default_rng(7).normal(size=shape).astype("float32")


@pytest.mark.parametrize("shape", [(6, 6), (4, 10), (10, 4)])
def test_a_matrix_moves_as_with_keras(shape):
    start, gradients = random(*shape), random(3, *shape)
    found = steps(Muon(**SETTINGS), start, gradients)
    expected = steps(keras.optimizers.Muon(**SETTINGS), start, gradients)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(12, 3, 4), (3, 4, 12), (3, 4, 7)])
def test_a_kernel_with_heads_moves_as_the_matrix_that_it_is(shape):
    rows, columns = as_matrix(shape)
    start, gradients = random(*shape), random(3, *shape)
    found = steps(Muon(**SETTINGS), start, gradients)
    expected = steps(
        keras.optimizers.Muon(**SETTINGS),
        start.reshape(rows, columns),
        gradients.reshape(3, rows, columns),
    )
    np.testing.assert_allclose(found.reshape(rows, columns), expected, atol=1e-6)


def test_all_directions_of_a_step_are_about_as_long():
    start = random(12, 3, 4)
    moved = steps(Muon(**SETTINGS), start, random(1, 12, 3, 4)) - start
    lengths = np.linalg.svd(moved.reshape(12, 12), compute_uv=False)
    expected = 0.1 * 0.2 * np.sqrt(12)
    assert 0.5 * expected < lengths.min() < lengths.max() < 1.3 * expected


@pytest.mark.parametrize(("shape", "name"), [((5,), "scale"), ((7, 3), "embeddings")])
def test_vectors_and_embeddings_are_left_to_adam(shape, name):
    start, gradients = random(*shape), random(3, *shape)
    optimizer = Muon(**SETTINGS, adam_beta_2=0.99)
    found = steps(optimizer, start, gradients, name)
    expected = steps(keras.optimizers.Adam(0.1, beta_2=0.99), start, gradients, name)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_rows_and_columns_of_kernels():
    assert as_matrix((12, 3, 4)) == (12, 12)
    assert as_matrix((3, 4, 12)) == (12, 12)
    assert as_matrix((5, 9)) == (5, 9)
