"""The exported classifier in both of LiteRT's runtimes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasseq.files.runtimes import open_signatures
from kerasseq.files.tflite import convert
from kerasseq.layers.naive_bayes import MOST_WORDS
from kerasseq.models.classifier import (
    SURE,
    ClassifierConfig,
    build_classifier,
    predict,
)
from kerasseq.on_device.operators import list_operators
from kerasseq.signatures.classifier import ClassifierOnIds, ClassifierOnText
from kerasseq.text.words import WordVocabulary
from tests.support.weights import with_random_weights

SENTENCES = ["the ΟΔΟΣ runs", "A cat\tand the dog and İt", "nothing known here", "dog"]
VOCABULARY = WordVocabulary.from_sentences(SENTENCES[:2])
LABELS = ("好", "β", "c d")
LENGTH, LETTERS = 11, 5


def spelled(sentence: str) -> tuple[np.ndarray, np.ndarray]:
    return VOCABULARY.encode_spelled(sentence, LETTERS, LENGTH)


def padded(sentence: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
    ids, letters = sentence
    rows = (0, LENGTH - len(ids))
    return [np.pad(ids, rows)[None], np.pad(letters, (rows, (0, 0)))[None].astype("i4")]


@pytest.fixture(
    scope="module",
    params=[0, pytest.param(1, marks=pytest.mark.slow)],
    ids=["words", "block"],
)
def classifier(request) -> keras.Model:
    keras.utils.set_random_seed(5)
    config = ClassifierConfig(
        len(VOCABULARY),
        len(LABELS),
        12,
        request.param,
        3,
        17,
        max_length=LENGTH,
        num_letters=LETTERS,
    )
    model = build_classifier(config)
    model.get_layer("pooling").query.assign(keras.random.normal((1, 12), seed=1))
    for name in ("naive_bayes", "spelling_bayes"):
        with_random_weights(model.get_layer(name), seed=2, scale=1.0)
    return model


@pytest.fixture(scope="module")
def flatbuffer(classifier) -> bytes:
    module = ClassifierOnIds(classifier)
    return convert(module, module.device_signatures(LENGTH))


@pytest.mark.parametrize("runtime", ["interpreter", "compiled_model"])
def test_a_device_gets_what_keras_gives(classifier, flatbuffer, runtime):
    run = open_signatures(flatbuffer, runtime)["classify"]
    for sentence in SENTENCES:
        given = spelled(sentence)
        ids, letters = padded(given)
        [expected] = predict(classifier, [given])
        found = run(token_ids=ids, letters=letters)
        np.testing.assert_allclose(
            found["probabilities"][0], expected.probabilities, atol=1e-5
        )
        weights = found["weights"][0]
        count = len(given[0])
        np.testing.assert_allclose(weights[:count], expected.weights, atol=1e-5)
        assert not weights[count:].any(), "padding has weight"


@pytest.mark.parametrize("runtime", ["interpreter", "compiled_model"])
def test_a_device_accepts_a_sentence_without_words(classifier, flatbuffer, runtime):
    ids, letters = padded(spelled(""))
    run = open_signatures(flatbuffer, runtime)["classify"]
    found = run(token_ids=ids, letters=letters)
    bias = np.exp(classifier.get_layer("logits").bias)
    np.testing.assert_allclose(found["probabilities"][0], bias / bias.sum(), atol=1e-6)
    assert not found["weights"].any()


def test_only_built_in_operations(flatbuffer):
    operators = list_operators(flatbuffer)
    assert operators
    assert not [name for name in operators if "CUSTOM" in name or "Flex" in name]


def test_words_beyond_the_longest_are_left_out_and_no_words_are_accepted(classifier):
    module = ClassifierOnText(ClassifierOnIds(classifier), VOCABULARY, LABELS, LENGTH)
    long, cut, empty = "dog " * 10 + "the cat", "dog " * 10 + "the", " "
    found = module.classify(tf.constant([long, cut, empty]))
    probabilities = found["probabilities"].numpy()
    assert found["tokens"].shape == (3, LENGTH)
    np.testing.assert_array_equal(probabilities[0], probabilities[1])
    alone = module.classify(tf.constant([empty]))["probabilities"].numpy()
    np.testing.assert_allclose(alone[0], probabilities[2], atol=1e-6)
    assert np.isfinite(alone).all()


def test_a_sentence_without_a_known_word_has_a_label_only_if_its_letters_are_sure():
    model = build_classifier(ClassifierConfig(len(VOCABULARY), 3, 4))
    # The n-gram "z": its row's ratios are those of the first class.
    ratios = np.zeros((8192, 3))
    ratios[1 + ord("z")] = [30, 0, 0]
    model.get_layer("spelling_bayes").set_weights([ratios])
    module = ClassifierOnText(ClassifierOnIds(model), VOCABULARY, LABELS, LENGTH)
    texts = ["nothing known", "nothing but dog", "", "zzz"]
    found = module.classify(tf.constant(texts))
    labels = [label.decode() for label in found["labels"].numpy()]
    assert labels[0] == labels[2] == "" and labels[1] in LABELS
    assert labels[3] == LABELS[0] and found["probabilities"][3, 0] > SURE
    model.get_layer("logits").bias.assign([9.0, 0.0, 0.0])
    assert not module.classify(tf.constant([" "]))["labels"].numpy()[0], "no word"


def test_what_does_not_fit_is_refused(classifier):
    module = ClassifierOnIds(classifier)
    other = WordVocabulary.from_sentences(["one two"])
    with pytest.raises(ValueError, match="vocabulary has 5 words but the model "):
        ClassifierOnText(module, other, LABELS, LENGTH)
    with pytest.raises(ValueError, match="there are 2 labels but the model has 3"):
        ClassifierOnText(module, VOCABULARY, LABELS[:2], LENGTH)


def test_pairs_of_the_largest_ids_have_their_own_rows_on_a_device():
    config = ClassifierConfig(MOST_WORDS, 2, 4, num_pairs=10_007, num_letters=1)
    model = build_classifier(config)
    bayes = model.get_layer("naive_bayes")
    words, pairs = bayes.get_weights()
    pairs[1:] = np.random.default_rng(0).normal(0, 5, (10_006, 2))
    bayes.set_weights([words, pairs])
    model.get_layer("logits").kernel.assign(np.zeros((4, 2)))
    module = ClassifierOnIds(model)
    converted = convert(module, module.device_signatures(4))
    ids = [MOST_WORDS - 1, MOST_WORDS - 2, MOST_WORDS - 1, 0]
    edges = zip([2, *ids[:-1]], ids, strict=True)
    rows = [1 + (65_599 * a + b) % 10_006 for a, b in edges]
    scores = 0.3 * pairs[rows].sum(axis=0) / np.sqrt(3)
    expected = np.exp(scores) / np.exp(scores).sum()
    for runtime in ("interpreter", "compiled_model"):
        found = open_signatures(converted, runtime)["classify"](
            token_ids=np.array([ids], np.int32), letters=np.zeros((1, 4, 1), np.int32)
        )
        np.testing.assert_allclose(found["probabilities"][0], expected, atol=1e-5)
