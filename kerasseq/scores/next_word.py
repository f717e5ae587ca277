"""How much typing a next-word model saves, and a trigram beside it."""

from collections.abc import Iterator

import keras
import numpy as np

from kerasseq.models.rare_words import read_rare_words, with_rare_words
from kerasseq.models.stateful import logits_along
from kerasseq.models.word_cache import histories, with_cache
from kerasseq.scores.keystrokes import Predictor, Typing, measure_keystrokes
from kerasseq.scores.kneser_ney import KneserNey
from kerasseq.text.keyboard import TypedText, TypedVocabulary
from kerasseq.text.words import UNKNOWN

# More held-out words are not typed: they would take minutes and show nothing new.
MOST_TYPED = 60_000
# Seconds of a keyboard for each word that is typed, and for each word that it knows.
TYPING, RANKING = 2e-4, 1e-8
KEYBOARDS = "this model", "trigram with the cache", "without the cache", "trigram"


def seconds_of_typing(num_words: int, vocabulary_size: int) -> float:
    """About how long `measure` takes for a text, on one core."""
    each = TYPING + RANKING * vocabulary_size
    return len(KEYBOARDS) * min(num_words, MOST_TYPED) * each


def measure(
    model: keras.Model,
    ids: np.ndarray,
    held_out: TypedText,
    vocabulary: TypedVocabulary,
) -> dict[str, Typing]:
    """Type a text with the model and with a trigram, each with and without the cache.

    Args:
        model: what was trained on `ids`.
        ids: int (N,), what the trigram learns too.
        held_out: what is typed.
        vocabulary: of both.
    """
    trigram = KneserNey(ids, len(vocabulary))

    def cached(predict: Predictor, *, logits: bool) -> Typing:
        def mixed(ids: np.ndarray) -> Iterator[np.ndarray]:
            known = np.where(ids < len(vocabulary), ids, UNKNOWN)
            return with_cache(predict(known), histories(ids), logits=logits)

        return measure_keystrokes(mixed, held_out, vocabulary, own_words=True)

    def network(ids: np.ndarray) -> Iterator[np.ndarray]:
        read = read_rare_words(ids, vocabulary.num_known)
        for piece in logits_along(model, read):
            yield with_rare_words(piece, vocabulary.num_rare)

    typings = (
        cached(network, logits=True),
        cached(trigram, logits=False),
        measure_keystrokes(network, held_out, vocabulary),
        measure_keystrokes(trigram, held_out, vocabulary),
    )
    return dict(zip(KEYBOARDS, typings, strict=True))
