"""From a sentence to the ids that a model of words reads."""

import re
from collections.abc import Sequence

import numpy as np

UNKNOWN = 1


def split_words(sentence: str) -> list[str]:
    """Words in lower case, character by character, split at ASCII whitespace only."""
    lowered = "".join(character.lower() for character in sentence)
    return re.findall("[^ \t\n\v\f\r]+", lowered)


def encode_words(
    sentence: Sequence[str], words: Sequence[str], length: int
) -> np.ndarray:
    """The input of a signature for one sentence.

    Args:
        sentence: from `split_words`; words beyond `length` are left out.
        words: the vocabulary; the id of a word is its index, of any other `UNKNOWN`.
        length: T, of the signature.

    Returns:
        int32 (1, T), padded with zeros.
    """
    known = {word: index for index, word in enumerate(words)}
    ids = [known.get(word, UNKNOWN) for word in sentence[:length]]
    token_ids = np.zeros((1, length), np.int32)
    token_ids[0, : len(ids)] = ids
    return token_ids
