"""Random weights, so large that every one of them matters."""

import keras
import numpy as np


def with_random_weights(model: keras.Layer, seed: int, scale: float) -> keras.Layer:
    """The same model, all its weights from a normal distribution: biases, norms too."""
    numbers = np.random.default_rng(seed)
    model.set_weights([numbers.normal(0, scale, w.shape) for w in model.get_weights()])
    return model
