"""Sentences to check files on when no held-out data is given."""

import numpy as np

from kerasseq.text.subwords import FIRST_BYTE, Subwords
from kerasseq.text.words import SPECIALS, WordVocabulary

# The report's remarks on them.
RANDOM_WORDS = {
    "checked on": "random words of the vocabulary with the Keras model's own answers, "
    "since no held-out data was given"
}
RANDOM_PIECES = {
    "checked on": "random pieces of the vocabulary, since no held-out data was given"
}
OWN_TEXT = {
    "checked on": "text written by the model itself, since no held-out data was given"
}


def random_sentences(
    vocabulary: WordVocabulary, count: int = 50, longest: int = 20
) -> tuple[str, ...]:
    """Sentences of 1 to `longest` random words of a vocabulary, always the same."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, longest + 1, count)
    words = vocabulary.words[len(SPECIALS) :]
    return tuple(" ".join(rng.choice(words, length)) for length in lengths)


def random_pieces(
    vocabulary: Subwords, count: int = 20, longest: int = 20
) -> tuple[str, ...]:
    """Texts of 1 to `longest` random pieces of a vocabulary, always the same."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, longest + 1, count)
    return tuple(
        vocabulary.decode(rng.integers(FIRST_BYTE, len(vocabulary), length))
        for length in lengths
    )
