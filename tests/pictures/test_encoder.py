"""What an encoder learned, on a page and in pictures, whatever its words are."""

import re

import keras
import numpy as np
import pytest

from kerasseq.data.made_up_sentences import make_up_sentences
from kerasseq.models.encoder import EncoderConfig, build_encoder
from kerasseq.pictures.contexts import Reading
from kerasseq.pictures.encoder import Head, describe_heads, write_demo
from kerasseq.pictures.vectors import principal_components
from kerasseq.scores.context import Role
from kerasseq.text.words import MASK, WordVocabulary

SENTENCES = ("A |pipe| and *stars*", "long words here and more of them", "<b> $x_1$")
VOCABULARY = WordVocabulary.from_sentences(SENTENCES[:2])
HEATMAPS = {
    f"heatmap_{sentence}_block_{block}.png" for sentence in (1, 2) for block in (1, 2)
}


def build(vocabulary):
    keras.utils.set_random_seed(2)
    return build_encoder(EncoderConfig(len(vocabulary), 6, 3, 2, 5, max_length=20))


def test_a_head_is_named_by_what_strikes_most():
    roles = {
        "the word before": Role(np.array([[0.9, 0.2, 0.1]]), 0.1, 9),
        "the words that tell the sense": Role(np.array([[0.92, 0.8, 0.4]]), 0.4, 7),
    }
    assert describe_heads(roles) == [
        [
            Head("the word before", True, 0.9, 0.1),
            Head("the words that tell the sense", True, 0.8, 0.4),
            Head("the word before", False, 0.1, 0.1),
        ]
    ]


def test_hidden_words_are_hidden_one_by_one():
    encoder = build(VOCABULARY)
    reading = Reading(encoder, VOCABULARY, SENTENCES)
    tables = reading.weights_of_hidden_words()
    assert len(tables) == 3
    for words, token_ids, weights in zip(
        reading.words, reading.token_ids, tables, strict=True
    ):
        assert weights.shape == (2, 3, len(words), len(words))
        hidden = token_ids.copy()
        hidden[2] = MASK
        outputs = encoder.predict_on_batch(hidden[None])
        for block in range(2):
            expected = outputs[f"attention_{block}"][0, :, 2, : len(words)]
            np.testing.assert_allclose(weights[block, :, 2], expected, atol=1e-6)


def test_two_dimensions_keep_the_distances_of_what_is_flat():
    rng = np.random.default_rng(1)
    flat = rng.normal(size=(11, 2)) * (5, 2)
    turned = flat @ np.linalg.qr(rng.normal(size=(7, 7)))[0][:2] + 3
    found = principal_components(turned)
    expected = np.linalg.norm(flat[:, None] - flat, axis=-1)
    np.testing.assert_allclose(
        np.linalg.norm(found[:, None] - found, axis=-1), expected, atol=1e-9
    )
    assert principal_components(np.ones((1, 7))).shape == (1, 2)


@pytest.mark.slow
def test_a_page_of_any_sentences(tmp_path, capsys):
    figures = write_demo(tmp_path, build(VOCABULARY), VOCABULARY, SENTENCES)
    page = (tmp_path / "embeddings.md").read_text()
    drawn = {path.name for path in tmp_path.glob("*.png")}
    assert drawn == HEATMAPS | {"words.png"}
    assert set(re.findall(r"\]\((.*?)\)", page)) == drawn
    assert len(figures) == 6
    assert r"### A \|pipe\| and \*stars\*" in page
    assert len(re.findall(r"^\| [12] \| [123] \| ", page, re.M)) == 6
    assert capsys.readouterr().out.count("  block ") == 6


@pytest.mark.slow
def test_a_page_of_made_up_sentences_has_their_senses(tmp_path):
    made_up = make_up_sentences(192)
    sentences = [*map(str, made_up)]
    vocabulary = WordVocabulary.from_sentences(sentences)
    figures = write_demo(tmp_path, build(vocabulary), vocabulary, sentences, made_up)
    page = (tmp_path / "embeddings.md").read_text()
    drawn = {path.name for path in tmp_path.glob("*.png")}
    assert drawn == HEATMAPS | {"words.png", "senses.png"}
    assert set(re.findall(r"\]\((.*?)\)", page)) == drawn
    assert len(figures) == 4 + 6
    assert len(re.findall(r"^\| \w+ \(\w+\) \| ", page, re.M)) == 24
