"""The exported step computes what the Keras model does, whatever its layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasseq.files.saved_model import write_saved_model
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.next_word import NextWordConfig, build_next_word_model
from kerasseq.signatures import recurrent_step
from kerasseq.signatures.characters import build_generating_module, generate
from kerasseq.signatures.exact import EXACT, plain_product
from kerasseq.signatures.recurrent_step import InferenceStep
from kerasseq.signatures.steps import state_shapes, step_function
from kerasseq.text.characters import Vocabulary
from tests.support.weights import with_random_weights


def build(cell="gru", num_layers=1, vocabulary_size=11, embedding_size=5, **options):
    model = build_char_rnn(
        CharRNNConfig(vocabulary_size, cell, 7, num_layers, embedding_size, **options)
    )
    return with_random_weights(model, 23, 0.7)


def read(step, model, ids):
    states = [tf.zeros(shape) for shape in state_shapes(model)]
    logits = []
    for token in ids:
        row, states = step(tf.constant([token]), states)
        assert [tuple(state.shape) for state in states] == state_shapes(model)
        logits.append(row[0].numpy())
    return np.stack(logits)


@pytest.mark.parametrize("cell", ["gru", "lstm", "simple_rnn"])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize(
    ("size", "embedding_size"),
    [(11, 13), pytest.param(113, 3, marks=pytest.mark.slow)],
)
def test_it_gives_the_logits_of_the_layers(cell, num_layers, size, embedding_size):
    model = build(cell, num_layers, size, embedding_size, dropout=0.3)
    ids = np.random.default_rng(1).integers(0, size, 29)
    expected = model(ids[None]).numpy()[0]
    found = read(InferenceStep(model), model, ids)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    np.testing.assert_allclose(read(step_function(model), model, ids), found, atol=2e-6)


# With 11 characters, the first kernel is part of the table.
@pytest.mark.parametrize(
    ("cell", "size"),
    [
        ("gru", 113),
        ("lstm", 11),
        ("next_word", 11),
        pytest.param("gru", 11, marks=pytest.mark.slow),
        pytest.param("lstm", 113, marks=pytest.mark.slow),
        pytest.param("simple_rnn", 11, marks=pytest.mark.slow),
    ],
)
def test_the_exact_step_differs_in_its_rounding_only(cell, size, monkeypatch):
    if cell == "next_word":
        model = build_next_word_model(NextWordConfig(size, 7, 3, embedding_size=13))
        model = with_random_weights(model, 23, 0.7)
    else:
        model = build(cell, 3, size, 13)

    def unrounded(x, matrix, bias, bound, transpose=False):
        assert bound is None or np.abs(x).max() <= bound
        return plain_product(x, matrix, bias, bound, transpose)

    monkeypatch.setattr(recurrent_step, "EXACT", EXACT._replace(product=unrounded))
    ids = np.array([3, 1, 4, 1, 5])
    found = read(InferenceStep(model).exact, model, ids)
    np.testing.assert_allclose(found, model(ids[None]).numpy()[0], atol=5e-6)


@pytest.mark.parametrize(("size", "folded"), [(5, True), (200, False)])
def test_the_first_kernel_becomes_a_table_only_where_that_is_smaller(size, folded):
    model = build("lstm", 2, size, 17)
    numbers = sum(int(tf.size(v)) for v in InferenceStep(model).variables)
    # In addition to Keras's count: a bias of zeros (4*7) for each layer's state.
    kept = model.count_params() + 2 * 28
    two, product = size * 17 + 17 * 28, size * 28
    assert (product < two) == folded
    assert numbers == (kept - two - 28 + product if folded else kept)


def test_it_is_a_copy():
    model = build()
    step = InferenceStep(model)
    ids = [3, 1, 4, 1, 5]
    before = read(step, model, ids)
    model.set_weights([weights * 2 for weights in model.get_weights()])
    np.testing.assert_array_equal(read(step, model, ids), before)
    assert np.abs(read(InferenceStep(model), model, ids) - before).max() > 0.1


def test_a_frozen_module_writes_the_same_text():
    model, vocabulary = build(), Vocabulary.from_text("\nabcdefghij")
    texts = [
        generate(
            build_generating_module(model, vocabulary, frozen=f), "ab", 300, seed=4
        )
        for f in (False, True)
    ]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 5


@pytest.mark.slow
def test_several_layers_can_be_saved_and_read_again(tmp_path):
    model, vocabulary = build("lstm", 3), Vocabulary.from_text("\nabcdefghij")
    module = build_generating_module(model, vocabulary, frozen=True)
    path = write_saved_model(module, tmp_path / "saved", {"generate": module.generate})
    text = generate(tf.saved_model.load(str(path)), "ab", 40, seed=4)
    assert text == generate(
        build_generating_module(model, vocabulary), "ab", 40, seed=4
    )


def test_a_layer_of_another_kind_is_refused():
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(5, 3)(inputs)
    x = keras.layers.GRU(4, return_sequences=True, reset_after=False, name="old")(x)
    model = keras.Model(inputs, keras.layers.Dense(5)(x))
    with pytest.raises(ValueError, match="layer old cannot be exported: reset_after"):
        InferenceStep(model)
