"""A Transformer's exported step computes what the Keras model does, for any length."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.files.runtimes import open_signatures
from kerasseq.files.saved_model import write_saved_model
from kerasseq.files.tflite import convert
from kerasseq.models.char_transformer import (
    CharTransformerConfig,
    build_char_transformer,
)
from kerasseq.on_device.operators import list_operators
from kerasseq.on_device.tokens import write_tokens
from kerasseq.signatures.characters import (
    build_generating_module,
    generate,
)
from kerasseq.signatures.decoder_step import PAGE, DecoderStep
from kerasseq.text.characters import Vocabulary
from tests.support.weights import with_random_weights

CHARACTERS = "\nabcdefghij"
V, C, H, N = 11, 12, 2, 2  # characters, model, heads, blocks
W = 23  # the context: more than a page, and no multiple of one


def build(context=W, num_heads=H):
    model = build_char_transformer(
        CharTransformerConfig(V, C, num_heads, N, context, 0.3)
    )
    return with_random_weights(model, 29, 0.5)


@pytest.fixture(scope="module")
def model():
    return build()


@pytest.fixture(scope="module")
def step(model):
    return DecoderStep(model)


@pytest.fixture(scope="module")
def ids():
    return np.random.default_rng(5).integers(0, V, 5 * W).astype(np.int32)


@pytest.fixture(scope="module")
def expected(model, ids):
    """Logits of the Keras model on the whole text, (5 W, V)."""
    return model(ids[None]).numpy()[0]


def zeros(step):
    return [tf.zeros(shape) for shape in step.state_shapes]


def read(step, ids, states=None):
    """Logits at every position, and the states after the last."""
    states, logits, call = states or zeros(step), [], tf.function(step)
    for token in ids:
        row, states = call(tf.constant([token]), states)
        logits.append(row[0].numpy())
    return np.stack(logits), states


def read_in_pages(step, ids, turns):
    """The same, with the given numbers of steps on the pages."""
    states, logits, start = zeros(step), [], 0
    for count in turns:
        on_page, page, free = step.open(states)
        assert count <= int(free)
        for token in ids[start : start + count]:
            row, page = on_page(tf.constant([token]), page)
            logits.append(row[0].numpy())
        states, start = step.close(states, page), start + count
    return np.stack(logits), states


def test_it_gives_the_logits_of_the_layers_past_the_context_too(step, ids, expected):
    found, states = read(step, ids)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert [tuple(state.shape) for state in states] == step.state_shapes


@pytest.mark.parametrize(
    "context",
    [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, PAGE, PAGE + 1, 200))],
)
def test_any_context_works(context, ids):
    model = build(context)
    found, _ = read(DecoderStep(model), ids)
    np.testing.assert_allclose(found, model(ids[None])[0], atol=2e-5)


@pytest.mark.parametrize("num_heads", [1, 3, 6])
def test_any_number_of_heads_works(num_heads, ids):
    model = build(num_heads=num_heads)
    found, _ = read(DecoderStep(model), ids)
    np.testing.assert_allclose(found, model(ids[None])[0], atol=2e-5)


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(turns=st.lists(st.integers(1, PAGE), min_size=1, max_size=8))
def test_pages_of_any_length_are_single_steps(turns):
    step = DecoderStep(build())
    ids = np.random.default_rng(6).integers(0, V, sum(turns))
    found, states = read_in_pages(step, ids, turns)
    expected, others = read(step, ids)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for state, other in zip(states, others, strict=True):
        np.testing.assert_allclose(state, other, atol=1e-5)


@pytest.mark.parametrize("context", [2, pytest.param(PAGE, marks=pytest.mark.slow), W])
def test_pages_may_be_full(context, ids):
    step = DecoderStep(build(context))
    count = int(step.open(zeros(step))[2])
    found, _ = read_in_pages(step, ids, [count] * 5)
    expected, _ = read(step, ids[: 5 * count])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
def test_values_do_not_drift_after_millions_of_characters(step, ids):
    """The same states come back after each period of the text, bit for bit."""
    _, states = read(step, np.tile(ids[:W], 4))
    _, later = read(step, np.tile(ids[:W], 3), states)
    for state, other in zip(states, later, strict=True):
        np.testing.assert_array_equal(state, other)
    count = states[-1]
    for token in ids:
        assert W <= float(count[0]) < 2 * W
        _, states = step(tf.constant([token]), states)
        count = states[-1]


def test_it_is_a_copy(ids):
    model = build()
    step = DecoderStep(model)
    before, _ = read(step, ids[:9])
    model.set_weights([weights * 2 for weights in model.get_weights()])
    np.testing.assert_array_equal(read(step, ids[:9])[0], before)
    assert np.abs(read(DecoderStep(model), ids[:9])[0] - before).max() > 0.1


def test_each_weight_is_kept_once(step, model):
    # The scales of two norms a block are in the matrices after them.
    folded = N * 2 * C
    kept = sum(int(tf.size(variable)) for variable in step.variables)
    assert kept == model.count_params() - folded


def test_the_states_of_a_file_are_those_of_the_step(module, step):
    assert module.state_shapes == step.state_shapes
    assert step.state_shapes == [(H, C // H, W)] * (2 * N) + [(1,)]


@pytest.fixture(scope="module")
def module(model):
    return build_generating_module(model, Vocabulary.from_text(CHARACTERS), frozen=True)


@pytest.fixture(scope="module")
def flatbuffer(module):
    return convert(module, module.device_signatures())


@pytest.fixture(scope="module")
def texts(model):
    """What Keras writes, greedy and for a seed, past the context."""
    vocabulary = Vocabulary.from_text(CHARACTERS)
    keras_module = build_generating_module(model, vocabulary)
    return [
        generate(keras_module, "abacab" * 5, 150, temperature=heat, seed=4)
        for heat in (0, 1)
    ]


@pytest.mark.slow
def test_a_frozen_module_writes_the_same_text(module, texts):
    found = [
        generate(module, "abacab" * 5, 150, temperature=heat, seed=4) for heat in (0, 1)
    ]
    assert found == texts


@pytest.mark.parametrize("runtime", ["interpreter", "compiled_model"])
def test_both_runtimes_write_the_same_text(runtime, flatbuffer, step, texts):
    signature = open_signatures(flatbuffer, runtime)["generate"]
    shapes = {f"state_{i}": shape for i, shape in enumerate(step.state_shapes)}
    prompt = [CHARACTERS.index(c) for c in "abacab" * 5]
    for heat, text in zip((0, 1), texts, strict=True):
        for at_once in (256, 17):
            tokens = write_tokens(
                signature,
                shapes,
                prompt,
                150,
                4,
                temperature=heat,
                tokens_a_call=at_once,
            )
            written = np.concatenate(list(tokens))
            assert "".join(CHARACTERS[token] for token in written) == text


@pytest.mark.parametrize("runtime", ["interpreter", "compiled_model"])
def test_both_runtimes_step_past_the_context(runtime, flatbuffer, step, ids, expected):
    signature = open_signatures(flatbuffer, runtime)["step"]
    states = {
        f"state_{i}": np.zeros(shape, np.float32)
        for i, shape in enumerate(step.state_shapes)
    }
    for token, row in zip(ids, expected, strict=True):
        states = signature(token=np.array([token], np.int32), **states)
        np.testing.assert_allclose(states.pop("logits")[0], row, atol=2e-5)


def test_the_file_has_only_built_in_operations(flatbuffer):
    operators = list_operators(flatbuffer)
    assert "WHILE" in operators
    assert not [name for name in operators if name.startswith("CUSTOM")]


def test_a_saved_model_needs_nothing_of_this_package(module, tmp_path, texts):
    path = write_saved_model(module, tmp_path / "saved", {"generate": module.generate})
    loaded = tf.saved_model.load(str(path))
    assert generate(loaded, "abacab" * 5, 150, temperature=0, seed=4) == texts[0]
