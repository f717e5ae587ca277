"""Attention pooling: a masked mean at first, then a mean with learned weights."""

import keras
import numpy as np
import pytest

from kerasseq.layers.pooling import AttentionPooling

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 5, 7)).astype(np.float32)
MASK = np.arange(5) < np.array([[5], [2], [1]])


def pooling(query: np.ndarray | None = None) -> AttentionPooling:
    layer = AttentionPooling()
    layer.build(X.shape)
    if query is not None:
        layer.query.assign(query)
    return layer


def test_it_starts_as_the_masked_mean_of_keras():
    pooled, weights = pooling()(X, mask=MASK)
    mean = keras.layers.GlobalAveragePooling1D()(X, mask=keras.ops.array(MASK))
    np.testing.assert_allclose(pooled, mean, atol=1e-6)
    np.testing.assert_allclose(weights, MASK / MASK.sum(axis=1, keepdims=True))


def test_a_query_weighs_as_keras_attention_does():
    query = RNG.standard_normal((1, 7)).astype(np.float32)
    pooled, weights = pooling(query)(X, mask=MASK)
    keys = X / np.sqrt(7)  # Keras's layer has no such scale
    queries = np.broadcast_to(query, (3, 1, 7))
    expected, scores = keras.layers.Attention()(
        [queries, X, keys], mask=[None, MASK], return_attention_scores=True
    )
    np.testing.assert_allclose(pooled, expected[:, 0], atol=1e-5)
    np.testing.assert_allclose(weights, scores[:, 0], atol=1e-6)
    assert np.abs(weights - MASK / MASK.sum(axis=1, keepdims=True)).max() > 0.05


def test_padding_changes_nothing():
    layer = pooling(RNG.standard_normal((1, 7)))
    pooled, weights = layer(X[1:2, :2])
    padded, longer = layer(X[1:2], mask=MASK[1:2])
    np.testing.assert_allclose(pooled, padded, atol=1e-6)
    np.testing.assert_allclose(longer[:, :2], weights, atol=1e-6)
    assert not np.any(longer[:, 2:])


def test_padding_alone_gives_zeros():
    pooled, weights = pooling()(X, mask=np.zeros((3, 5), bool))
    assert not np.any(pooled) and not np.any(weights)


def test_the_mask_of_an_embedding_is_used_and_ends_here():
    inputs = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(9, 7, mask_zero=True)(inputs)
    pooled, weights = AttentionPooling()(embedded)
    assert getattr(pooled, "_keras_mask", None) is None
    assert (pooled.shape, weights.shape) == ((None, 7), (None, None))
    model = keras.Model(inputs, [pooled, weights])
    short, long = model(np.array([[3, 4]])), model(np.array([[3, 4, 0, 0]]))
    np.testing.assert_allclose(short[0], long[0], atol=1e-6)


def test_half_precision_keeps_float32_weights():
    layer = AttentionPooling(dtype="mixed_float16")
    pooled, weights = layer(X, mask=MASK)
    kinds = [keras.backend.standardize_dtype(t.dtype) for t in (pooled, weights)]
    assert kinds == ["float16", "float32"]


def test_it_loads_from_a_file(tmp_path):
    inputs = keras.Input((5, 7))
    model = keras.Model(inputs, AttentionPooling(name="pooling")(inputs))
    model.get_layer("pooling").query.assign(RNG.standard_normal((1, 7)))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for one, other in zip(model(X), again(X), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="not \\(batch, steps, size\\)"):
        AttentionPooling()(X[0])
    with pytest.raises(ValueError, match="not bool"):
        pooling()(X, mask=MASK.astype("int32"))
