"""The Transformer that writes text, compared with NumPy and Keras."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasseq.data.streams import next_character_streams
from kerasseq.files.keras_models import load_model, save_model
from kerasseq.layers.carrying import CarryingBlock, Memory
from kerasseq.layers.decoder_block import DecoderBlock
from kerasseq.layers.rotary import rotary_turns
from kerasseq.models.char_transformer import (
    CharTransformerConfig,
    build_char_transformer,
)
from kerasseq.models.stateful import (
    build_stateful_model,
    describe_sizes,
)
from kerasseq.signatures.characters import build_generating_module, generate
from kerasseq.signatures.steps import state_shapes, step_function
from kerasseq.text.characters import Vocabulary
from kerasseq.training.callbacks import HeldOutLoss, reset_carried_state
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig
from tests.support.weights import with_random_weights

ROOT = Path(__file__).parents[2]
V, C, H, N = 11, 12, 2, 2  # characters, model, heads, blocks
W = 7  # the context
B, T = 3, 28  # texts, characters in each


def build(context=W, dropout=0.0, num_blocks=N) -> keras.Model:
    """A tiny model whose random weights, scales too, are large enough to matter."""
    model = build_char_transformer(
        CharTransformerConfig(V, C, H, num_blocks, context, dropout)
    )
    return with_random_weights(model, 17, 0.5)


@pytest.fixture(scope="module")
def model():
    return build()


@pytest.fixture(scope="module")
def ids():
    return np.random.default_rng(3).integers(0, V, (B, T)).astype(np.int32)


@pytest.fixture(scope="module")
def expected(model, ids):
    """Logits of the stateless model on the whole texts, (B, T, V)."""
    return model(ids).numpy()


def normalize(x, scale):
    return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + 1e-6) * scale


def numpy_block(weights, x, window):
    """A block in float64: rotary positions are products of complex numbers."""
    query, key, value, merge, scale, feed_scale, expand, contract = weights
    size, half = query.shape[2], query.shape[2] // 2
    normal = normalize(x, scale)
    positions = np.arange(x.shape[1])
    angles = positions[:, None] * rotary_turns(size, window) * 2 * np.pi / window
    turned = []
    for kernel in (query, key):
        one = np.einsum("btc,chd->bhtd", normal, kernel)
        pairs = one[..., :half] + 1j * one[..., half:]
        turned.append(pairs * np.exp(1j * angles))
    scores = np.einsum("bhtd,bhsd->bhts", turned[0], turned[1].conj()).real
    offsets = positions[:, None] - positions
    scores = np.where((0 <= offsets) & (offsets < window), scores, -np.inf)
    exponentials = np.exp(scores / np.sqrt(size))
    attention = exponentials / exponentials.sum(-1, keepdims=True)
    values = np.einsum("btc,chd->bhtd", normal, value)
    x = x + np.einsum("bhts,bhsd,hdc->btc", attention, values, merge)
    expanded = np.maximum(normalize(x, feed_scale) @ expand, 0) ** 2
    return x + expanded @ contract


def numpy_logits(model, ids, window=W):
    """The model in NumPy, in float64."""
    embeddings, *blocks, scale = (w.astype(np.float64) for w in model.get_weights())
    x = embeddings[ids]
    for index in range(0, len(blocks), 8):
        x = numpy_block(blocks[index : index + 8], x, window)
    return normalize(x, scale) @ embeddings.T


def test_the_logits_are_those_of_numpy(model, ids, expected):
    assert expected.shape == (B, T, V)
    np.testing.assert_allclose(expected, numpy_logits(model, ids), atol=2e-5)


@pytest.mark.parametrize("context", [2, 5, T, 100])
def test_any_context_works(ids, context):
    model = build(context)
    found = model(ids).numpy()
    np.testing.assert_allclose(found, numpy_logits(model, ids, context), atol=3e-5)


def test_any_batch_and_any_length_are_read(model, ids, expected):
    assert model.output_shape == (None, None, V)
    np.testing.assert_allclose(model(ids[1:, :13]), expected[1:, :13], atol=1e-5)


def test_a_prediction_depends_on_the_contexts_of_all_blocks_together(
    model, ids, expected
):
    first = 9
    changed = ids.copy()
    changed[:, first] = (changed[:, first] + 1) % V
    differs = np.abs(model(changed).numpy() - expected).max(axis=(0, 2)) > 1e-4
    last = first + N * (W - 1)
    assert differs.nonzero()[0].tolist() == list(range(first, last + 1))


def test_the_context_slides_wherever_a_text_begins(model, ids, expected):
    """Neither what precedes the reach of all blocks nor the position matters."""
    reach = N * (W - 1)
    for start in (1, 4, W):
        found = model(ids[:, start:]).numpy()[:, reach:]
        np.testing.assert_allclose(found, expected[:, start + reach :], atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 7, 14])
def test_the_stateful_twin_computes_the_logits_of_the_whole_text(
    model, ids, expected, length
):
    stateful = build_stateful_model(model, batch_size=B, length=length)
    pieces = [stateful(piece) for piece in np.split(ids, T // length, axis=1)]
    np.testing.assert_allclose(np.concatenate(pieces, 1), expected, atol=1e-5)
    again = stateful(ids[:, :length])
    assert np.abs(again - expected[:, :length]).max() > 0.01, "the state was carried on"
    reset_carried_state(stateful)
    np.testing.assert_allclose(
        stateful(ids[:, :length]), expected[:, :length], atol=1e-5
    )


def test_the_stateful_twin_carries_its_state_inside_predict(model, ids, expected):
    stateful = build_stateful_model(model, batch_size=B, length=7)
    batches = tf.data.Dataset.from_tensor_slices(np.split(ids, T // 7, axis=1))
    pieces = np.split(stateful.predict(batches, verbose=0), T // 7)
    np.testing.assert_allclose(np.concatenate(pieces, 1), expected, atol=1e-5)


def test_the_sampling_model_reads_character_by_character(model, ids, expected):
    sampler = build_stateful_model(model, batch_size=1, length=1)
    logits = [sampler(ids[1:2, position : position + 1]) for position in range(T)]
    np.testing.assert_allclose(np.concatenate(logits, 1), expected[1:2], atol=1e-5)


def test_the_step_function_reads_token_by_token(model, ids, expected):
    step = step_function(model)
    states = [tf.zeros(shape) for shape in state_shapes(model)]
    for position in range(T):
        logits, states = step(tf.constant(ids[1, position : position + 1]), states)
        np.testing.assert_allclose(logits, expected[1:2, position], atol=1e-5)
    assert [tuple(state.shape) for state in states] == state_shapes(model)


def test_what_is_not_known_yet_is_not_attended_to(model, ids):
    """Values in the memory do not matter while they are marked as unknown."""
    block = model.get_layer("block_0")
    x = tf.random.stateless_normal((B, 5, C), (1, 2))
    shapes = block.state_shapes(B)
    noise = [tf.random.stateless_normal(shape, (3, 4)) for shape in shapes]
    found, memory = block.call_with_memory(
        x, Memory(noise[0], noise[1], tf.zeros(shapes.known))
    )
    np.testing.assert_allclose(found, block(x), atol=1e-5)
    assert memory.known.numpy().tolist() == [[0.0] + [1.0] * 5] * B


def test_training_batches_start_without_a_state_at_the_reset_rate(ids):
    block = build(num_blocks=1).get_layer("block_0")
    x = tf.random.stateless_normal((B, 7, C), (5, 6))
    kept, reset, other = (CarryingBlock(block, rate, 1) for rate in (0.0, 1.0, 1.0))
    alone = kept(x).numpy()
    for layer in (reset, other):
        layer(x)
    carried = kept(x, training=True).numpy()
    assert np.abs(carried - alone).max() > 0.01
    np.testing.assert_allclose(reset(x, training=True), alone, atol=1e-5)
    np.testing.assert_allclose(other(x), carried, atol=1e-5)
    some = CarryingBlock(block, 0.5, 1)
    fresh = []
    for _ in range(40):
        some(x, training=True)
        found = some(x, training=True).numpy()
        fresh += (np.abs(found - alone).max(axis=(1, 2)) < 1e-4).tolist()
    assert 0.35 < np.mean(fresh) < 0.65
    with pytest.raises(ValueError, match=r"reset_rate=1\.5 is not from 0 to 1"):
        CarryingBlock(block, 1.5)


def test_all_forms_share_the_models_weights(ids):
    model = build()
    stateful = build_stateful_model(model, batch_size=B, length=T)
    assert {id(v) for v in stateful.trainable_variables} == {
        id(v) for v in model.trainable_variables
    }
    model.set_weights([weight * 0.5 for weight in model.get_weights()])
    np.testing.assert_allclose(stateful(ids), model(ids), atol=1e-5)


def test_the_embedding_computes_the_logits(ids):
    model = build()
    assert sum(V in variable.shape for variable in model.trainable_variables) == 1
    (embeddings, *others) = model.get_weights()
    before = model(ids).numpy()
    absent = np.setdiff1d(np.arange(V), ids[:, :1])[0]
    embeddings[absent] = 0
    model.set_weights([embeddings, *others])
    after = model(ids[:, :1]).numpy()
    np.testing.assert_allclose(after[..., absent], 0, atol=1e-7)
    rest = np.arange(V) != absent
    np.testing.assert_allclose(after[..., rest], before[:, :1, rest], atol=1e-6)


def test_gradients_reach_every_weight_and_stay_in_the_batch(ids):
    model = build()
    stateful = build_stateful_model(model, batch_size=B, length=7)
    stateful(ids[:, :7])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(stateful(ids[:, 7:14]) ** 2)
    for variable, gradient in zip(
        model.trainable_variables,
        tape.gradient(loss, [v.value for v in model.trainable_variables]),
        strict=True,
    ):
        gradient = np.asarray(tf.convert_to_tensor(gradient))
        rows = gradient.reshape(len(gradient), -1)
        assert np.abs(rows).max(axis=1).min() > 0, variable.path


def test_dropout_acts_only_in_training(ids, expected):
    model = build(dropout=0.5)
    np.testing.assert_array_equal(model(ids), expected)
    stateful = build_stateful_model(model, batch_size=B, length=T)
    np.testing.assert_allclose(stateful(ids), expected, atol=1e-5)
    for form in (model, stateful):
        assert np.abs(form(ids, training=True) - expected).max() > 0.01


@pytest.mark.parametrize("half", ["attention/attention_output", "contract"])
def test_both_layers_of_a_block_have_dropout(half):
    block = build(dropout=0.5, num_blocks=1).get_layer("block_0")
    for weights in block.weights:
        if weights.path.endswith("kernel") and half not in weights.path:
            if "attention_output" in weights.path or "contract" in weights.path:
                weights.assign(weights * 0)
    x = np.random.default_rng(2).normal(size=(B, 5, C)).astype("float32")
    added = block(x).numpy() - x
    dropped = block(x, training=True).numpy() - x
    zero = np.abs(dropped) < 1e-6
    assert 0.3 < zero.mean() < 0.7
    np.testing.assert_allclose(dropped[~zero], 2 * added[~zero], atol=1e-4)


def test_the_blocks_of_a_new_model_add_nothing():
    model = build_char_transformer(CharTransformerConfig(V, 64, H, N, W))
    ids = np.arange(V)[None]
    logits = model(ids).numpy()
    embeddings = model.get_layer("embedding").get_weights()[0]
    scale = np.sqrt(np.mean(embeddings**2, -1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(logits[0], embeddings / scale @ embeddings.T, atol=1e-5)


@pytest.mark.slow
def test_training_goes_through_fit_and_lowers_the_loss():
    text = np.tile([1, 2, 3, 1, 2, 4, 0], 100)
    model = build_char_transformer(CharTransformerConfig(5, 16, 2, 1, 6))
    learner = build_stateful_model(model, 4, 12, 0.03)
    training = TrainingConfig(4, 12, 14, 8, learning_rate=0.01)
    compile_for_training(learner, training)
    validator = build_stateful_model(model, 2, 20)
    validator.compile(loss=learner.loss, jit_compile=True)
    held_out = HeldOutLoss(validator, next_character_streams(text, 2, 20))
    batches = next_character_streams(text, 4, 12).repeat()
    before = held_out.evaluate()
    learner.fit(batches, epochs=8, steps_per_epoch=14, shuffle=False, verbose=0)
    states = [state.numpy() for state in learner.get_layer("block_0").states]
    assert held_out.evaluate() < 0.3 < before
    for state, kept in zip(learner.get_layer("block_0").states, states, strict=True):
        np.testing.assert_array_equal(state, kept)


def test_logits_are_float32_whatever_the_layers_compute_in():
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = build_char_transformer(CharTransformerConfig(V, C, H, N, W))
    finally:
        keras.config.set_dtype_policy(policy)
    assert model.get_layer("block_0").compute_dtype == "bfloat16"
    assert model(np.zeros((1, 3), np.int32)).dtype == tf.float32


@pytest.mark.slow
def test_a_saved_model_is_the_same_in_another_process(tmp_path, ids):
    model = build(dropout=0.5)
    save_model(model, tmp_path / "model.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "model.keras")(ids), model(ids))
    program = f"""
import numpy
from kerasseq.files.keras_models import load_model
model = load_model({str(tmp_path / "model.keras")!r})
numpy.save({str(tmp_path / "logits.npy")!r}, model(numpy.array({ids.tolist()})))
"""
    subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True
    )
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), model(ids), atol=1e-6)


def test_the_order_of_earlier_characters_matters():
    """Without rotary positions, all that was read before would be a set."""
    block = build(num_blocks=1).get_layer("block_0")
    x = np.random.default_rng(4).normal(size=(B, 5, C)).astype("float32")
    swapped = block(x[:, [1, 0, 2, 3, 4]])
    assert np.abs(swapped - block(x))[:, 2:].max() > 1e-3


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((0, 5), "num_heads=0 must be at least 1"),
        ((2, 1), "context=1 must be at least 2"),
        ((2, 5, 1.0), "dropout=1.0 is not from 0 to below 1"),
        ((5, 5), "model_size=12 divided by num_heads=5 is not an even size"),
    ],
)
def test_a_block_refuses_impossible_sizes(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        DecoderBlock(*arguments).build((None, None, C))


def test_a_block_keeps_its_configuration():
    block = DecoderBlock(2, 5, 0.25, name="one")
    again = DecoderBlock.from_config(block.get_config())
    assert (again.num_heads, again.context, again.dropout) == (2, 5, 0.25)
    assert again.name == "one"
    assert block.compute_output_shape((None, 3, C)) == (None, 3, C)


@pytest.mark.slow
def test_keras_writes_the_text_that_the_logits_say(model):
    characters = "\n abcdefghi"
    module = build_generating_module(model, Vocabulary.from_text(characters))
    text = "a cab"
    for _ in range(23):
        ids = Vocabulary.from_text(characters).encode(text)
        text += characters[int(np.argmax(model(ids[None])[0, -1]))]
    assert generate(module, "a cab", 23, temperature=0) == text[5:]


def test_a_card_has_the_sizes(model):
    sizes = {"model_size": C, "heads": H, "blocks": N, "context": W}
    assert describe_sizes(model) == sizes
