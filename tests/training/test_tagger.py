"""The two models inside a tagger: a loss each, and a lower logit of "no entity"."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasseq.models.tagger import PARTS, TaggerConfig, build_tagger
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.tagger import LOWERED, fit_parts


@pytest.mark.slow
def test_both_models_are_trained_and_no_entity_becomes_less_likely():
    config = TaggerConfig(
        7, ("x",), 5, 4, 3, 6, 2, dropout=0.0, num_ngrams=11, ngram_dropout=0.0
    )
    keras.utils.set_random_seed(1)
    model = build_tagger(config)
    generator = np.random.default_rng(2)
    for name in ("guess", "near", "around"):
        table = model.get_layer(name).table
        table.assign(generator.normal(size=table.shape))
    inputs = generator.integers(1, 7, (2, 3)), generator.integers(1, 99, (2, 3, 5))
    tags, weights = generator.integers(0, 3, (2, 3)), generator.random((2, 3))
    losses = []
    for name in PARTS:
        logits = keras.Model(model.inputs, model.get_layer(name).output)(inputs)
        chosen = np.take_along_axis(
            tf.nn.log_softmax(logits).numpy(), tags[..., None], -1
        )
        losses.append(-(chosen[..., 0] * weights).sum() / weights.sum())
    assert abs(losses[0] - losses[1]) > 0.01
    batches = tf.data.Dataset.from_tensors((inputs, tags, weights.astype("float32")))
    before, history = model(inputs), keras.callbacks.History()
    # So small a rate changes no logit by itself.
    fit_parts(model, batches, TrainingConfig(2, 3, 1, 1, 1e-9), [history])
    np.testing.assert_allclose(history.history["loss"], np.mean(losses), rtol=1e-5)
    lowered = [[[LOWERED, 0, 0]] * 3] * 2
    np.testing.assert_allclose(before - model(inputs), lowered, atol=1e-5)
