import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from kerasseq.layers.attention import causal_mask, scaled_dot_product_attention
from kerasseq.layers.rotary import rotary_turns, rotate
from kerasseq.layers.self_attention import MultiHeadSelfAttention

BATCH, OTHER, STEPS, KEYS, SIZE, VALUE_SIZE = 2, 3, 5, 7, 11, 13
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25, deadline=None)


def arrays(seed=0, dtype="float32"):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(BATCH, OTHER, STEPS, SIZE)).astype(dtype),
        rng.normal(size=(BATCH, OTHER, KEYS, SIZE)).astype(dtype),
        rng.normal(size=(BATCH, OTHER, KEYS, VALUE_SIZE)).astype(dtype),
    )


def random_mask(seed=0):
    """Half of all pairs; nothing for the last query."""
    mask = np.random.default_rng(seed).random((BATCH, OTHER, STEPS, KEYS)) < 0.5
    mask[..., -1, :] = False
    return mask


def reference(query, key, value, mask=None):
    """Equation 1 in float64, one query at a time."""
    query, key, value = (np.asarray(x, np.float64) for x in (query, key, value))
    scores = np.zeros((*query.shape[:-1], key.shape[-2]))
    weights, output = np.zeros_like(scores), np.zeros((*query.shape[:-1], VALUE_SIZE))
    for index in np.ndindex(query.shape[:-1]):
        for s in range(key.shape[-2]):
            product = np.dot(query[index], key[index[:-1]][s])
            scores[*index, s] = product / np.sqrt(query.shape[-1])
        allowed = np.arange(key.shape[-2]) if mask is None else mask[index].nonzero()[0]
        if len(allowed):
            exponentials = np.exp(scores[index][allowed] - scores[index][allowed].max())
            weights[index][allowed] = exponentials / exponentials.sum()
        output[index] = weights[index] @ value[index[:-1]]
    return output, weights, scores


def run_eagerly(*tensors):
    return scaled_dot_product_attention(*map(tf.constant, tensors))


def run_in_graph(*tensors):
    signature = [tf.TensorSpec([None] * 4, array.dtype) for array in tensors]
    function = tf.function(scaled_dot_product_attention, input_signature=signature)
    return function(*map(tf.constant, tensors))


def run_in_model(*tensors):
    inputs = [
        keras.Input((None, None, array.shape[-1]), dtype=array.dtype.name)
        for array in tensors[:3]
    ]
    inputs += [keras.Input((None,) * 3, dtype="bool")] * (len(tensors) - 3)
    model = keras.Model(inputs, list(scaled_dot_product_attention(*inputs)))
    return model(list(map(tf.constant, tensors)))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "run", [scaled_dot_product_attention, run_eagerly, run_in_graph, run_in_model]
)
def test_is_the_equation_wherever_it_runs(run, masked):
    inputs = (*arrays(), random_mask()) if masked else arrays()
    found = run(*inputs)
    for tensor, expected in zip(found, reference(*inputs), strict=True):
        assert tensor.dtype == "float32"
        assert_allclose(tensor, expected, atol=1e-6)


def test_worked_by_hand():
    query = np.array([[2.0, 0, 0, 0]])
    key = np.array([[np.log(3), 7, 7, 7], [0, 7, 7, 7]])
    value = np.array([[4.0], [8.0]])
    output, weights, scores = scaled_dot_product_attention(query, key, value)
    assert_allclose(scores, [[np.log(3), 0]], atol=1e-6)
    assert_allclose(weights, [[0.75, 0.25]], atol=1e-6)
    assert_allclose(output, [[5]], atol=1e-6)


def test_returns_names_and_scores_from_before_the_mask():
    query, key, value = arrays()
    attention = scaled_dot_product_attention(query, key, value, random_mask())
    unmasked = scaled_dot_product_attention(query, key, value)
    assert attention._fields == ("output", "weights", "scores")
    assert_array_equal(attention.scores, unmasked.scores)


@pytest.mark.parametrize("num_leading", [0, 1, 4])
def test_any_number_of_leading_axes(num_leading):
    query, key, value = arrays()
    leading = (2, 3, 1, 1)[:num_leading]
    many = [np.broadcast_to(x[0, 0], leading + x.shape[2:]) for x in arrays()]
    output, weights, _ = scaled_dot_product_attention(*many)
    expected = scaled_dot_product_attention(query[0, 0], key[0, 0], value[0, 0])
    assert output.shape == (*leading, STEPS, VALUE_SIZE)
    for index in np.ndindex(leading):
        assert_allclose(output[index], expected.output, atol=1e-6)
        assert_allclose(weights[index], expected.weights, atol=1e-6)


def test_leading_axes_and_masks_broadcast():
    query, key, value = arrays()
    mask = random_mask()[0, 0, 0]
    found = scaled_dot_product_attention(query, key[:1, 0], value[:1, :1], mask)
    whole = [np.broadcast_to(x[:1, :1], x.shape) for x in (key, value)]
    full_mask = np.broadcast_to(mask, (BATCH, OTHER, STEPS, KEYS))
    for tensor, expected in zip(
        found, reference(query, *whole, full_mask), strict=True
    ):
        assert_allclose(tensor, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_output_has_the_values_dtype_the_rest_is_float32(dtype):
    query, key, _ = arrays()
    value = tf.cast(arrays()[2], dtype)
    output, weights, scores = scaled_dot_product_attention(query, key, value)
    assert (output.dtype, weights.dtype, scores.dtype) == (dtype, "float32", "float32")


def test_integer_values_are_not_rounded():
    output = scaled_dot_product_attention([[0]], [[0], [0]], [[1], [2]]).output
    assert_allclose(output, [[1.5]])


@pytest.mark.parametrize("scale", [1, 200])
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_neither_overflows_nor_loses_small_differences(dtype, scale):
    query, key, value = ((scale * x).astype(dtype) for x in arrays())
    mask = random_mask()
    output, weights, scores = scaled_dot_product_attention(query, key, value, mask)
    expected = reference(query, key, value, mask)
    assert scale == 1 or np.abs(expected[2]).max() > np.finfo(np.float16).max
    precision = 1e-6 * scale**2
    assert_allclose(scores, expected[2], rtol=1e-6, atol=precision)
    assert_allclose(weights, expected[1], atol=precision)
    assert_allclose(tf.cast(output, "float64"), expected[0], rtol=5e-3, atol=5 * scale)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_the_largest_float16_stays_finite(dtype):
    largest = ml_dtypes.finfo(dtype).max
    query, key, _ = arrays()
    value = np.full((BATCH, OTHER, KEYS, 1), largest)
    output = scaled_dot_product_attention(query, key, value).output
    assert_array_equal(tf.cast(output, "float64"), float(largest))


def test_products_beyond_float16_are_finite():
    large = np.full((1, 4, 64), 60000, np.float16)
    for tensor in scaled_dot_product_attention(large, large, large):
        assert np.isfinite(tensor).all()


@pytest.mark.parametrize("in_graph", [False, True])
def test_nothing_to_attend_to_gives_zeros_and_finite_gradients(in_graph):
    inputs = [tf.constant(x) for x in arrays()]
    mask = random_mask()
    assert mask[..., :-1, :].any(-1).all()

    def gradients(*inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            attention = scaled_dot_product_attention(*inputs, mask)
            loss = tf.reduce_sum(tf.sin(attention.output + 1))
            loss += tf.reduce_sum(attention.weights**2)
        return attention, tape.gradient(loss, inputs)

    attention, found = (tf.function(gradients) if in_graph else gradients)(*inputs)
    assert_array_equal(attention.output[..., -1, :], 0)
    assert_array_equal(attention.weights[..., -1, :], 0)
    for gradient in found:
        assert np.isfinite(gradient).all() and np.any(gradient)
    assert_array_equal(found[0][..., -1, :], 0)


def test_no_keys_at_all_give_zeros():
    query, key, value = arrays()
    output, weights, _ = scaled_dot_product_attention(
        query, key[..., :0, :], value[..., :0, :]
    )
    assert weights.shape == (BATCH, OTHER, STEPS, 0)
    assert_array_equal(output, np.zeros((BATCH, OTHER, STEPS, VALUE_SIZE)))


@few
@given(seeds, st.sampled_from([1, 30]))
def test_rows_sum_to_one_and_masked_weights_are_exactly_zero(seed, scale):
    query, key, value = arrays(seed)
    mask = random_mask(seed)
    weights = scaled_dot_product_attention(query * scale, key, value, mask).weights
    assert_array_equal(weights.numpy()[~mask], 0)
    assert_allclose(np.sum(weights, -1), mask.any(-1), atol=1e-5)


@few
@given(seeds)
def test_masking_a_key_scales_the_other_weights_up(seed):
    inputs = arrays(seed)
    mask = random_mask(seed)
    fewer = mask & random_mask(seed + 1)
    more = scaled_dot_product_attention(*inputs, mask).weights.numpy()
    less = scaled_dot_product_attention(*inputs, fewer).weights.numpy()
    assert (less[fewer] >= more[fewer] - 1e-6).all()
    kept = np.where(fewer, more, 0)
    total = kept.sum(-1, keepdims=True)
    expected = np.divide(kept, total, out=np.zeros_like(kept), where=total > 0)
    assert_allclose(less, expected, atol=1e-4)


@few
@given(seeds)
def test_adding_one_vector_to_every_key_changes_no_weight(seed):
    query, key, value = arrays(seed)
    shifted = key + np.random.default_rng(seed).normal(size=SIZE).astype("float32")
    expected = scaled_dot_product_attention(query, key, value)
    found = scaled_dot_product_attention(query, shifted, value)
    assert_allclose(found.weights, expected.weights, atol=1e-4)
    assert np.abs(found.scores - expected.scores).max() > 0.1


@few
@given(seeds)
def test_the_order_of_keys_and_values_does_not_matter(seed):
    query, key, value = arrays(seed)
    mask = random_mask(seed)
    order = np.random.default_rng(seed).permutation(KEYS)
    expected = scaled_dot_product_attention(query, key, value, mask)
    found = scaled_dot_product_attention(
        query, key[..., order, :], value[..., order, :], mask[..., order]
    )
    assert_allclose(found.output, expected.output, atol=1e-5)
    assert_allclose(found.weights, expected.weights.numpy()[..., order], atol=1e-5)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            [(5,), (7, 5), (7, 3)],
            r"query \(5,\), key \(7, 5\).* at least two axes.*add a first axis",
        ),
        (
            [(3, 5), (7, 11), (7, 2)],
            r"query \(3, 5\), key \(7, 11\).*5 and 11, are not equal; project both",
        ),
        (
            [(3, 5), (7, 5), (2, 13)],
            r"value \(2, 13\): key has 7 steps and value 2; give one value",
        ),
        (
            [(2, 3, 5), (11, 7, 5), (2, 7, 13)],
            r"key \(11, 7, 5\).* do not broadcast; make them equal or 1",
        ),
        (
            [(3, 5), (7, 5), (7, 2), (7, 3)],
            r"mask \(7, 3\) does not broadcast to the scores \(3, 7\); give it those",
        ),
        (
            [(3, 5), (7, 5), (7, 2), (2, 3, 7)],
            r"mask \(2, 3, 7\) does not broadcast to the scores \(3, 7\)",
        ),
    ],
)
@pytest.mark.parametrize("symbolic", [False, True])
def test_refuses_sizes_that_do_not_fit(shapes, message, symbolic):
    dtypes = ("float32", "float32", "float32", "bool")
    tensors = [
        keras.KerasTensor(shape, dtype) if symbolic else np.zeros(shape, dtype)
        for shape, dtype in zip(shapes, dtypes, strict=False)
    ]
    with pytest.raises(ValueError, match=message):
        scaled_dot_product_attention(*tensors)


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_refuses_a_mask_that_is_not_boolean(dtype):
    message = rf"mask \(5, 7\) has dtype {dtype}, not bool; pass .*`mask != 0`"
    with pytest.raises(ValueError, match=message):
        scaled_dot_product_attention(*arrays(), np.ones((STEPS, KEYS), dtype))


def test_refuses_a_symbolic_query_of_unknown_size():
    query = keras.KerasTensor((None, None))
    with pytest.raises(ValueError, match=r"size of query \(None, None\) is unknown"):
        scaled_dot_product_attention(query, query, query)


def test_causal_mask():
    expected = [[True, False, False], [True, True, False], [True, True, True]]
    assert_array_equal(causal_mask(3), expected)
    in_graph = tf.function(causal_mask, input_signature=[tf.TensorSpec((), "int32")])
    assert_array_equal(in_graph(tf.constant(3)), expected)
    assert causal_mask(3).dtype == "bool"


def test_a_causal_band_after_steps_before():
    expected = [[0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 1, 1]]
    band = causal_mask(3, memory=2, window=2)
    assert_array_equal(band, np.array(expected, bool))
    assert_array_equal(causal_mask(4, window=9), causal_mask(4))
    assert_array_equal(causal_mask(1, memory=3), np.ones((1, 4), bool))


def test_rotary_frequencies_are_the_papers_rounded_to_whole_turns():
    size, window = 32, 256
    turns = rotary_turns(size, window)
    assert turns.dtype == np.int32
    assert turns[:8].tolist() == [41, 23, 13, 7, 4, 2, 1, 1]
    angles = 10000.0 ** (-np.arange(0, size, 2) / size)
    assert np.abs(turns * 2 * np.pi / window - angles).max() <= np.pi / window


@given(seed=seeds, first=st.integers(0, 2**20), window=st.integers(2, 300))
@few
def test_rotation_is_a_product_of_complex_numbers(seed, first, window):
    x = np.random.default_rng(seed).normal(size=(3, 5, 8)).astype("float32")
    angle = 2 * np.pi * rotary_turns(8, window) / window
    phases = np.exp(1j * (first + np.arange(5))[:, None] * angle)
    expected = (x[..., :4] + 1j * x[..., 4:]) * phases
    found = np.asarray(rotate(x, first, window))
    assert_allclose(found[..., :4] + 1j * found[..., 4:], expected, atol=1e-5)


@given(seed=seeds, one=st.integers(0, 10**6), other=st.integers(0, 10**6))
@few
def test_products_of_rotated_vectors_depend_only_on_offsets(seed, one, other):
    query, key = np.random.default_rng(seed).normal(size=(2, 6, 8)).astype("float32")
    products = [
        np.asarray(rotate(query, first, 50)) @ np.asarray(rotate(key, first, 50)).T
        for first in (one, other)
    ]
    assert_allclose(*products, atol=1e-4)
    offset = np.asarray(rotate(query, one + 1, 50)) @ np.asarray(rotate(key, one, 50)).T
    assert np.abs(offset - products[0]).max() > 1e-3


# The layer: B 2, T 5, C 7, H 3, D 11.

MODEL_SIZE, HEADS, HEAD_SIZE = 7, 3, 11
PADDING = np.array([[True] * 5, [True, True, True, False, False]])


def sequence(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(BATCH, STEPS, MODEL_SIZE)).astype("float32")


def random_layer(seed=0, **arguments):
    """A layer none of whose weights is zero."""
    layer = MultiHeadSelfAttention(HEADS, HEAD_SIZE, **arguments)
    layer.build((None, None, MODEL_SIZE))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(size=w.shape) / 2 for w in layer.weights])
    return layer


def keras_layer(layer):
    """Keras's own layer with the weights copied."""
    theirs = keras.layers.MultiHeadAttention(
        HEADS, HEAD_SIZE, use_bias=layer.use_bias, flash_attention=False
    )
    theirs.build((None, None, MODEL_SIZE), (None, None, MODEL_SIZE))
    names = [
        [weight.path.split("/", 1)[1] for weight in each.weights]
        for each in (layer, theirs)
    ]
    assert names[0] == names[1]
    theirs.set_weights(layer.get_weights())
    return theirs


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("in_graph", [False, True])
def test_equals_the_layer_of_keras(use_bias, causal, padded, in_graph):
    layer = random_layer(use_bias=use_bias)
    mask = PADDING if padded else None
    steps = causal_mask(STEPS) if causal else None
    run = tf.function(layer) if in_graph else layer
    output, weights = run(tf.constant(sequence()), mask=mask, attention_mask=steps)
    expected_output, expected_weights = keras_layer(layer)(
        sequence(),
        sequence(),
        attention_mask=PADDING[:, None, :] if padded else None,
        use_causal_mask=causal,
        return_attention_scores=True,
    )
    assert weights.shape == (BATCH, HEADS, STEPS, STEPS)
    assert_allclose(output, expected_output, atol=1e-5)
    assert_allclose(weights, expected_weights, atol=1e-5)


@pytest.mark.parametrize("window", [1, 2, 4, 9])
def test_a_window_is_a_band_in_the_layer_of_keras(window):
    layer = random_layer(use_bias=False)
    band = causal_mask(STEPS, window=window)
    output, weights = layer(sequence(), attention_mask=band)
    offsets = np.arange(STEPS)[:, None] - np.arange(STEPS)
    expected_output, expected_weights = keras_layer(layer)(
        sequence(),
        sequence(),
        attention_mask=(offsets < window)[None],
        use_causal_mask=True,
        return_attention_scores=True,
    )
    assert_allclose(output, expected_output, atol=1e-5)
    assert_allclose(weights, expected_weights, atol=1e-5)


@pytest.mark.parametrize("rank", [2, 3])
def test_any_attention_mask_works_as_in_the_layer_of_keras(rank):
    shape = (BATCH, STEPS, STEPS)[-rank:]
    mask = np.random.default_rng(1).random(shape) < 0.5
    mask |= np.eye(STEPS, dtype=bool)  # no row is empty: there Keras gives a mean
    layer = random_layer()
    output, weights = layer(sequence(), attention_mask=mask)
    expected_output, expected_weights = keras_layer(layer)(
        sequence(),
        sequence(),
        attention_mask=np.broadcast_to(mask, (BATCH, STEPS, STEPS)),
        return_attention_scores=True,
    )
    assert_allclose(output, expected_output, atol=1e-5)
    assert_allclose(weights, expected_weights, atol=1e-5)


def test_last_steps_attend_to_earlier_ones_as_in_the_whole_sequence():
    layer = random_layer()
    band = causal_mask(STEPS, window=3)
    expected, _ = layer(sequence(), mask=PADDING, attention_mask=band)
    query = layer.project_queries(sequence()[:, 2:])
    allowed = PADDING[:, None, None] & causal_mask(STEPS - 2, memory=2, window=3)
    found, weights = layer.attend(
        query, *layer.project_keys_and_values(sequence()), allowed
    )
    assert_allclose(found, expected[:, 2:], atol=1e-6)
    assert weights.shape == (BATCH, HEADS, STEPS - 2, STEPS)


def test_queries_of_one_sequence_attend_to_another_as_in_keras():
    layer, other = random_layer(), sequence(1)[:, :3]
    found, weights = layer.attend(
        layer.project_queries(sequence()), *layer.project_keys_and_values(other)
    )
    expected_output, expected_weights = keras_layer(layer)(
        sequence(), other, return_attention_scores=True
    )
    assert_allclose(found, expected_output, atol=1e-5)
    assert_allclose(weights, expected_weights, atol=1e-5)


@pytest.mark.parametrize("in_graph", [False, True])
def test_the_mask_of_an_embedding_is_used_and_passed_on(in_graph):
    ids = tf.constant([[4, 1, 3, 2, 4], [2, 2, 1, 0, 0]])
    embedding = keras.layers.Embedding(5, MODEL_SIZE, mask_zero=True)
    embedding.build()
    layer = random_layer()
    theirs = keras_layer(layer)

    def run(ids):
        x = embedding(ids)
        output, weights = layer(x)
        expected = theirs(x, x, return_attention_scores=True)
        assert getattr(weights, "_keras_mask", None) is None
        return output, weights, output._keras_mask, expected

    output, weights, mask, expected = (tf.function(run) if in_graph else run)(ids)
    assert_array_equal(mask, PADDING)
    # At padded queries Keras gives the mean of all steps, ours that of the words.
    assert_allclose(output[PADDING], expected[0][PADDING], atol=1e-5)
    rows = np.broadcast_to(PADDING[:, None], weights.shape[:-1])
    assert_allclose(weights[rows], expected[1][rows], atol=1e-5)
    explicit = layer(keras.ops.copy(embedding(ids)), mask=PADDING)
    everywhere = np.ones((STEPS, STEPS), bool)
    both_masks, _ = layer(embedding(ids), attention_mask=everywhere)
    assert_allclose(output, both_masks, atol=1e-6)
    assert_array_equal(both_masks._keras_mask, PADDING)
    assert_allclose(output, explicit[0], atol=1e-6)
    assert_array_equal(weights[1, ..., 3:], 0)


def test_compute_mask_and_output_shape():
    layer = random_layer()
    assert layer.supports_masking
    assert layer.compute_mask(None, "the mask") == ("the mask", None)
    assert layer.compute_mask(None) == (None, None)
    output, weights = layer(sequence())
    shapes = layer.compute_output_shape((BATCH, STEPS, MODEL_SIZE))
    assert shapes == (output.shape, weights.shape)
    assert layer.compute_output_shape((None, None, MODEL_SIZE)) == (
        (None, None, MODEL_SIZE),
        (None, HEADS, None, None),
    )


@pytest.mark.parametrize("causal", [False, True])
def test_padding_changes_no_word(causal):
    layer = random_layer()
    x = sequence()

    def run(x, mask=None):
        steps = causal_mask(x.shape[1]) if causal else None
        return layer(x, mask=mask, attention_mask=steps)

    other = np.where(PADDING[..., None], x, 1000 * sequence(1))
    found, expected = run(other, PADDING), run(x, PADDING)
    assert_allclose(found[0][PADDING], expected[0][PADDING], atol=1e-6)
    alone = run(x[1:, :3])
    assert_allclose(found[0][1, :3], alone[0][0], atol=1e-5)
    assert_allclose(found[1][1, :, :3, :3], alone[1][0], atol=1e-5)


def test_causal_output_depends_on_no_later_step():
    layer = random_layer()
    x = sequence()
    whole = layer(x, attention_mask=causal_mask(STEPS))[0]
    for length in range(1, STEPS):
        found, _ = layer(x[:, :length], attention_mask=causal_mask(length))
        assert_allclose(found, whole[:, :length], atol=1e-5)


@few
@given(seeds)
def test_without_positions_permuted_steps_give_permuted_outputs(seed):
    layer = random_layer()
    order = np.random.default_rng(seed).permutation(STEPS)
    x = sequence(seed)
    output, weights = layer(x, mask=PADDING)
    found = layer(x[:, order], mask=PADDING[:, order])
    assert_allclose(found[0], output.numpy()[:, order], atol=1e-4)
    assert_allclose(found[1], weights.numpy()[:, :, order][..., order], atol=1e-5)


def test_padding_alone_gives_zeros_and_finite_gradients():
    layer = random_layer(use_bias=False)
    x = tf.constant(sequence())
    mask = PADDING & [[False], [True]]
    with tf.GradientTape() as tape:
        tape.watch(x)
        output, weights = layer(x, mask=mask)
        loss = tf.reduce_sum(tf.sin(output + 1))
    assert_array_equal(output[0], 0)
    assert_array_equal(weights[0], 0)
    for gradient in tape.gradient(loss, [x, *layer.trainable_variables]):
        assert np.isfinite(gradient).all() and np.any(gradient)


def test_dropout_is_inverted_and_does_not_change_the_returned_weights():
    layer = MultiHeadSelfAttention(1, HEAD_SIZE, dropout=0.75, use_bias=False)
    x = np.random.default_rng(0).normal(size=(997, 1, MODEL_SIZE))
    kept, weights = layer(x)
    dropped, training_weights = layer(x, training=True)
    assert_array_equal(weights, np.ones((997, 1, 1, 1)))
    assert_array_equal(training_weights, weights)
    # With one step and one head the only weight is dropped, or four times as large.
    is_dropped = np.all(dropped == 0, axis=(1, 2))
    assert 0.7 < is_dropped.mean() < 0.8
    assert_allclose(dropped[~is_dropped], 4 * kept[~is_dropped], rtol=1e-4)
    assert_array_equal(layer(x)[0], kept)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    half = policy.removeprefix("mixed_")
    layer = random_layer(dtype=policy, dropout=0.5)
    single = random_layer()
    inputs = keras.Input((None, MODEL_SIZE))
    model = keras.Model(inputs, list(layer(inputs)))
    assert [output.dtype for output in model.outputs] == [half, "float32"]
    output, weights = model(sequence())
    assert (output.dtype, weights.dtype) == (half, "float32")
    expected = single(sequence())
    assert_allclose(weights, expected[1], atol=0.05)
    assert_allclose(tf.cast(output, "float32"), expected[0], atol=0.2)
    assert np.isfinite(model(1000 * sequence(), training=True)[1]).all()


def test_config_round_trip():
    arguments = {
        "num_heads": HEADS,
        "head_size": HEAD_SIZE + 1,
        "dropout": 0.25,
        "use_bias": False,
        "name": "reading",
        "dtype": "mixed_bfloat16",
    }
    layer = MultiHeadSelfAttention(**arguments)
    twin = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert type(twin) is MultiHeadSelfAttention
    assert twin.get_config() == layer.get_config()
    arguments["dtype"] = "float32"
    assert {name: getattr(twin, name) for name in arguments} == arguments
    assert twin.dtype_policy.name == "mixed_bfloat16"
    registered = keras.saving.get_registered_name(MultiHeadSelfAttention)
    assert registered == "kerasseq>MultiHeadSelfAttention"


# Configurations that were saved before `attention_mask` existed have these.
OLD = {"causal": False, "window": None, "rotary": False, "output_initializer": "zeros"}


def test_an_old_configuration_loads_unless_it_had_a_mode():
    config = random_layer(use_bias=False).get_config()
    loaded = MultiHeadSelfAttention.from_config({**config, **OLD})
    assert loaded.get_config() == config
    with pytest.raises(ValueError, match=r"no longer has causal=True, window=4; build"):
        MultiHeadSelfAttention.from_config(
            {**config, **OLD, "causal": True, "window": 4}
        )


def test_an_attention_mask_is_boolean_and_fits():
    layer = random_layer()
    with pytest.raises(ValueError, match="has dtype float32, not bool"):
        layer(sequence(), attention_mask=np.ones((STEPS, STEPS), "float32"))
    with pytest.raises(ValueError, match="does not broadcast to the scores"):
        layer(sequence(), attention_mask=np.ones((STEPS, STEPS + 1), bool))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, "num_heads=0 must be at least 1"),
        ({"head_size": 0}, "head_size=0 must be at least 1"),
        ({"dropout": 1.0}, "dropout=1.0 is not from 0 to below 1"),
        ({"dropout": -0.1}, "dropout=-0.1 is not from 0 to below 1"),
    ],
)
def test_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        MultiHeadSelfAttention(**{"num_heads": 3, "head_size": 5, **arguments})


@pytest.mark.parametrize(
    ("shape", "mask", "message"),
    [
        ((2, 7), None, r"shape \(2, 7\), not \(batch, steps, size\).*embed the"),
        (
            (2, 5, 7),
            np.ones((2, 5, 5), bool),
            r"is bool \(2, 5, 5\), not bool \(2, 5\); pass",
        ),
        (
            (2, 5, 7),
            np.ones((2, 5), "int32"),
            r"is int32 \(2, 5\), not bool \(2, 5\); pass",
        ),
        (
            (2, 5, 7),
            np.ones((2, 3), bool),
            r"is bool \(2, 3\), not bool \(2, 5\); pass",
        ),
    ],
)
@pytest.mark.parametrize("symbolic", [False, True])
def test_layer_refuses_what_does_not_fit(shape, mask, message, symbolic):
    x = keras.KerasTensor(shape) if symbolic else np.zeros(shape, "float32")
    with pytest.raises(ValueError, match=message):
        layer = MultiHeadSelfAttention(HEADS, HEAD_SIZE)
        layer(x, mask=mask, attention_mask=causal_mask(5))
