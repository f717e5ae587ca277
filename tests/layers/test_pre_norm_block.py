"""The block of the translator, compared with Keras's own layers."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from kerasseq.layers.pre_norm_block import PreNormBlock
from kerasseq.layers.rms_norm import RMSNorm
from tests.support.weights import with_random_weights

B, T, S, C, H, F = 2, 5, 7, 12, 3, 11


@pytest.fixture(scope="module")
def block() -> PreNormBlock:
    layer = PreNormBlock(H, F)
    layer.build((B, T, C), (B, S, C))
    return with_random_weights(layer, 3, 0.5)


@pytest.fixture(scope="module")
def inputs() -> dict[str, np.ndarray]:
    numbers = np.random.default_rng(5)
    return {
        "x": numbers.normal(size=(B, T, C)).astype("float32"),
        "memory": numbers.normal(size=(B, S, C)).astype("float32"),
        "mask": np.arange(T) < [[T], [3]],
        "memory_mask": np.arange(S) < [[4], [S]],
    }


def keras_attention(layer, query, value, **arguments):
    """What `keras.layers.MultiHeadAttention` computes with the weights of `layer`."""
    theirs = keras.layers.MultiHeadAttention(H, C // H, use_bias=False)
    theirs.build(query.shape, value.shape)
    theirs.set_weights(layer.get_weights())
    return theirs(query, value, return_attention_scores=True, **arguments)


def keras_block(block, x, mask, memory=None, memory_mask=None):
    normal = block.attention_norm(x)
    attended, weights = keras_attention(
        block.attention,
        normal,
        normal,
        attention_mask=mask[:, None],
        use_causal_mask=memory is not None,
    )
    x = x + attended
    if memory is not None:
        attended, weights = keras_attention(
            block.cross_attention,
            block.cross_norm(x),
            memory,
            attention_mask=memory_mask[:, None],
        )
        x = x + attended
    fed = block.feed_forward_norm(x) @ block.expand.kernel + block.expand.bias
    fed = np.maximum(fed, 0) @ block.contract.kernel + block.contract.bias
    return x + fed, weights


def test_a_decoders_block_is_made_of_what_keras_computes(block, inputs):
    found, weights = block(**inputs)
    expected, theirs = keras_block(block, **inputs)
    assert_allclose(found, expected, atol=2e-5)
    assert weights.shape == (B, H, T, S)
    assert_allclose(weights, theirs, atol=1e-6)


def test_an_encoders_block_is_made_of_what_keras_computes(block, inputs):
    own = {"x": inputs["x"], "mask": inputs["mask"]}
    found, weights = block(**own)
    expected, theirs = keras_block(block, **own)
    assert_allclose(found, expected, atol=2e-5)
    assert weights.shape == (B, H, T, T)
    assert_allclose(weights, theirs, atol=1e-6)


def test_an_encoders_block_has_no_weights_for_a_memory(inputs):
    layer = PreNormBlock(H, F)
    layer(inputs["x"])
    assert not [weight.path for weight in layer.weights if "cross" in weight.path]
    assert layer.count_params() == 4 * C * C + 2 * C * F + F + C + 2 * C


def test_each_output_has_dropout(inputs):
    """What a layer adds is dropped or doubled, if the others add nothing."""
    for kept in ("/attention/", "/cross_attention/", "/contract/"):
        layer = PreNormBlock(H, F, dropout=0.5)
        layer.build((B, T, C), (B, S, C))
        with_random_weights(layer, 3, 0.5)
        for weight in layer.weights:
            last = "attention_output" in weight.path or "contract" in weight.path
            if last and kept not in weight.path:
                weight.assign(weight * 0)
        added = layer(**inputs)[0] - inputs["x"]
        dropped = (layer(**inputs, training=True)[0] - inputs["x"]).numpy()
        zero = np.abs(dropped) < 1e-6
        assert 0.3 < zero.mean() < 0.7, kept
        assert_allclose(dropped[~zero], 2 * added.numpy()[~zero], atol=1e-4)


def test_a_norm_is_that_of_keras(inputs):
    ours, theirs = RMSNorm(), keras.layers.RMSNormalization()
    for layer in (ours, theirs):
        layer.build(inputs["x"].shape)
    theirs.set_weights(with_random_weights(ours, 3, 0.5).get_weights())
    assert_allclose(ours(inputs["x"]), theirs(inputs["x"]), atol=1e-6)
    half = inputs["x"].astype("float16") * 1000
    assert np.isfinite(RMSNorm(dtype="float16")(half)).all()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((0, 5), "num_heads=0 must be at least 1"),
        ((2, 0), "feed_forward_size=0 must be at least 1"),
        ((2, 5, 1.0), "dropout=1.0 is not from 0 to below 1"),
        ((5, 5), "model_size=12 is not divisible by num_heads=5"),
    ],
)
def test_a_block_refuses_impossible_sizes(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        PreNormBlock(*arguments).build((None, None, C))


def test_a_block_keeps_its_configuration():
    block = PreNormBlock(2, 5, 0.25, name="one")
    again = PreNormBlock.from_config(block.get_config())
    assert (again.num_heads, again.feed_forward_size, again.dropout) == (2, 5, 0.25)
    assert again.name == "one"
