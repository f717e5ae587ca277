"""The loss of hidden words: of a model, and of counts."""

import numpy as np
import pytest

from kerasseq.models.encoder import (
    EncoderConfig,
    build_encoder,
    build_masked_word_model,
)
from kerasseq.scores.masked_words import (
    Hidden,
    WordPairs,
    encoder_loss,
    hide_words,
)
from kerasseq.text.words import MASK, SPECIALS

SEQUENCES = [
    np.random.default_rng(seed).choice(11, 5 + seed % 3, p=[0, 0.1, 0, *[0.1125] * 8])
    for seed in range(200)
]


def test_words_are_hidden_once_each_and_unknown_ones_never():
    hidden = hide_words(SEQUENCES, 300, most_a_sentence=2)
    assert len(hidden.positions) == 300
    assert (hidden.words >= len(SPECIALS)).all()
    rows = {
        (tuple(sentence), int(at))
        for sentence, at in zip(hidden.sentences, hidden.positions, strict=True)
    }
    assert len(rows) > 290
    with pytest.raises(ValueError, match="known word"):
        hide_words([np.array([1, 1])], 5)


def test_the_loss_of_an_encoder_is_that_of_words_hidden_one_by_one():
    encoder = build_encoder(EncoderConfig(11, 6, 3, 1, 5, 8))
    model = build_masked_word_model(encoder, 11)
    hidden = hide_words(SEQUENCES[:7], 5)
    kernel, bias = model.get_layer("logits").get_weights()
    losses = []
    for sentence, at, word in zip(*hidden, hidden.words, strict=True):
        with_hole = sentence.copy()
        with_hole[at] = MASK
        [vectors] = np.asarray(encoder(with_hole[None])["embeddings"])
        scores = np.exp(vectors[at] @ kernel + bias)
        losses.append(-np.log(scores[word] / scores.sum()))
    assert encoder_loss(model, hidden) == pytest.approx(np.mean(losses), rel=1e-5)


def test_probabilities_of_pairs_sum_to_one_and_agree():
    pairs = WordPairs(SEQUENCES, 13)
    after = np.stack([pairs.after(word) for word in range(13)])
    np.testing.assert_allclose(after.sum(1), 1)
    for word in range(13):
        np.testing.assert_allclose(pairs.before(word), after[:, word])


def test_both_neighbours_tell_what_one_does_not():
    # 3 x 4 or 5 x 6: the word before is as likely to be followed by either.
    sequences = [np.array([7, word, 8 + word]) for word in (3, 4, 5)] * 30
    pairs = WordPairs(sequences, 14)
    one, both = pairs.losses(Hidden(np.array(sequences), np.ones(90, int)))
    assert one == pytest.approx(np.log(3), abs=0.05)
    assert both < 0.1
