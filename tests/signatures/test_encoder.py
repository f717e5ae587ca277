"""The exported encoder in both of LiteRT's runtimes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasseq.files.runtimes import open_signatures
from kerasseq.files.tflite import convert
from kerasseq.models.encoder import EncoderConfig, build_encoder
from kerasseq.on_device.operators import list_operators
from kerasseq.recipes.encoder import encode_by_keras
from kerasseq.signatures.encoder import EncoderOnIds, EncoderOnText
from kerasseq.text.words import WordVocabulary

pytestmark = pytest.mark.usefixtures("without_xla")

SENTENCES = ["the ΟΔΟΣ runs", "A cat\tand the dog and İt", "nothing known here", "dog"]
VOCABULARY = WordVocabulary.from_sentences(SENTENCES[:2])
LENGTH = 11


@pytest.fixture(scope="module")
def encoder() -> keras.Model:
    keras.utils.set_random_seed(5)
    config = EncoderConfig(len(VOCABULARY), 12, 3, 2, 17, max_length=13)
    return build_encoder(config)


@pytest.fixture(scope="module")
def flatbuffer(encoder) -> bytes:
    module = EncoderOnIds(encoder)
    return convert(module, module.device_signatures(LENGTH))


@pytest.mark.parametrize("runtime", ["interpreter", "compiled_model"])
def test_a_device_gets_the_vectors_and_weights_of_keras(encoder, flatbuffer, runtime):
    run = open_signatures(flatbuffer, runtime)["encode"]
    for sentence in SENTENCES:
        ids = VOCABULARY.encode(sentence)
        expected = encoder.predict_on_batch(ids[None])
        padded = np.pad(ids, (0, LENGTH - len(ids)))[None]
        found = run(token_ids=padded)
        words = len(ids)
        vectors = expected["embeddings"][0]
        np.testing.assert_allclose(found["embeddings"][0, :words], vectors, atol=1e-5)
        for block in range(2):
            weights = found["weights"][0, block]
            np.testing.assert_allclose(
                weights[:, :words, :words],
                expected[f"attention_{block}"][0],
                atol=1e-5,
            )
            assert not weights[:, :words, words:].any(), "padding is attended to"


@pytest.mark.parametrize("runtime", ["interpreter", "compiled_model"])
@pytest.mark.parametrize("words", [0, 1, LENGTH], ids="{} words".format)
def test_a_device_gets_all_that_keras_gives_of_padded_ids(
    encoder, flatbuffer, runtime, words
):
    ids = np.where(np.arange(LENGTH) < words, 3 + np.arange(LENGTH) % 5, 0)[None]
    found = open_signatures(flatbuffer, runtime)["encode"](token_ids=np.int32(ids))
    embeddings, weights = encode_by_keras(encoder, ids)
    assert np.isfinite(embeddings).all() and np.isfinite(weights).all()
    np.testing.assert_allclose(found["embeddings"], embeddings, atol=1e-5)
    np.testing.assert_allclose(found["weights"], weights, atol=1e-5)
    sums = found["weights"].sum(-1)
    np.testing.assert_allclose(sums, float(words > 0), atol=1e-6)


def test_only_built_in_operations(flatbuffer):
    operators = list_operators(flatbuffer)
    assert operators
    assert not [name for name in operators if "CUSTOM" in name or "Flex" in name]


def test_words_beyond_the_longest_sentence_are_left_out(encoder):
    module = EncoderOnText(EncoderOnIds(encoder), VOCABULARY)
    found = module.encode(tf.constant(["dog " * 20, "cat"]))
    assert found["tokens"].shape == (2, 13)
    assert found["token_mask"].numpy().sum(axis=1).tolist() == [13, 1]


def test_a_vocabulary_that_does_not_fit_is_refused(encoder):
    other = WordVocabulary.from_sentences(["one two"])
    with pytest.raises(ValueError, match="vocabulary has 5 words but the model "):
        EncoderOnText(EncoderOnIds(encoder), other)


@pytest.mark.slow
def test_blocks_keep_their_order_beyond_the_tenth():
    keras.utils.set_random_seed(6)
    deep = build_encoder(EncoderConfig(len(VOCABULARY), 4, 2, 12, 3, max_length=5))
    ids = VOCABULARY.encode("the dog and the cat")[None]
    module = EncoderOnIds(deep)
    exported = module.encode(tf.constant(ids))
    _, weights = encode_by_keras(deep, ids)
    np.testing.assert_allclose(exported["weights"], weights, atol=1e-5)
