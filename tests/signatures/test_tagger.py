"""The exported tagger on a device, in both of its runtimes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.tagged_batches import encode_tokens
from kerasseq.files.runtimes import open_signatures
from kerasseq.files.tflite import convert
from kerasseq.models.tagger import TaggerConfig, build_tagger
from kerasseq.on_device.operators import list_operators
from kerasseq.on_device.words import divide
from kerasseq.signatures.tagger import (
    TaggerOnIds,
    TaggerOnText,
    tag_sentences,
)
from kerasseq.text.tags import may_follow
from kerasseq.text.words import WordVocabulary

SENTENCES = ["Ada sang in\tRome", "the ΟΔΟΣ  of İt", "x", "a b c d e f g Ada ada"]
VOCABULARY = WordVocabulary.from_sentences(["ada sang in the οδοσ a b"])
CONFIG = TaggerConfig(
    len(VOCABULARY), ("x", "y"), num_letters=6, word_size=5, letter_size=4,
    num_filters=7, units=3,
)  # fmt: skip
LENGTH = 11


@pytest.fixture(scope="module")
def tagging() -> TaggerOnIds:
    keras.utils.set_random_seed(5)
    model = build_tagger(CONFIG)
    # Untrained logits are all alike; these weights make tokens differ.
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0, 2, variable.shape))
    model.get_layer("logits").bias.assign(np.zeros(5))
    return TaggerOnIds(model, CONFIG.tags)


@pytest.fixture(scope="module")
def module(tagging) -> TaggerOnText:
    return TaggerOnText(tagging, VOCABULARY)


@pytest.fixture(scope="module")
def flatbuffer(tagging) -> bytes:
    return convert(tagging, tagging.device_signatures(LENGTH))


def expected_tags(tagging: TaggerOnIds) -> list[list[str]]:
    tokens = [sentence.split() for sentence in SENTENCES]
    return tag_sentences(tagging, tokens, VOCABULARY)


def test_tags_differ_between_tokens_and_are_always_allowed(tagging):
    found = expected_tags(tagging)
    assert [len(row) for row in found] == [4, 4, 1, 9]
    assert len({tag for row in found for tag in row}) >= 3
    assert all(all(map(may_follow, ["O", *row], row)) for row in found)


def test_a_batch_of_sentences_is_tagged_as_each_alone(tagging):
    tokens = [sentence.split() for sentence in SENTENCES] * 40
    assert tag_sentences(tagging, tokens, VOCABULARY) == expected_tags(tagging) * 40


@pytest.mark.parametrize("runtime", ["interpreter", "compiled_model"])
def test_a_device_gets_the_tags_of_keras(tagging, flatbuffer, runtime):
    run = open_signatures(flatbuffer, runtime)["tag"]
    for _ in range(2):  # a second call meets what the first one left
        for sentence, expected in zip(SENTENCES, expected_tags(tagging), strict=True):
            tokens = sentence.split()
            word_ids, letters = encode_tokens([tokens], VOCABULARY, 6, LENGTH)
            found = run(word_ids=word_ids, letters=letters.astype(np.int32))["tags"][0]
            assert [CONFIG.tags[index] for index in found[: len(tokens)]] == expected
            assert not found[len(tokens) :].any()


def test_only_built_in_operations(flatbuffer):
    operators = list_operators(flatbuffer)
    assert operators
    assert not [name for name in operators if "CUSTOM" in name or "Flex" in name]


@pytest.mark.parametrize("sentences", [[""], ["", " \t"]])
def test_nothing_to_tag(tagging, module, sentences):
    found = module.tag(tf.constant(sentences, tf.string))
    assert found["tags"].shape == found["tokens"].shape == (len(sentences), 0)
    assert tag_sentences(tagging, [], VOCABULARY) == []


@given(
    st.lists(
        st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")),
        min_size=1,
        max_size=4,
    )
)
def test_any_text_is_split_and_tagged_as_in_python(tagging, module, texts):
    found = module.tag(tf.constant([text.encode() for text in texts], tf.string))
    present = found["token_mask"].numpy()
    tokens, tags = (
        [
            [text.decode() for text in row[mask]]
            for row, mask in zip(found[name].numpy(), present, strict=True)
        ]
        for name in ("tokens", "tags")
    )
    assert tokens == [[word.text for word in divide(text)] for text in texts]
    known = [row for row in tokens if row]
    assert [row for row in tags if row] == tag_sentences(tagging, known, VOCABULARY)


def test_what_does_not_fit_is_refused(tagging):
    other = WordVocabulary.from_sentences(["one two"])
    with pytest.raises(ValueError, match="vocabulary has 5 words but the model "):
        TaggerOnText(tagging, other)
    with pytest.raises(ValueError, match="3 tags do not fit the model's 5 logits"):
        TaggerOnIds(tagging._model, ("O", "B-x", "I-x"))
