"""The scores of the translation benchmark, and the model it compares ours with."""

import keras
import numpy as np
import pytest

from benchmarks import translation_keras
from benchmarks.translation import moses_tokens, score
from kerasseq.scores.translation import bleu, chrf

LOWER = "BLEU, lower case, tokens"


def test_scores_are_those_of_the_text_as_it_is():
    translations = ["Ein Mann, der sitzt.", "Zwei Hunde rennen im Schnee ."]
    references = ["Ein Mann sitzt da.", "Zwei Hunde laufen im Schnee."]
    found = score(translations, references, "de")
    assert found["BLEU"] == pytest.approx(bleu(translations, references))
    assert found["chrF"] == pytest.approx(chrf(translations, references))


def test_the_score_of_papers_ignores_case_and_spacing():
    found = score(["EIN MANN , „ DER “ SITZT ."], ['Ein Mann, "der" sitzt.'], "de")
    assert found[LOWER] == pytest.approx(100)
    assert found["BLEU"] < 50


def test_the_score_of_papers_is_not_smoothed():
    # Five of six words, four of five pairs, and so on: their geometric mean.
    found = score(["A b c d e x"], ["a b c d e f"], "en")
    expected = 100 * (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25
    assert found[LOWER] == pytest.approx(expected)
    found = score(["ein Mann sitzt da"], ["ein Mann sitzt dort"], "de")
    assert found[LOWER] == 0 < found["BLEU"]


def test_abbreviations_of_the_language_keep_their_dots():
    assert moses_tokens("Ca. 20 Hunde (usw.).", "de") == "ca. 20 hunde ( usw. ) ."
    assert moses_tokens("Ca. 20 dogs.", "en") == "ca . 20 dogs ."


@pytest.mark.parametrize(
    "text", ["Ein T-Shirt, zwei Hüte (rot); was?", "The dog's ball: red!"]
)
def test_words_and_marks_are_joined_as_they_were(text):
    assert translation_keras.join(translation_keras.separate(text).split()) == text


@pytest.fixture
def small(monkeypatch):
    sizes = {"WORDS": 23, "LENGTH": 7, "SIZE": 5, "UNITS": 11, "HEADS": 3}
    for name, value in sizes.items():
        monkeypatch.setattr(translation_keras, name, value)


def test_the_example_sees_neither_padding_nor_the_future(small):
    model = translation_keras.build_example()
    source, target = (
        np.array([[3, 4, 5, 0, 0, 0, 0]]),
        np.array([[2, 6, 7, 8, 9, 1, 1]]),
    )
    before = model([source, target])[0].numpy()
    for layer in model.layers:  # what a padded id stands for
        if isinstance(layer, keras.layers.Embedding) and layer.input_dim == 23:
            layer.embeddings.assign(layer.embeddings.numpy() + np.eye(23)[:1].T)
    np.testing.assert_allclose(model([source, target])[0], before, atol=1e-5)
    target[0, 4:] = 11
    after = model([source, target])[0].numpy()
    np.testing.assert_allclose(after[:4], before[:4], atol=1e-5)
    assert abs(after[4:] - before[4:]).max() > 0.01
    source[0, 1] = 12
    assert abs(model([source, target])[0].numpy() - after).max() > 0.01


def test_a_translation_of_the_example_ends_and_leaves_unknown_words_out(small):
    class Model:
        def predict_on_batch(self, inputs):
            _, written = inputs
            # After each word the one with the next id.
            return np.eye(23)[(written + 1) % 23]

    words = ["", "[UNK]", "x", "[start]", "a", "b", "[end]", *map(str, range(16))]
    source_ids = np.zeros((2, 7), np.int32)
    found = translation_keras.translate_greedily(Model(), source_ids, words)
    assert found == [["a", "b"]] * 2
    words[4], words[6] = "[UNK]", "c"
    (row, _) = translation_keras.translate_greedily(Model(), source_ids, words)
    assert row == ["b", "c", "0", "1", "2", "3"]
