"""The translator: its masks, its shared embedding, and orders that it learns."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kerasseq.files.keras_models import load_model, save_model
from kerasseq.models.translation import TranslationConfig, build_translation
from kerasseq.text.subwords import END, PAD, START
from tests.support.weights import with_random_weights

V, C, H, F = 11, 12, 2, 17
B, S, T = 3, 7, 5
CONFIG = TranslationConfig(V, C, H, 1, 2, F, max_length=13, dropout=0.25)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return with_random_weights(build_translation(CONFIG), 3, 0.5)


@pytest.fixture(scope="module")
def inputs() -> dict[str, np.ndarray]:
    numbers = np.random.default_rng(1)
    source = numbers.integers(3, V, (B, S)).astype(np.int32)
    target = numbers.integers(3, V, (B, T)).astype(np.int32)
    source[:, -1], target[:, 0] = END, START
    return {"source_ids": source, "target_ids": target}


def test_the_outputs_have_their_shapes_and_names(model, inputs):
    found = {name: tuple(output.shape) for name, output in model(inputs).items()}
    alignments = {f"alignment_{index}": (B, H, T, S) for index in range(2)}
    assert found == {"logits": (B, T, V), **alignments}


def assert_same(found, expected, atol=0.0):
    """The outputs are alike where those of `found` have more steps."""
    for name, output in expected.items():
        steps = tuple(map(slice, output.shape))
        assert_allclose(found[name][steps], output, atol=atol, rtol=0, err_msg=name)


@pytest.mark.parametrize("padding", [1, 4, 6])
def test_padding_a_source_changes_nothing(model, inputs, padding):
    padded = np.pad(inputs["source_ids"], ((0, 0), (0, padding)), constant_values=PAD)
    found = model({**inputs, "source_ids": padded})
    # Sums of other lengths are rounded in another order.
    assert_same(found, model(inputs), atol=2e-6)
    for index in range(2):
        assert_array_equal(found[f"alignment_{index}"][..., S:], 0)


@pytest.mark.parametrize("more", [1, 4, 6])
def test_a_longer_target_changes_nothing_before_it(model, inputs, more):
    """Exactly nothing, where the shapes are the same."""
    expected = model(inputs)
    found = []
    for piece in (PAD, 3, V - 1):
        longer = np.pad(
            inputs["target_ids"], ((0, 0), (0, more)), constant_values=piece
        )
        found.append(model({**inputs, "target_ids": longer}))
        assert_same(found[-1], expected, atol=2e-6)
    for other in found[1:]:
        assert_array_equal(other["logits"][:, :T], found[0]["logits"][:, :T])
        assert np.abs(other["logits"] - found[0]["logits"]).max() > 0.1


def test_the_vector_of_padding_matters_to_nothing_but_its_own_logit(inputs):
    """Exactly: padding in source and target is multiplied by weights of zero."""
    model = with_random_weights(build_translation(CONFIG), 3, 0.5)
    inputs = {name: ids.copy() for name, ids in inputs.items()}
    for ids in inputs.values():
        ids[0, 2:4] = ids[1, 3:] = PAD
    before = model(inputs)
    embeddings = model.get_layer("embedding").embeddings
    embeddings.assign(np.array(embeddings) + 7.0 * np.eye(V)[:, [PAD]])
    after = model(inputs)
    read = inputs["target_ids"] != PAD
    assert_array_equal(after["logits"][..., 1:][read], before["logits"][..., 1:][read])
    assert np.abs(after["logits"] - before["logits"])[read][:, PAD].min() > 0.1
    for index in range(2):
        weights = np.moveaxis(after[f"alignment_{index}"], 1, 2)[read]
        assert_array_equal(
            weights, np.moveaxis(before[f"alignment_{index}"], 1, 2)[read]
        )


@pytest.mark.parametrize("changed", ["source_ids", "target_ids"])
def test_a_step_depends_on_the_whole_source_and_on_no_later_step(
    model, inputs, changed
):
    """Row i of a batch has another piece at step i, the last row the same ones."""
    ids = inputs[changed][:1]
    steps = np.eye(ids.shape[1] + 1, ids.shape[1], dtype=bool)
    rows = {name: np.repeat(each[:1], len(steps), 0) for name, each in inputs.items()}
    rows[changed] = np.where(steps, (ids - 2) % (V - 3) + 3, ids)
    logits = model(rows)["logits"].numpy()
    differs = np.abs(logits - logits[-1]).max(axis=2) > 1e-3
    expected = np.tri(T, dtype=bool).T if changed == "target_ids" else True
    assert_array_equal(differs[:-1], expected)


def test_one_embedding_serves_source_target_and_logits(inputs):
    model = with_random_weights(build_translation(CONFIG), 3, 0.5)
    assert sum(V in variable.shape for variable in model.trainable_variables) == 1
    before = model(inputs)["logits"].numpy()
    embedding = model.get_layer("embedding").embeddings
    absent = min(
        set(range(V)) - {*inputs["source_ids"].flat, *inputs["target_ids"].flat}
    )
    embedding.assign(np.array(embedding) * (np.arange(V) != absent)[:, None])
    after = model(inputs)["logits"].numpy()
    assert_array_equal(after[..., absent], 0)
    assert_array_equal(np.delete(after, absent, -1), np.delete(before, absent, -1))


def test_the_weights_are_those_of_the_blocks_and_one_embedding(model):
    def count(config):
        size = config.model_size
        fed = 2 * size * config.feed_forward_size + config.feed_forward_size + size
        reading = 4 * size * size + fed + 2 * size
        writing = reading + 4 * size * size + size
        blocks = config.encoder_blocks * reading + config.decoder_blocks * writing
        return config.vocabulary_size * size + blocks + 2 * size

    assert model.count_params() == count(CONFIG)
    assert count(TranslationConfig(6000)) < 2_100_000


def test_sequences_beyond_the_positions_are_refused(model, inputs):
    long = np.full((B, CONFIG.max_length + 1), 3, np.int32)
    for name in inputs:
        with pytest.raises(ValueError, match="14 steps are more than max_length=13"):
            model({**inputs, name: long})


def test_logits_are_float32_whatever_the_layers_compute_in(inputs):
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = build_translation(CONFIG)
    finally:
        keras.config.set_dtype_policy(policy)
    assert model.get_layer("decoder_0").compute_dtype == "bfloat16"
    outputs = model(inputs).values()
    assert {keras.backend.standardize_dtype(each.dtype) for each in outputs} == {
        "float32"
    }


@pytest.mark.slow
def test_a_saved_translator_is_the_same(tmp_path, model, inputs):
    save_model(model, tmp_path / "model.keras")
    assert_same(load_model(tmp_path / "model.keras")(inputs), model(inputs))
