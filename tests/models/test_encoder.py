import dataclasses
import math
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from kerasseq.layers.encoder_block import EncoderBlock
from kerasseq.layers.positions import SinusoidalPositions, sinusoidal_positions
from kerasseq.models.encoder import (
    EncoderConfig,
    build_encoder,
    build_masked_word_model,
)

# Keras calls NumPy in a deprecated way when it writes .keras files.
saving = pytest.mark.filterwarnings("ignore:__array__ implementation")
few = settings(max_examples=25, deadline=None)


@pytest.mark.parametrize("size", [1, 2, 6, 7])
def test_positions_are_the_papers_formula(size):
    table = sinusoidal_positions(11, size)
    assert (table.shape, table.dtype) == ((11, size), np.float32)
    for position in range(11):
        for column in range(size):
            pair = column // 2
            angle = position / 10000 ** (2 * pair / size)
            function = math.cos if column % 2 else math.sin
            assert_allclose(table[position, column], function(angle), atol=1e-7)


def test_positions_worked_by_hand():
    table = sinusoidal_positions(101, 4)
    assert_array_equal(table[0], [0, 1, 0, 1])
    # The second pair rotates a hundred times slower than the first.
    sine, cosine = 0.8414710, 0.5403023
    assert_allclose(table[1], [sine, cosine, 0.0099998, 0.9999500], atol=1e-6)
    assert_allclose(table[100, 2:], [sine, cosine], atol=1e-6)


def test_far_positions_lose_no_precision():
    far = 1_000_003
    last = sinusoidal_positions(far + 1, 3)[-1]
    slow = far / 10000 ** (2 / 3)
    assert_allclose(last, [math.sin(far), math.cos(far), math.sin(slow)], atol=1e-6)


@few
@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 100))
def test_products_of_positions_depend_only_on_their_distance(first, second, shift):
    table = sinusoidal_positions(501, 14).astype(np.float64)
    product = table[first] @ table[second]
    assert_allclose(table[first + shift] @ table[second + shift], product, atol=1e-5)
    distances = (first - second) / 10000 ** (np.arange(7) / 7)
    assert_allclose(product, np.cos(distances).sum(), atol=1e-5)


def test_sines_and_cosines_pair_up():
    table = sinusoidal_positions(97, 10)
    assert_allclose(table[:, ::2] ** 2 + table[:, 1::2] ** 2, 1, atol=1e-6)


@pytest.mark.parametrize(
    ("length", "size", "message"),
    [(-1, 4, "length=-1 must be at least 0"), (3, 0, "size=0 must be at least 1")],
)
def test_positions_refuse_sizes(length, size, message):
    with pytest.raises(ValueError, match=message):
        sinusoidal_positions(length, size)


def test_positions_layer_scales_and_adds():
    x = np.random.default_rng(0).normal(size=(2, 5, 7)).astype("float32")
    layer = SinusoidalPositions(11)
    expected = x * np.sqrt(7) + sinusoidal_positions(5, 7)
    assert_allclose(layer(x), expected, atol=1e-6)
    assert layer.compute_output_shape((2, 5, 7)) == (2, 5, 7)
    half = SinusoidalPositions(11, dtype="mixed_float16")(x)
    assert half.dtype == "float16"
    assert_allclose(tf.cast(half, "float32"), expected, atol=0.01)


def test_positions_layer_passes_the_mask_on():
    x = keras.layers.Embedding(5, 7, mask_zero=True)(np.array([[1, 2, 0]]))
    mask = SinusoidalPositions(11)(x)._keras_mask
    assert_array_equal(mask, [[True, True, False]])


@pytest.mark.parametrize("max_length", [1, 4])
def test_positions_layer_refuses_more_steps_than_it_has(max_length):
    layer = SinusoidalPositions(max_length)
    message = f"5 steps are more than max_length={max_length}; cut the sequence, or"
    with pytest.raises(ValueError, match=message):
        layer(np.zeros((2, 5, 7)))
    in_graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 7])])
    assert in_graph(tf.zeros((2, max_length, 7))).shape == (2, max_length, 7)
    with pytest.raises(tf.errors.InvalidArgumentError):
        in_graph(tf.zeros((2, max_length + 1, 7)))


# The block: B 2, T 5, C 21, H 3, feed-forward 11.

BATCH, STEPS, MODEL_SIZE, HEADS, FEED_FORWARD = 2, 5, 21, 3, 11
PADDING = np.array([[True] * 5, [True, True, True, False, False]])


def sequence(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(BATCH, STEPS, MODEL_SIZE)).astype("float32")


def randomize(layer, seed=0):
    """Give every weight, biases and norms too, a value of its own."""
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(size=w.shape) / 3 for w in layer.weights])
    return layer


def random_block(**arguments):
    block = EncoderBlock(HEADS, FEED_FORWARD, **arguments)
    block.build((None, None, MODEL_SIZE))
    return randomize(block)


def normalize(x, gamma, beta, epsilon=1e-3):
    """Ba et al. 2016, with the epsilon of keras.layers.LayerNormalization."""
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def reference_block(block, x, mask):
    """The paper's two lines in float64, from the weights by name."""
    w = {v.path.split("/", 1)[1]: np.float64(v.numpy()) for v in block.weights}

    def project(name):
        return (
            np.einsum("btc,chd->bhtd", x, w[f"attention/{name}/kernel"])
            + w[f"attention/{name}/bias"][:, None]
        )

    query, key, value = map(project, ("query", "key", "value"))
    exponentials = np.exp(query @ key.swapaxes(2, 3) / np.sqrt(query.shape[-1]))
    exponentials *= mask[:, None, None]
    weights = exponentials / exponentials.sum(-1, keepdims=True)
    attended = np.einsum(
        "bhtd,hdc->btc", weights @ value, w["attention/attention_output/kernel"]
    )
    attended += w["attention/attention_output/bias"]
    x = normalize(x + attended, w["attention_norm/gamma"], w["attention_norm/beta"])
    hidden = np.maximum(0, x @ w["expand/kernel"] + w["expand/bias"])
    fed = hidden @ w["contract/kernel"] + w["contract/bias"]
    x = normalize(x + fed, w["feed_forward_norm/gamma"], w["feed_forward_norm/beta"])
    return x, weights


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("in_graph", [False, True])
def test_block_is_the_papers_two_lines(padded, in_graph):
    block = random_block(dropout=0.5)
    mask = PADDING if padded else np.ones_like(PADDING)
    run = tf.function(block) if in_graph else block
    found = run(tf.constant(sequence()), mask=mask if padded else None)
    expected = reference_block(block, np.float64(sequence()), mask)
    for tensor, array in zip(found, expected, strict=True):
        assert tensor.shape == array.shape
        assert_allclose(tensor, array, atol=1e-5)


def test_block_takes_the_mask_of_its_input_and_passes_it_on():
    embedding = keras.layers.Embedding(5, MODEL_SIZE, mask_zero=True)
    x = embedding(np.array([[4, 1, 3, 2, 4], [2, 2, 1, 0, 0]]))
    block, second = random_block(), random_block()
    output, weights = block(x)
    assert_array_equal(output._keras_mask, PADDING)
    assert getattr(weights, "_keras_mask", None) is None
    assert_allclose(output, block(keras.ops.copy(x), mask=PADDING)[0], atol=1e-6)
    assert_array_equal(second(output)[1][1, ..., 3:], 0)


@pytest.mark.parametrize("silenced", ["attention_output", "contract"])
def test_dropout_acts_on_both_sublayers_and_not_on_the_residual(silenced):
    block = random_block(dropout=0.5)

    def silence(name):
        for variable in block.weights:
            if f"/{name}/" in variable.path:
                variable.assign(keras.ops.zeros_like(variable))

    silence(silenced)
    x = sequence()
    plain, plain_weights = block(x)
    dropped, weights = block(x, training=True)
    assert np.abs(dropped - plain).max() > 0.1
    assert_array_equal(weights, plain_weights)
    silence("attention_output")
    silence("contract")
    assert_array_equal(block(x, training=True)[0], block(x)[0])


def test_block_shapes_and_masks():
    block = random_block()
    assert block.supports_masking
    assert block.compute_mask(None, "the mask") == ("the mask", None)
    output, weights = block(sequence())
    shapes = block.compute_output_shape((BATCH, STEPS, MODEL_SIZE))
    assert shapes == (output.shape, weights.shape)
    assert shapes == ((2, 5, 21), (2, 3, 5, 5))


@pytest.mark.parametrize(
    ("layer", "arguments"),
    [
        (SinusoidalPositions, {"max_length": 7}),
        (
            EncoderBlock,
            {"num_heads": HEADS, "feed_forward_size": FEED_FORWARD, "dropout": 0.25},
        ),
    ],
)
def test_layer_configs_round_trip(layer, arguments):
    built = layer(**arguments, name="first", dtype="mixed_bfloat16")
    twin = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(built)
    )
    assert type(twin) is layer
    assert twin.get_config() == built.get_config()
    assert {name: getattr(twin, name) for name in arguments} == arguments
    assert (twin.name, twin.dtype_policy.name) == ("first", "mixed_bfloat16")
    assert keras.saving.get_registered_name(layer) == f"kerasseq>{layer.__name__}"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SinusoidalPositions(0), "max_length=0 must be at least 1"),
        (lambda: EncoderBlock(0, 5), "num_heads=0 must be at least 1"),
        (lambda: EncoderBlock(3, 0), "feed_forward_size=0 must be at least 1"),
        (lambda: EncoderBlock(3, 5, -0.1), "dropout=-0.1 is not from 0 to below 1"),
        (
            lambda: EncoderBlock(4, 5)(np.zeros((2, 3, 30))),
            "model_size=30 is not divisible by num_heads=4; choose a multiple of 4",
        ),
        (
            lambda: SinusoidalPositions(5)(np.zeros((2, 7))),
            r"shape \(2, 7\), not \(batch, steps, size\).*; embed the tokens first",
        ),
        (
            lambda: EncoderBlock(4, 5)(keras.Input((3, None))),
            r"shape \(None, 3, None\), not \(batch, steps, size\) with a known size",
        ),
    ],
)
def test_layers_refuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# The encoder: V 13, two blocks.

CONFIG = EncoderConfig(13, MODEL_SIZE, HEADS, 2, FEED_FORWARD, max_length=17)


@pytest.fixture(scope="module")
def encoder():
    return randomize(build_encoder(CONFIG))


@pytest.mark.parametrize("run", ["call", "function", "predict"])
def test_encoder_is_embedding_positions_and_blocks(encoder, run):
    ids = np.array([[4, 1, 3, 12, 4], [2, 2, 1, 0, 0]], np.int32)
    table, *_ = encoder.get_weights()
    x = np.float64(table)[ids] * np.sqrt(MODEL_SIZE)
    x += sinusoidal_positions(STEPS, MODEL_SIZE)
    expected = {}
    for index in range(2):
        x, expected[f"attention_{index}"] = reference_block(
            encoder.get_layer(f"block_{index}"), x, PADDING
        )
    expected["embeddings"] = x
    if run == "predict":
        found = encoder.predict(ids, verbose=0)
    else:
        found = (tf.function(encoder) if run == "function" else encoder)(ids)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].shape == array.shape
        assert_allclose(found[name], array, atol=1e-4)


@pytest.mark.parametrize("run", ["call", "function", "predict"])
def test_padding_is_not_attended_to_and_changes_no_embedding(encoder, run):
    graph = tf.function(encoder, input_signature=[tf.TensorSpec([None, None], "int32")])
    outputs = {
        "call": encoder,
        "function": graph,
        "predict": lambda ids: encoder.predict(ids.numpy(), verbose=0),
    }[run]
    words = tf.constant([[5, 3, 9, 1]])
    alone = outputs(words)
    for length in (5, 11):
        other = tf.range(1, length + 1)[None]
        batch = tf.concat([other, tf.pad(words, [(0, 0), (0, length - 4)])], 0)
        padded = outputs(batch)
        assert_allclose(padded["embeddings"][1, :4], alone["embeddings"][0], atol=1e-5)
        for index in range(2):
            weights = padded[f"attention_{index}"]
            assert_array_equal(weights[1, :, :, 4:], 0)
            assert_allclose(np.sum(weights, -1), 1, atol=1e-5)
            expected = alone[f"attention_{index}"][0]
            assert_allclose(weights[1, :, :4, :4], expected, atol=1e-5)


def test_a_sentence_of_padding_alone_is_finite(encoder):
    outputs = encoder(np.zeros((1, 3), np.int32))
    assert np.isfinite(outputs["embeddings"]).all()
    assert_array_equal(outputs["attention_0"], np.zeros((1, HEADS, 3, 3)))


def test_a_single_word_attends_to_itself(encoder):
    assert_array_equal(encoder(np.array([[7]]))["attention_1"], np.ones((1, 3, 1, 1)))


def test_a_words_vector_depends_on_its_sentence_and_its_position():
    keras.utils.set_random_seed(0)
    encoder = build_encoder(CONFIG)
    first, second = encoder(np.array([[5, 8, 2], [3, 8, 11]]))["embeddings"]
    assert np.abs(first[1] - second[1]).max() > 0.1
    twice = encoder(np.array([[8, 5, 8]]))["embeddings"][0]
    assert np.abs(twice[0] - twice[2]).max() > 0.1


def test_the_config_reaches_every_layer():
    encoder = build_encoder(EncoderConfig(13, 21, 7, 3, 11, 17, 0.25))
    _, embedding, positions, dropout, *blocks = encoder.layers
    assert (embedding.input_dim, embedding.output_dim) == (13, 21)
    assert (positions.max_length, dropout.rate) == (17, 0.25)
    assert [layer.name for layer in blocks] == ["block_0", "block_1", "block_2"]
    for block in blocks:
        assert (block.num_heads, block.feed_forward_size) == (7, 11)
        assert block.dropout == 0.25


def test_a_fresh_encoder_starts_with_words_as_large_as_their_positions():
    encoder = build_encoder(EncoderConfig(499, 64))
    words = np.sqrt(64) * encoder.get_layer("embedding").embeddings.numpy()
    assert_allclose(words.std(), 1, rtol=0.05)


def test_the_longest_sequence_passes_and_a_longer_one_is_refused(encoder):
    assert encoder(np.ones((1, 17)))["embeddings"].shape == (1, 17, MODEL_SIZE)
    with pytest.raises(ValueError, match="18 steps are more than max_length=17"):
        encoder(np.ones((1, 18)))


def test_gradients_reach_every_weight(encoder):
    ids = tf.constant([[4, 1, 3, 12, 4], [0, 0, 0, 0, 0]])
    with tf.GradientTape() as tape:
        outputs = encoder(ids, training=True)
        loss = tf.reduce_sum(outputs["embeddings"][..., 0] ** 3)
    variables = encoder.trainable_variables
    for variable, gradient in zip(
        variables, tape.gradient(loss, variables), strict=True
    ):
        assert np.isfinite(tf.convert_to_tensor(gradient)).all(), variable.path
        # A vector added to all keys changes nothing, so their bias has no gradient.
        if not variable.path.endswith("key/bias"):
            assert np.any(tf.convert_to_tensor(gradient)), variable.path


@pytest.mark.slow
@saving
def test_a_fresh_process_loads_the_file(encoder, tmp_path):
    ids = np.array([[4, 1, 3, 12, 4], [2, 2, 1, 0, 0]])
    encoder.save(tmp_path / "encoder.keras")
    program = f"""
import keras, numpy, kerasseq.models.encoder
encoder = keras.models.load_model("encoder.keras")
layers = " ".join(layer.name for layer in encoder.layers)
numpy.savez("outputs.npz", layers=layers, **encoder(numpy.array({ids.tolist()})))
"""
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join(sys.path), "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=True,
    )
    found = np.load(tmp_path / "outputs.npz")
    assert found["layers"] == " ".join(layer.name for layer in encoder.layers)
    for name, expected in encoder(ids).items():
        assert_allclose(found[name], expected, atol=1e-6)


def masked_words(num_sentences):
    """Sentences that count upwards, padded, with id 12 in place of some words."""
    rng = np.random.default_rng(0)
    starts = rng.integers(1, 6, (num_sentences, 1))
    words = np.where(np.arange(7) < rng.integers(5, 8, starts.shape), 1, 0)
    words *= starts + np.arange(7)
    hidden = (rng.random(words.shape) < 0.2) & (words > 0)
    return np.where(hidden, 12, words), words, hidden.astype("float32")


@pytest.mark.slow
@saving
def test_masked_words_are_learned_and_the_encoder_with_them(tmp_path):
    keras.utils.set_random_seed(0)
    encoder = build_encoder(dataclasses.replace(CONFIG, dropout=0.0))
    before = encoder.get_weights()
    model = build_masked_word_model(encoder, 13)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, weighted_metrics=["accuracy"])
    ids, words, hidden = masked_words(512)
    inputs = {"token_ids": ids, "chosen": np.tile(np.arange(7), (512, 1))}
    model.fit(inputs, words, sample_weight=hidden, epochs=12, verbose=0)
    logits = model.predict(inputs, verbose=0)
    assert logits.shape == (512, 7, 13)
    correct = logits.argmax(-1) == words
    assert correct[hidden > 0].mean() > 0.75
    for old, variable in zip(before, encoder.weights, strict=True):
        assert np.any(old != variable.numpy()), variable.path
    model.save(tmp_path / "masked.keras")
    loaded = keras.models.load_model(tmp_path / "masked.keras")
    assert_allclose(loaded.predict(inputs, verbose=0), logits, atol=1e-6)


def test_logits_are_those_of_the_words_at_the_positions(encoder):
    model = build_masked_word_model(encoder, 13)
    ids, _, _ = masked_words(19)
    positions = np.random.default_rng(1).integers(0, 7, (19, 3))
    logits = model({"token_ids": ids, "chosen": positions})
    vectors = np.asarray(encoder(ids)["embeddings"])
    kernel, bias = model.get_layer("logits").get_weights()
    expected = vectors[np.arange(19)[:, None], positions] @ kernel + bias
    assert_allclose(logits, expected, atol=1e-5)


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = build_encoder(CONFIG)
        model = build_masked_word_model(half, 13)
    finally:
        keras.config.set_dtype_policy("float32")
    single = build_encoder(CONFIG)
    single.set_weights(half.get_weights())
    ids = np.array([[4, 1, 3, 12, 4], [2, 2, 1, 0, 0]])
    found, expected = half(ids), single(ids)
    assert found["embeddings"].dtype == "float16"
    assert found["attention_0"].dtype == "float32"
    assert half.output["attention_1"].dtype == "float32"
    assert_allclose(found["attention_1"], expected["attention_1"], atol=0.01)
    embeddings = tf.cast(found["embeddings"], "float32")
    assert_allclose(embeddings, expected["embeddings"], atol=0.05)
    logits = model({"token_ids": ids, "chosen": ids[:, :2]})
    assert logits.dtype == "float32"
