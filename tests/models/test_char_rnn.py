"""The character model in all its forms, compared with NumPy and Keras's loops."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasseq.files.keras_models import save_model
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.stateful import build_stateful_model
from kerasseq.signatures.characters import build_generating_module, generate
from kerasseq.signatures.steps import state_shapes, step_function
from kerasseq.text.characters import Vocabulary
from tests.support.weights import with_random_weights

CELLS = ("gru", "lstm", "simple_rnn")
V, E, H = 11, 3, 5  # characters, embedding, units
B, T = 2, 28  # texts, characters in each


def build(cell="gru", num_layers=1, dropout=0.0) -> keras.Model:
    """A tiny model whose random weights, biases too, are large enough to matter."""
    model = build_char_rnn(CharRNNConfig(V, cell, H, num_layers, E, dropout))
    return with_random_weights(model, 17, 0.7)


@pytest.fixture(
    scope="module",
    params=[
        ("gru", 1),
        ("lstm", 2),
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in [("gru", 2), ("lstm", 1), ("simple_rnn", 1), ("simple_rnn", 2)]
        ),
    ],
    ids=lambda p: f"{p[0]}-{p[1]}",
)
def model(request):
    return build(*request.param)


@pytest.fixture(scope="module")
def ids():
    return np.random.default_rng(3).integers(0, V, (B, T)).astype(np.int32)


@pytest.fixture(scope="module")
def expected(model, ids):
    """Logits of the stateless model on the whole texts, (B, T, V)."""
    return model(ids).numpy()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_step(cell, weights, x, states):
    """One step of a recurrent layer: new states, of which the first is the output.

    The equations of Keras's documentation: gates in the order update, reset, candidate
    (GRU, the reset after the product) and input, forget, cell, output (LSTM).
    """
    kernel, recurrent, bias = weights
    if cell == "gru":
        (h,) = states
        xz, xr, xc = np.split(x @ kernel + bias[0], 3, axis=-1)
        hz, hr, hc = np.split(h @ recurrent + bias[1], 3, axis=-1)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        return [z * h + (1 - z) * np.tanh(xc + r * hc)]
    if cell == "lstm":
        h, c = states
        i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return [sigmoid(o) * np.tanh(c), c]
    return [np.tanh(x @ kernel + states[0] @ recurrent + bias)]


def numpy_logits(model, ids):
    """The model in NumPy: embedding, residual recurrent layers, dense."""
    embedding, *recurrent, kernel, bias = model.get_weights()
    cell = model.layers[2].name.rpartition("_")[0]
    x = embedding.astype(np.float64)[ids]
    for layer in range(len(recurrent) // 3):
        states = [np.zeros((len(ids), H))] * (2 if cell == "lstm" else 1)
        outputs = []
        for step in range(ids.shape[1]):
            weights = recurrent[3 * layer : 3 * layer + 3]
            states = numpy_step(cell, weights, x[:, step], states)
            outputs.append(states[0])
        read, x = x, np.stack(outputs, axis=1)
        if layer:
            x = read + x
    return x @ kernel + bias


def test_the_logits_are_those_of_numpy(model, ids, expected):
    assert expected.shape == (B, T, V)
    np.testing.assert_allclose(expected, numpy_logits(model, ids), atol=2e-5)


def test_any_batch_and_any_length_are_read(model, ids, expected):
    assert model.output_shape == (None, None, V)
    np.testing.assert_allclose(model(ids[1:, :13]), expected[1:, :13], atol=1e-5)


def test_the_stateful_twin_continues_where_it_stopped(model, ids, expected):
    stateful = build_stateful_model(model, batch_size=B, length=7)
    pieces = [stateful(piece) for piece in np.split(ids, T // 7, axis=1)]
    np.testing.assert_allclose(np.concatenate(pieces, 1), expected, atol=1e-5)
    again = stateful(ids[:, :7])
    assert np.abs(again - expected[:, :7]).max() > 0.01, "the state was carried on"
    for layer in stateful.layers:
        if isinstance(layer, keras.layers.RNN):
            layer.reset_state()
    np.testing.assert_allclose(stateful(ids[:, :7]), expected[:, :7], atol=1e-5)


def test_the_stateful_twin_carries_its_state_inside_predict(model, ids, expected):
    stateful = build_stateful_model(model, batch_size=B, length=7)
    batches = tf.data.Dataset.from_tensor_slices(np.split(ids, T // 7, axis=1))
    logits = stateful.predict(batches, verbose=0)  # batches stacked
    pieces = np.split(logits, T // 7)
    np.testing.assert_allclose(np.concatenate(pieces, 1), expected, atol=1e-5)


def test_the_sampling_model_reads_character_by_character(model, ids, expected):
    sampler = build_stateful_model(model, batch_size=1, length=1)
    assert sampler.input_shape == (1, 1)
    logits = [sampler(ids[1:, position : position + 1]) for position in range(T)]
    np.testing.assert_allclose(np.concatenate(logits, 1), expected[1:], atol=1e-5)


def test_the_step_function_reads_token_by_token(model, ids, expected):
    step = step_function(model)
    states = [tf.zeros(shape) for shape in state_shapes(model)]
    for position in range(T):
        logits, states = step(tf.constant(ids[1, position : position + 1]), states)
        np.testing.assert_allclose(logits, expected[1:, position], atol=1e-5)
    assert [tuple(state.shape) for state in states] == state_shapes(model)


@pytest.mark.parametrize(
    ("cell", "num_layers", "count"),
    [
        ("gru", 1, 1),
        ("gru", 2, 2),
        ("lstm", 1, 2),
        ("lstm", 3, 6),
        ("simple_rnn", 2, 2),
    ],
)
def test_each_layer_has_the_states_of_its_cell(cell, num_layers, count):
    assert state_shapes(build(cell, num_layers)) == [(1, H)] * count


def test_all_forms_share_the_models_weights(model, ids, expected):
    stateful = build_stateful_model(model, batch_size=B, length=T)
    step = step_function(model)
    states = [tf.zeros(shape) for shape in state_shapes(model)]
    assert {id(v) for v in stateful.trainable_variables} == {
        id(v) for v in model.trainable_variables
    }
    weights = model.get_weights()
    try:
        model.set_weights([weight * 0.5 for weight in weights])
        changed = model(ids).numpy()
        assert np.abs(changed - expected).max() > 0.1
        np.testing.assert_allclose(stateful(ids), changed, atol=1e-5)
        logits, _ = step(tf.constant(ids[0, :1]), states)
        np.testing.assert_allclose(logits, changed[:1, 0], atol=1e-5)
    finally:
        model.set_weights(weights)


def test_training_the_twin_trains_the_model(ids):
    model = build()
    before = model(ids).numpy()
    stateful = build_stateful_model(model, batch_size=B, length=T)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    stateful.compile("sgd", loss)
    stateful.train_on_batch(ids, np.roll(ids, -1, axis=1))
    assert np.abs(model(ids) - before).max() > 1e-3


def test_dropout_stands_after_each_recurrent_layer_and_only_in_training(ids):
    plain, dropping = build("gru", 2), build("gru", 2, dropout=0.5)
    assert [layer.name for layer in dropping.layers[1:]] == [
        "embedding",
        "gru_0",
        "dropout_0",
        "gru_1",
        "dropout_1",
        "add_1",
        "logits",
    ]
    logits = plain(ids).numpy()
    np.testing.assert_array_equal(dropping(ids), logits)
    stateful = build_stateful_model(dropping, batch_size=B, length=T)
    np.testing.assert_allclose(stateful(ids), logits, atol=1e-5)
    step = step_function(dropping)
    first, _ = step(ids[:1, 0], [tf.zeros((1, H))] * 2)
    np.testing.assert_allclose(first, logits[:1, 0], atol=1e-5)
    for form in (dropping, stateful):
        assert np.abs(form(ids, training=True) - logits).max() > 0.01


def test_logits_are_float32_whatever_the_layers_compute_in():
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = build_char_rnn(CharRNNConfig(V, units=H, embedding_size=E))
    finally:
        keras.config.set_dtype_policy(policy)
    assert model.get_layer("gru_0").compute_dtype == "bfloat16"
    assert model(np.zeros((1, 3), np.int32)).dtype == tf.float32


@pytest.mark.slow
def test_saved_models_need_nothing_but_keras(tmp_path, ids):
    expected = {}
    for cell in CELLS:
        model = build(cell, 2, dropout=0.5)
        save_model(model, tmp_path / f"{cell}.keras")
        expected[cell] = model(ids).numpy()
    code = (
        "import json, keras, numpy as np, sys\n"
        "for cell in sys.argv[2:]:\n"
        "    model = keras.models.load_model(f'{cell}.keras')\n"
        "    logits = model(np.array(json.loads(sys.argv[1])))\n"
        "    np.save(f'{cell}.npy', logits)\n"
        "assert 'kerasseq' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, json.dumps(ids.tolist()), *CELLS]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    for cell in CELLS:
        found = np.load(tmp_path / f"{cell}.npy")
        np.testing.assert_allclose(found, expected[cell], atol=1e-6)


CHARACTERS = "\n abcdefghi"


@pytest.fixture(scope="module")
def module():
    return build_generating_module(build(), Vocabulary.from_text(CHARACTERS))


def test_the_same_seed_writes_the_same_text(module):
    text = generate(module, "a cab", 61, seed=5)
    assert generate(module, "a cab", 61, seed=5) == text
    assert generate(module, "a cab", 61, seed=6) != text
    assert generate(module, "a cab", 29, seed=5) == text[:29]
    assert len(text) == 61
    assert set(text) <= set(CHARACTERS)


def test_the_text_continues_the_prompt(module):
    greedy = generate(module, "a cab", 23, temperature=0)
    assert generate(module, "a cab" + greedy[:7], 16, temperature=0) == greedy[7:]
    assert generate(module, "a dab", 61) != generate(module, "a cab", 61)


def test_the_greedy_text_is_that_of_the_logits(module):
    model, text = build(), "a cab"
    for _ in range(13):
        ids = Vocabulary.from_text(CHARACTERS).encode(text)
        text += CHARACTERS[int(np.argmax(model(ids[None])[0, -1]))]
    assert generate(module, "a cab", 13, temperature=0) == text[5:]


@pytest.mark.parametrize(
    "changes",
    [{"temperature": 0}, {"top_k": 1}, {"top_p": 0}, {"temperature": 1e-6}],
    ids=str,
)
def test_a_greedy_text_does_not_depend_on_the_seed(module, changes):
    texts = {generate(module, "a cab", 17, seed=seed, **changes) for seed in (0, 1, 2)}
    assert texts == {generate(module, "a cab", 17, temperature=0)}


@pytest.mark.parametrize(
    "changes",
    [{"temperature": 3.0}, {"top_k": 2}, {"top_p": 0.3}, {"min_p": 0.5}],
    ids=str,
)
def test_every_setting_reaches_the_sampler(module, changes):
    plain = generate(module, "a cab", 61, seed=5)
    assert generate(module, "a cab", 61, seed=5, **changes) != plain


def test_no_characters_are_no_text(module):
    assert generate(module, "a cab", 0) == ""
    assert generate(module, "", 0) == ""


def test_what_the_model_does_not_know_is_left_out_of_the_prompt(module):
    text = generate(module, "a cab", 31)
    assert generate(module, "Xa ?cé𝄞ab\ud83d", 31) == text


@pytest.mark.parametrize("prompt", ["", "XYZ"])
def test_an_empty_prompt_stands_for_a_newline(module, prompt):
    assert generate(module, prompt, 31) == generate(module, "\n", 31)


def test_the_text_ends_before_the_first_stop(module):
    text = generate(module, "a cab", 61, seed=5)
    early, late = text[7:10], text[31:33]
    end = text.index(early)
    assert generate(module, "a cab", 61, seed=5, stop=[early]) == text[:end]
    end = min(end, text.index(late))
    assert generate(module, "a cab", 61, seed=5, stop=[late, early]) == text[:end]
    assert generate(module, "a cab", 61, seed=5, stop=["XYZ"]) == text
    assert generate(module, "a cab", 61, seed=5, stop=[text[0], late]) == ""
    assert generate(module, "a cab", 9, seed=5, stop=[text[7:10]]) == text[:9]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"length": -1}, "length=-1 is not a count"),
        ({"length": 2**31}, "length=2147483648 is not a count"),
        ({"seed": -1}, "seed=-1 is not within 0 to"),
        ({"seed": 2**31}, "seed=2147483648 is not within"),
        ({"temperature": -1.0}, "temperature=-1.0"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"top_k": -1}, "top_k=-1"),
        ({"top_p": 1.5}, r"top_p=1\.5"),
        ({"min_p": -0.5}, r"min_p=-0\.5"),
    ],
)
def test_arguments_out_of_range_are_refused(module, arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        generate(module, "a", **{"length": 3, **arguments})


def test_seeds_up_to_the_last_write_texts(module):
    assert len(generate(module, "a", 5, seed=2**31 - 1)) == 5


def test_a_vocabulary_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="has 3 characters but the model has 11"):
        build_generating_module(build(), Vocabulary.from_text("abc"))
