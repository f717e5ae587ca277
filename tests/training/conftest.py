"""What the tests of checkpoints share: a model whose state is saved and restored."""

import keras
import pytest


@pytest.fixture
def model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model
