"""The training step: its numbers are those of Keras's own step, whatever the parts."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.data.streams import next_character_streams
from kerasseq.layers.recurrent import LSTM
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.char_transformer import (
    CharTransformerConfig,
    build_char_transformer,
)
from kerasseq.models.stateful import build_stateful_model
from kerasseq.training import step
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.step import TrainStep, count_parts

BATCH, LENGTH, STEPS = 8, 6, 5
CONFIG = TrainingConfig(BATCH, LENGTH, STEPS, 1, clip_norm=0.05, weight_decay=0.1)
MODELS = {
    "gru": lambda: build_char_rnn(CharRNNConfig(7, "gru", 5, 2)),
    "lstm": lambda: build_char_rnn(CharRNNConfig(7, "lstm", 5)),
    "transformer": lambda: build_char_transformer(
        CharTransformerConfig(7, 8, num_blocks=1, num_heads=2, context=9)
    ),
}
OTHERS = "gru", "transformer"


def with_step(model: keras.Model, parts: int | None) -> keras.Model:
    """Compiled to train in so many parts; None for Keras's own step."""
    compile_for_training(model, CONFIG, jit_compile=False)
    model.train_step = TrainStep(model, parts or 1)
    if parts is None:
        del model.train_step
        # Keras squares the summands of an embedding's gradient instead of their sum.
        apply = model.optimizer.apply_gradients
        model.optimizer.apply_gradients = lambda pairs: apply(
            [(tf.convert_to_tensor(gradient), weights) for gradient, weights in pairs]
        )
    return model


def check_same(one: keras.Model, other: keras.Model) -> None:
    """Weights, carried states, the optimizer's variables and the epoch's loss."""
    for mine, keras_own in zip(variables(one), variables(other), strict=True):
        np.testing.assert_allclose(mine, keras_own, rtol=2e-4, atol=2e-5)


def variables(model: keras.Model) -> list[keras.Variable]:
    return [
        *model.variables,
        *model.optimizer.variables,
        *(each for metric in model.metrics for each in metric.variables),
    ]


@pytest.mark.parametrize(
    "name",
    ["lstm", *(pytest.param(each, marks=pytest.mark.slow) for each in OTHERS)],
)
def test_parts_train_a_stateful_model_as_one_program_does(name):
    ids = np.random.default_rng(0).integers(0, 7, STEPS * BATCH * LENGTH + 1)
    batches = next_character_streams(ids, BATCH, LENGTH)

    def learner(parts: int | None) -> keras.Model:
        keras.utils.set_random_seed(4)
        model = build_stateful_model(MODELS[name](), BATCH, LENGTH)
        with_step(model, parts).fit(batches, shuffle=False, verbose=0)
        return model

    whole = learner(None)
    for parts in (1, 4):
        check_same(learner(parts), whole)


@pytest.fixture(scope="module")
def pair() -> list[keras.Model]:
    """A model that trains in four parts, and one with Keras's own step."""
    inputs = keras.Input((LENGTH,), dtype="int32")
    x = keras.layers.Embedding(7, 5)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(7)(x))
    models = [model, keras.models.clone_model(model)]
    return [with_step(*each) for each in zip(models, (4, None), strict=True)]


@settings(max_examples=30)
@given(
    seed=st.integers(0, 99),
    rates=st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=BATCH, max_size=BATCH),
)
def test_parts_whose_samples_weigh_differently_train_as_one(pair, seed, rates):
    """Some parts may have no weight at all, and so may the whole batch."""
    rng = np.random.default_rng(seed)
    inputs, targets = rng.integers(0, 7, (2, BATCH, LENGTH))
    weights = rng.random((BATCH, LENGTH)) < np.array(rates)[:, None]
    data = tuple(map(tf.constant, (inputs, targets, weights.astype(np.float32))))
    parts, whole = pair
    for mine, keras_own in zip(variables(parts), variables(whole), strict=True):
        mine.assign(keras_own)
    for model in pair:
        model.train_step(data)
    check_same(*pair)


def test_parts_drop_different_elements():
    """The gradient of a row counts the rows of the batch whose feature was kept.

    Were the masks of both parts the same, all counts would be even.
    """
    inputs = keras.Input((50,))
    dropped = keras.layers.Dropout(0.5, seed=3)(inputs)
    logits = keras.layers.Dense(2, kernel_initializer="zeros")(dropped)
    model = keras.Model(inputs, logits)
    compile_for_training(model, CONFIG, jit_compile=False)
    model.optimizer = keras.optimizers.SGD(1.0)
    model.train_step = TrainStep(model, parts=2)
    model.fit(np.ones((BATCH, 50)), np.zeros(BATCH), BATCH, verbose=0)
    # A logit's gradient is 1/2 in each row, and what is kept is doubled.
    counts = BATCH * model.layers[-1].kernel.numpy()[:, 0]
    np.testing.assert_allclose(counts, counts.round(), atol=1e-4)
    assert set(counts.round() % 2) == {0, 1}


@pytest.mark.parametrize(
    ("cores", "rows", "parts"),
    [(1, 64, 1), (2, 64, 2), (2, 32, 2), (2, 15, 1), (4, 32, 4), (16, 32, 4)],
)
def test_a_batch_has_a_part_for_each_core(cores, rows, parts, monkeypatch):
    monkeypatch.setattr(step, "count_cores", lambda: cores)
    assert count_parts(rows) == parts
    assert count_parts(None) == cores


@pytest.fixture
def gpu(monkeypatch):
    """TensorFlow finds a GPU; nothing can run on it."""
    found = [tf.config.PhysicalDevice("GPU:0", "GPU")]
    for function in ("list_physical_devices", "list_logical_devices"):
        monkeypatch.setattr(tf.config, function, lambda kind=None: found)


def traced_operations(function, *arguments) -> list[str]:
    """The kinds of operations in a function's graph, and in those that it calls."""
    graph = tf.function(function).get_concrete_function(*arguments).graph.as_graph_def()
    inner = [node.op for each in graph.library.function for node in each.node_def]
    return [*(node.op for node in graph.node), *inner]


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("cell", ["gru", "lstm", "simple_rnn"])
def test_on_a_gpu_a_step_calls_cudnn_where_it_can(cell):
    """Only traced: what cuDNN computes, no machine without a GPU can say."""
    model = build_char_rnn(CharRNNConfig(7, cell, 5, num_layers=2))
    learner = build_stateful_model(model, BATCH, LENGTH, reset_rate=0.1)
    compile_for_training(learner, CONFIG)
    assert learner.train_step.parts == 1
    assert learner.train_step.jit_compile == (cell == "simple_rnn")
    ids = np.zeros((BATCH, LENGTH), np.int32)
    found = traced_operations(learner.train_step, (ids, ids))
    expected = 0 if cell == "simple_rnn" else 2
    assert found.count("CudnnRNNV3") == expected
    assert found.count("CudnnRNNBackpropV3") == expected
    assert any("While" in each for each in found) == (cell == "simple_rnn")


@pytest.mark.usefixtures("gpu")
def test_what_is_exported_on_a_gpu_runs_without_one():
    layer = LSTM(5)
    for training in (False, True):
        call = partial(layer, training=training)
        found = traced_operations(call, tf.zeros((2, LENGTH, 3)))
        assert ("CudnnRNNV3" in found) == training
