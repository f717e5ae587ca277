"""The encoder's page: each word with its vector, whatever characters it has."""

import re

import keras
import numpy as np
import pytest

from kerasseq.models.encoder import EncoderConfig, build_encoder
from kerasseq.pictures.encoder import write_demo
from kerasseq.text.words import WordVocabulary

SENTENCES = ("A |pipe| and *stars*", "long words here and more of them", "<b> $x_1$")
VOCABULARY = WordVocabulary.from_sentences(SENTENCES[:2])


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    keras.utils.set_random_seed(2)
    encoder = build_encoder(EncoderConfig(len(VOCABULARY), 6, 3, 2, 5, max_length=6))
    folder = tmp_path_factory.mktemp("encoder")
    return encoder, folder, write_demo(folder, encoder, VOCABULARY, SENTENCES)


@pytest.mark.slow
def test_each_word_has_its_own_vector(shown):
    encoder, _, page = shown
    rows = [
        re.split(r"(?<!\\) \| ", line.strip("| "))
        for line in page.read_text().splitlines()
        if line.startswith("| ") and "token" not in line and "---" not in line
    ]
    words = [row[0].replace("\\", "") for row in rows]
    ids = [VOCABULARY.encode(sentence)[:6] for sentence in SENTENCES]
    assert words == [VOCABULARY.words[index] for row in ids for index in row]
    expected = [encoder.predict_on_batch(row[None])["embeddings"][0] for row in ids]
    found = [[float(number) for number in row[1].split(", ")] for row in rows]
    np.testing.assert_allclose(found, np.concatenate(expected), atol=0.006)


@pytest.mark.slow
def test_two_sentences_are_drawn_with_a_picture_for_each_block(shown):
    _, folder, page = shown
    drawn = {path.name for path in folder.glob("*.png")}
    assert drawn == {
        f"heatmap_{sentence}_block_{block}.png"
        for sentence in (1, 2)
        for block in (1, 2)
    }
    assert set(re.findall(r"\]\((.*?)\)", page.read_text())) == drawn


@pytest.mark.slow
def test_the_first_sentences_are_printed(shown, capsys, tmp_path):
    encoder, _, _ = shown
    write_demo(tmp_path, encoder, VOCABULARY, SENTENCES)
    page = capsys.readouterr().out
    assert "tokens: a | | | pipe | | | and | *" in page
    assert page.count("(6 elements)") == 6 + 6
