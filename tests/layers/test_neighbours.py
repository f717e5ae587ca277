"""The layers of neighbours, against a linear model on one-hot features by hand."""

import keras
import numpy as np
import pytest

from kerasseq.layers.neighbours import SumOfNeighbours, WordsAround

K, WORDS = 3, 7


def test_scores_go_to_the_tokens_at_their_offsets():
    scores = np.random.default_rng(0).normal(size=(2, 5, 2 * K)).astype(np.float32)
    found = SumOfNeighbours([-1, 2])(scores).numpy()
    for row in range(2):
        for token in range(5):
            expected = np.zeros(K, np.float32)
            if token >= 1:
                expected += scores[row, token - 1, :K]
            if token + 2 < 5:
                expected += scores[row, token + 2, K:]
            np.testing.assert_allclose(found[row, token], expected, rtol=1e-6)


@pytest.mark.parametrize("reach", [1, 2])
def test_words_around_are_a_linear_model_on_one_hot_words(reach):
    layer = WordsAround(WORDS, K, reach)
    sentence = np.array([[3, 6, 9, 2, 5]])
    layer.build(sentence.shape)
    table = np.random.default_rng(1).normal(size=layer.table.shape)
    layer.table.assign(table)
    # Word 9 has no row; the edges are words 0.
    words = [0, 0, 3, 6, 1, 2, 5, 0, 0]
    one_hot = np.eye(WORDS)[words]
    by_place = table.reshape(WORDS, 2 * reach + 1, K)
    expected = [
        np.einsum("pw,wpk->k", one_hot[2 + at - reach : 3 + at + reach], by_place)
        for at in range(5)
    ]
    np.testing.assert_allclose(layer(sentence)[0], expected, atol=1e-5)
    padded = np.pad(sentence, ((0, 0), (0, 4)))
    np.testing.assert_allclose(layer(padded)[0, :5], expected, atol=1e-5)


def test_both_layers_come_back_from_their_configurations():
    for layer in (WordsAround(WORDS, K, 1), SumOfNeighbours([-1, 1])):
        again = keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(layer)
        )
        assert again.get_config() == layer.get_config()
    with pytest.raises(ValueError, match="offsets is empty"):
        SumOfNeighbours([])
    with pytest.raises(ValueError, match="num_words=1 must be at least 2"):
        WordsAround(1, K)
