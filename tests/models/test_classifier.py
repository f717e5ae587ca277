"""The classifier: what it computes, what padding and dropout do, what it refuses."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from kerasseq.files.keras_models import save_model
from kerasseq.files.labels import read_labels, write_labels
from kerasseq.models.classifier import (
    ClassifierConfig,
    WordDropout,
    build_classifier,
    predict,
)
from kerasseq.text.words import PAD, UNKNOWN

IDS = np.array([[3, 7, 4, 1, 5], [6, 2, 0, 0, 0]], np.int32)
LETTERS = np.zeros((2, 5, 3), np.int32)
LETTERS[0] = [[104, 105, 33], [105, 0, 0], [104, 104, 104], [105, 33, 0], [255, 1, 2]]
LETTERS[1, :2] = [[33, 33, 0], [104, 105, 0]]
INPUTS = [IDS, LETTERS]


def build(seed: int = 0, **changes) -> keras.Model:
    keras.utils.set_random_seed(seed)
    sizes = {"model_size": 6, "num_heads": 3, "feed_forward_size": 11} | changes
    sizes |= {"num_letters": 3, "num_ngrams": 31}
    model = build_classifier(ClassifierConfig(9, 4, **sizes))
    rng = np.random.default_rng(seed)
    query = model.get_layer("pooling").query
    query.assign(3 * rng.standard_normal(query.shape))  # zeros would hide errors
    return model


def test_without_blocks_it_is_a_weighted_mean_by_hand():
    model = build()
    table, query, kernel, bias = (
        weights
        for name in ("embedding", "pooling", "logits")
        for weights in model.get_layer(name).get_weights()
    )
    outputs = model.predict_on_batch(INPUTS)
    for ids, logits, weights in zip(
        IDS, outputs["logits"], outputs["weights"], strict=True
    ):
        vectors = table[ids[ids != 0]]
        scores = np.exp(vectors @ query[0] / np.sqrt(6))
        scores /= scores.sum()
        np.testing.assert_allclose(weights[: len(vectors)], scores, atol=1e-6)
        np.testing.assert_allclose(logits, scores @ vectors @ kernel + bias, atol=1e-5)
    assert not outputs["weights"][1, 2:].any(), "padding has weight"


@pytest.mark.parametrize("num_blocks", [0, 2])
def test_padding_changes_nothing(num_blocks):
    model = build(num_blocks=num_blocks)
    padded = model.predict_on_batch(INPUTS)["logits"][1]
    alone = model.predict_on_batch([IDS[1:, :2], LETTERS[1:, :2]])["logits"][0]
    np.testing.assert_allclose(padded, alone, atol=1e-5)


def test_order_matters_only_with_blocks():
    for num_blocks in (0, 1):
        model = build(num_blocks=num_blocks)
        one, other = (
            model.predict_on_batch([ids, letters])["logits"]
            for ids, letters in (
                (IDS[:1], LETTERS[:1]),
                (IDS[:1, ::-1], LETTERS[:1, ::-1]),
            )
        )
        assert np.allclose(one, other, atol=1e-5) == (num_blocks == 0)


def test_blocks_are_the_encoder_of_the_project():
    from kerasseq.models.encoder import EncoderConfig, build_encoder

    model = build(num_blocks=2, max_length=8)
    encoder = build_encoder(EncoderConfig(9, 6, 3, 2, 11, max_length=8))
    weights = model.get_weights()
    encoder.set_weights(weights[: len(encoder.get_weights())])
    vectors = encoder.predict_on_batch(IDS)["embeddings"]
    pooled, _ = model.get_layer("pooling")(vectors, mask=IDS != 0)
    expected = model.get_layer("logits")(pooled)
    found = model.predict_on_batch(INPUTS)["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_words_become_unknown_in_training_at_their_rate():
    keras.utils.set_random_seed(1)
    layer = WordDropout(0.3)
    ids = np.tile(np.array([[3, 4, 5, PAD]], np.int32), (4000, 1))
    dropped = np.array(layer(ids, training=True))
    assert set(np.unique(dropped[dropped != ids])) == {UNKNOWN}
    assert not (dropped[:, 3] != PAD).any(), "padding stays padding"
    assert 0.28 < np.mean(dropped[:, :3] == UNKNOWN) < 0.32
    again = np.array(layer(ids, training=True))
    assert (again != dropped).any(), "others each time"
    np.testing.assert_array_equal(layer(ids), ids)


def test_training_drops_and_prediction_does_not():
    model = build()
    trained = [model(INPUTS, training=True)["logits"] for _ in range(2)]
    assert not np.allclose(*trained)
    one, other = (model(INPUTS)["logits"] for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_the_weights_are_for_the_words_of_the_sentence():
    model = build()
    model.get_layer("spelling_bayes").set_weights(
        [np.random.default_rng(1).normal(size=(31, 4))]
    )
    sentences = [(IDS[0], LETTERS[0]), (IDS[1, :2], LETTERS[1, :2])]
    predictions = predict(model, sentences)
    for prediction, (ids, letters) in zip(predictions, sentences, strict=True):
        logits = model.predict_on_batch([ids[None], letters[None]])["logits"][0]
        expected = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(prediction.probabilities, expected, atol=1e-6)
        assert prediction.weights.shape == ids.shape
        assert prediction.weights.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.slow
def test_a_fresh_process_loads_and_agrees(tmp_path):
    model = build(num_blocks=1)
    save_model(model, tmp_path / "model.keras")
    code = (
        "import sys, json, numpy as np\n"
        "from kerasseq.files.keras_models import load_model\n"
        "model = load_model(sys.argv[1])\n"
        "inputs = [np.array(each) for each in json.loads(sys.argv[2])]\n"
        "print(json.dumps(model(inputs)['logits'].numpy().tolist()))"
    )
    command = [sys.executable, "-c", code, tmp_path / "model.keras"]
    done = subprocess.run(
        [*command, json.dumps([each.tolist() for each in INPUTS])],
        capture_output=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(found, model(INPUTS)["logits"], atol=1e-6)


def test_an_impossible_rate_is_refused():
    with pytest.raises(ValueError, match="rate=1 is not"):
        WordDropout(1)


def test_labels_are_loaded_from_their_file(tmp_path):
    labels = ("好", "b\tc", "<b>")
    path = write_labels(labels, tmp_path / "labels.json")
    assert read_labels(path) == labels


@pytest.mark.parametrize("text", ["", "{}", '{"labels": ["a"]}', '{"labels": [1, 2]}'])
def test_a_file_without_labels_is_refused(text, tmp_path):
    path = tmp_path / "labels.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="is not a list of names"):
        read_labels(path)
    with pytest.raises(ValueError, match="is not a list of names"):
        read_labels(tmp_path / "missing.json")
