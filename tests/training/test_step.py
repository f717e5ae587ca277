"""The training step: its numbers are those of Keras's own step, whatever the parts."""

from functools import partial
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.data.streams import next_character_streams
from kerasseq.layers.recurrent import GRU, LSTM
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
    for name in "list_physical", "get_visible", "list_logical":
        monkeypatch.setattr(tf.config, f"{name}_devices", lambda kind=None: found)


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
@pytest.mark.parametrize("kind", [GRU, LSTM])
def test_what_is_exported_on_a_gpu_runs_without_one(kind):
    """Of static and of other shapes, and with a mask."""
    layer = kind(5)
    fixed, free = tf.TensorSpec((2, LENGTH, 3)), tf.TensorSpec((None, None, 3))
    mask = tf.TensorSpec((None, None), tf.bool)
    assert "CudnnRNNV3" in traced_operations(partial(layer, training=True), fixed)
    for arguments in ([fixed], [free]):
        assert not cudnn(traced_operations(layer, *arguments))
    assert not cudnn(traced_operations(lambda x, m: layer(x, mask=m), free, mask))


def cudnn(operations: list[str]) -> list[str]:
    return [each for each in operations if "Cudnn" in each]


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    "options", [{"use_bias": False}, {"activation": "relu"}, {"reset_after": False}]
)
def test_a_layer_that_cudnn_does_not_have_keeps_its_loop_and_xla(options):
    layer = GRU(5, **options)
    call = partial(layer, training=True)
    assert layer.supports_jit
    assert not cudnn(traced_operations(call, tf.TensorSpec((2, LENGTH, 3))))


@pytest.mark.usefixtures("gpu")
def test_a_gpu_does_not_change_what_a_seed_gives(monkeypatch):
    def weights():
        keras.utils.set_random_seed(2)
        keras.backend.clear_session()
        inputs = keras.Input((LENGTH, 3))
        return keras.Model(inputs, LSTM(4)(GRU(5, return_sequences=True)(inputs)))

    on_gpu = weights().get_weights()
    monkeypatch.undo()
    for one, other in zip(on_gpu, weights().get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_workers_send_rounded_gradients_and_exact_weights():
    """Two parts of 3 and 1,022 tokens, and another worker with the same."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    compile_for_training(model, CONFIG, jit_compile=False)
    train_step, sent = TrainStep(model, 2), []

    def double(vector):
        sent.append(vector)
        return 2 * vector

    train_step._workers = SimpleNamespace(sum=double)
    gradients = [[tf.fill((1, 1), g), tf.fill((1,), 0.0)] for g in (1.0, 1.001)]
    found = train_step._of_all([2.0, 4.0], [3.0, 1022.0], gradients)
    assert [each.dtype for each in sent] == [tf.bfloat16, tf.float32]
    (loss,), (weight,), ((kernel, bias),) = found
    assert weight == 2050  # bfloat16 has no such number
    np.testing.assert_allclose(loss, (3 * 2 + 1022 * 4) / 1025, rtol=1e-6)
    # The sum of 1026.022 is rounded to the nearest multiple of 8.
    np.testing.assert_allclose(kernel, [[2 * 1024 / 2050]], rtol=1e-6)
    assert bias == 0
    nothing = train_step._of_all([2.0, 4.0], [0.0, 0.0], gradients)
    assert all(np.all(each == 0) for each in keras.tree.flatten(nothing))
