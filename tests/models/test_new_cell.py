"""A new cell takes an entry of EQUATIONS and a row of CELLS, and nothing else."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasseq as ks
from kerasseq.files.formats import FORMATS
from kerasseq.layers.cells import EQUATIONS, Equations
from kerasseq.layers.recurrent import FusedRNN
from kerasseq.models.char_rnn import CELLS, read_char_rnn_config
from kerasseq.on_device.model_file import Model
from kerasseq.signatures.states import zero_states
from kerasseq.signatures.steps import frozen_kind, state_shapes

CHARACTERS = ks.Vocabulary.from_text("the cat sat on a mat")
V, B, T, H = len(CHARACTERS), 3, 6, 7


class MinimalGatedUnitCell(keras.layers.Layer):
    """Zhou et al. 2016, with the gate after the product, as in Keras's GRU."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units

    def build(self, input_shape):
        width = 2 * self.units
        self.kernel = self.add_weight(shape=(input_shape[-1], width), name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, width), name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(width,), initializer="zeros", name="bias")

    def call(self, inputs, states, training=False):
        (h,) = states
        x_gate, x_candidate = tf.split(inputs @ self.kernel + self.bias, 2, axis=1)
        a_gate, a_candidate = tf.split(h @ self.recurrent_kernel, 2, axis=1)
        gate = tf.sigmoid(x_gate + a_gate)
        new = (1 - gate) * h + gate * tf.tanh(x_candidate + gate * a_candidate)
        return new, [new]


class MinimalGatedUnit(keras.layers.RNN):
    def __init__(self, units, **kwargs):
        super().__init__(MinimalGatedUnitCell(units), **kwargs)
        self.units = units


def forward(x, a, states, sigmoid):
    (h,) = states
    gate = sigmoid(x[:, :H] + a[:, :H])
    candidate = tf.tanh(x[:, H:] + gate * a[:, H:])
    return (h + gate * (candidate - h),), (gate, candidate, a[:, H:])


def backward(gradients, states, kept):
    (d_new,), (h,) = gradients, states
    gate, candidate, a_candidate = kept
    d_candidate = d_new * gate * (1 - candidate * candidate)
    d_gate = d_new * (candidate - h) + d_candidate * a_candidate
    shared = d_gate * gate * (1 - gate)
    return shared, (d_candidate * gate, d_candidate), (d_new * (1 - gate),)


@pytest.fixture
def model(monkeypatch):
    equations = Equations(3, 1, forward, backward)
    monkeypatch.setitem(EQUATIONS, MinimalGatedUnitCell, equations)
    monkeypatch.setitem(CELLS, "mgu", MinimalGatedUnit)
    keras.utils.set_random_seed(5)
    return ks.build_char_rnn(ks.CharRNNConfig(V, "mgu", H, 2, 5))


def test_its_loop_gives_the_gradients_of_keras(model):
    layer = model.get_layer("mgu_0")
    fused = FusedRNN(layer.cell, return_sequences=True)
    x = tf.random.stateless_normal((B, T, 5), (1, 2))
    weights = [weight.value for weight in layer.trainable_weights]
    found = []
    for each in (fused, layer):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = each(x, training=True)
            loss = tf.reduce_sum(tf.sin(3 * outputs))
        found.append([outputs, *tape.gradient(loss, [x, *weights])])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_it_learns_and_carries_its_state(model):
    ids = np.random.default_rng(1).integers(0, V, (B, 2 * T))
    # Twice half of a text is the whole of it.
    whole = ks.build_stateful_model(model, B, 2 * T)(ids)
    halves = ks.build_stateful_model(model, B, T)
    both = [halves(ids[:, :T]), halves(ids[:, T:])]
    np.testing.assert_allclose(np.concatenate(both, 1), whole, atol=1e-5)
    np.testing.assert_allclose(model(ids), whole, atol=1e-5)

    learner = ks.build_stateful_model(model, B, T)
    config = ks.TrainingConfig(B, T, 1, 8, learning_rate=0.05, warmup_steps=1)
    ks.compile_for_training(learner, config, jit_compile=False)
    losses = [
        float(learner.train_on_batch(ids[:, :T], ids[:, 1 : T + 1])) for _ in range(8)
    ]
    assert losses[-1] < 0.9 * losses[0]
    step, states = frozen_kind(model)(model), zero_states(state_shapes(model))
    expected = np.asarray(model(ids[:1]))[0]
    for token, logits in zip(ids[0].astype(np.int32), expected, strict=True):
        found, states = step(tf.constant([token]), states)
        np.testing.assert_allclose(found[0], logits, atol=1e-5)


@pytest.mark.slow
def test_it_becomes_files(model, tmp_path, monkeypatch):
    for number_format in set(FORMATS) - {"float32", "int8"}:
        monkeypatch.delitem(FORMATS, number_format)
    section = ks.export(model, CHARACTERS, tmp_path)
    assert set(section["files"]) == {"char_rnn_float32.tflite", "char_rnn_int8.tflite"}
    assert all(check["passed"] for check in section["checks"])
    card = Model(tmp_path / "char_rnn_int8.tflite").card
    assert (card["cell"], card["units"], card["layers"]) == ("MinimalGatedUnit", H, 2)
    assert read_char_rnn_config(model, 0.0).cell == "mgu"
