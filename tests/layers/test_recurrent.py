"""The fast loop gives the values and the gradients of Keras's own layers."""

import logging
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.files.keras_models import load_model
from kerasseq.layers import recurrent
from kerasseq.layers.recurrent import GRU, LSTM, FusedRNN, SimpleRNN
from tests.support.weights import with_random_weights

LAYERS = {
    "gru": keras.layers.GRU,
    "lstm": keras.layers.LSTM,
    "simple_rnn": keras.layers.SimpleRNN,
}
OURS = {"gru": GRU, "lstm": LSTM, "simple_rnn": SimpleRNN}
BATCH, STEPS, SIZE, UNITS = 3, 7, 5, 11


def both(name: str, **arguments) -> tuple[keras.layers.RNN, FusedRNN]:
    """Keras's layer and ours around the same cell, with biases that are not zero."""
    ours_only = {"stateful": arguments.pop("stateful", False)}
    keras.utils.set_random_seed(13)
    layer = LAYERS[name](UNITS, return_sequences=True, return_state=True, **arguments)
    layer.build((BATCH, STEPS, SIZE))
    with_random_weights(layer, 0, 0.4)
    fused = FusedRNN(layer.cell, return_sequences=True, return_state=True, **ours_only)
    return layer, fused


def inputs() -> tf.Tensor:
    return tf.constant(
        np.random.default_rng(1).normal(size=(BATCH, STEPS, SIZE)), tf.float32
    )


def initial(layer: keras.layers.RNN) -> list[tf.Tensor]:
    rng = np.random.default_rng(2)
    return [
        tf.constant(rng.normal(size=(BATCH, UNITS)), tf.float32)
        for _ in keras.tree.flatten(layer.cell.state_size)
    ]


def messages(caplog) -> list[str]:
    records = caplog.get_records("call")
    return [r.getMessage() for r in records if r.name == recurrent.__name__]


def run(layer, x: tf.Tensor, states: list[tf.Tensor], jit: bool) -> list[np.ndarray]:
    """Outputs, last states, and gradients of a loss that reads all of them."""
    weights = [weight.value for weight in layer.cell.trainable_weights]

    @tf.function(jit_compile=jit)
    def compute(x, *states):
        with tf.GradientTape() as tape:
            tape.watch([x, *states])
            outputs, *last = layer(x, initial_state=list(states), training=True)
            parts = [outputs, *last]
            loss = sum(
                tf.reduce_sum(tf.sin(part * (index + 1.0)))
                for index, part in enumerate(parts)
            )
        return parts, tape.gradient(loss, [x, *states, *weights])

    parts, gradients = compute(x, *states)
    return [np.asarray(value) for value in [*parts, *gradients]]


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize(
    "use_bias", [pytest.param(False, marks=pytest.mark.slow), True]
)
@pytest.mark.parametrize("name", LAYERS)
def test_values_and_gradients_are_those_of_keras(name, use_bias, jit, caplog):
    layer, fused = both(name, use_bias=use_bias)
    x, states = inputs(), initial(layer)
    with caplog.at_level(logging.INFO, recurrent.__name__):
        found = run(fused, x, states, jit)
    assert not messages(caplog), "the fast loop should have run"
    for ours, theirs in zip(found, run(layer, x, states, False), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_where_there_is_a_gpu_keras_own_layers_run(name, monkeypatch):
    _, on_cpu = both(name)
    x, states = inputs(), initial(on_cpu)
    expected = run(on_cpu, x, states, False)
    monkeypatch.setattr(recurrent, "has_gpu", lambda: True)
    loop = LAYERS[name].inner_loop
    options = {"autospec": True, "side_effect": loop}
    with mock.patch.object(LAYERS[name], "inner_loop", **options) as called:
        _, on_gpu = both(name)
        found = run(on_gpu, x, states, False)
    assert called.called and not on_gpu.supports_jit
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(
    name=st.sampled_from(list(LAYERS)),
    batch=st.integers(1, 5),
    steps=st.integers(1, 9),
    size=st.integers(1, 7),
    units=st.integers(1, 9),
    use_bias=st.booleans(),
    return_sequences=st.booleans(),
    stateful=st.booleans(),
    unit_forget_bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_layers_are_those_of_keras_for_any_size_and_option(
    name, batch, steps, size, units, seed, unit_forget_bias, **options
):
    rng = np.random.default_rng(seed)
    options |= {"units": units, "return_state": True}
    if name == "lstm":
        options["unit_forget_bias"] = unit_forget_bias
    theirs, ours = LAYERS[name](**options), OURS[name](**options)
    assert ours.get_config() | {"name": ""} == theirs.get_config() | {"name": ""}
    x = tf.constant(rng.normal(size=(batch, steps, size)), tf.float32)
    for layer in (theirs, ours):
        layer.build(x.shape)
    theirs.set_weights([rng.normal(0, 0.5, w.shape) for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    states = [
        tf.constant(rng.normal(size=(batch, units)), tf.float32)
        for _ in keras.tree.flatten(theirs.cell.state_size)
    ]
    found = run(ours, x, states, False)
    for one, other in zip(found, run(theirs, x, states, False), strict=True):
        np.testing.assert_allclose(one, other, rtol=5e-5, atol=5e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_a_saved_layer_has_the_weights_of_keras_and_loads_again(name, tmp_path):
    inputs_ = keras.Input((STEPS, SIZE))
    ours = keras.Model(inputs_, OURS[name](UNITS, name="layer")(inputs_))
    theirs = keras.Model(inputs_, LAYERS[name](UNITS, name="layer")(inputs_))
    ours.save(tmp_path / "ours.keras")
    loaded = load_model(tmp_path / "ours.keras")
    assert type(loaded.get_layer("layer")) is OURS[name]
    theirs.load_weights(tmp_path / "ours.keras")
    for model in (loaded, theirs):
        np.testing.assert_allclose(model(inputs()), ours(inputs()), atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_one_step_is_the_last_of_keras(name):
    layer, fused = both(name)
    x, states = inputs()[:, :1], initial(layer)
    for ours, theirs in zip(
        run(fused, x, states, True), run(layer, x, states, False), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_carried_state_makes_two_halves_the_whole(name):
    layer, fused = both(name, stateful=True)
    x = inputs()
    whole = layer(x)[0]
    halves = [fused(x[:, :4])[0], fused(x[:, 4:])[0]]
    np.testing.assert_allclose(np.concatenate(halves, axis=1), whole, atol=1e-6)
    fused.reset_state()
    np.testing.assert_allclose(fused(x[:, :4])[0], halves[0], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("gru", {"reset_after": False}, "reset_after is not set"),
        ("gru", {"activation": "relu"}, "activation is not tanh"),
        ("lstm", {"recurrent_activation": "hard_sigmoid"}, "recurrent_activation"),
        ("simple_rnn", {"dropout": 0.5}, "the cell has dropout"),
    ],
)
def test_what_is_not_covered_runs_on_keras_own_loop(name, arguments, reason, caplog):
    layer, fused = both(name, **arguments)
    x = inputs()
    recurrent._logged.clear()
    with caplog.at_level(logging.INFO, recurrent.__name__):
        fused(x, training=True)
        fused(x, training=True)
    assert [reason in message for message in messages(caplog)] == [True]
    np.testing.assert_allclose(fused(x)[0], layer(x)[0], rtol=1e-5, atol=1e-6)


def test_a_mask_runs_on_keras_own_loop():
    layer, fused = both("gru")
    mask = np.arange(STEPS) < np.array([[2], [7], [5]])
    np.testing.assert_allclose(
        fused(inputs(), mask=mask)[0], layer(inputs(), mask=mask)[0], atol=1e-6
    )


@pytest.mark.parametrize("name", LAYERS)
def test_some_sequences_start_a_batch_without_their_state(name):
    layer, _ = both(name)
    x, states = inputs(), initial(layer)
    options = {"return_sequences": True, "return_state": True}
    fused, other = (
        FusedRNN(layer.cell, reset_rate=0.5, seed=3, **options) for _ in range(2)
    )
    carried = layer(x, initial_state=states)[0].numpy()
    fresh = layer(x)[0].numpy()
    np.testing.assert_allclose(fused(x, initial_state=states)[0], carried, atol=1e-6)
    resets = []
    for _ in range(20):
        found = fused(x, initial_state=states, training=True)[0].numpy()
        again = other(x, initial_state=states, training=True)[0].numpy()
        np.testing.assert_array_equal(found, again)  # one seed, the same sequences
        for row in range(BATCH):
            as_fresh, as_carried = (
                np.allclose(found[row], whole[row], atol=1e-5)
                for whole in (fresh, carried)
            )
            assert as_fresh != as_carried
            resets.append(as_fresh)
    # Half of 60, within four standard deviations.
    assert 15 <= sum(resets) <= 45
    loaded = FusedRNN.from_config(fused.get_config())
    assert (loaded.reset_rate, loaded.seed) == (0.5, 3)
    with pytest.raises(ValueError, match=r"reset_rate=1\.5 is not from 0 to 1"):
        FusedRNN(layer.cell, reset_rate=1.5)


def test_half_precision_stays_near_float32():
    layer, _ = both("gru")
    keras.config.set_dtype_policy("float32")
    half = keras.layers.GRUCell(UNITS, dtype="mixed_bfloat16")
    half.build((BATCH, SIZE))
    half.set_weights(layer.get_weights())
    fused = FusedRNN(half, return_sequences=True, dtype="mixed_bfloat16")
    outputs = fused(inputs())
    assert outputs.dtype == tf.bfloat16
    np.testing.assert_allclose(
        tf.cast(outputs, tf.float32), layer(inputs())[0], atol=0.05
    )


@pytest.mark.parametrize(
    "policy",
    [pytest.param("mixed_bfloat16", marks=pytest.mark.slow), "mixed_float16"],
)
@pytest.mark.parametrize("name", LAYERS)
def test_under_a_mixed_policy_it_is_no_less_precise_than_keras(name, policy):
    layer, _ = both(name)
    states = initial(layer)
    exact = run(layer, inputs(), states, jit=False)
    theirs = LAYERS[name](UNITS, return_sequences=True, return_state=True, dtype=policy)
    theirs.build((BATCH, STEPS, SIZE))
    theirs.set_weights(layer.get_weights())
    ours = FusedRNN(theirs.cell, return_sequences=True, return_state=True, dtype=policy)
    errors = [
        [
            np.abs(found.astype(np.float32) - expected).mean()
            for found, expected in zip(
                run(each, inputs(), states, jit=False), exact, strict=True
            )
        ]
        for each in (ours, theirs)
    ]
    # Outputs, states and each gradient; what is left is the rounding of the outputs.
    for own, keras_own in zip(*errors, strict=True):
        assert 0 < own <= 1.05 * keras_own
    # A quarter at least of what Keras loses in the gradients of the weights.
    assert np.mean(errors[0][-2:]) < 0.75 * np.mean(errors[1][-2:])
