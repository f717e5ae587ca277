"""How much typing a keyboard saves with suggestions.

Typed in full, a word costs its letters and a space. With three suggestions, it costs
the letters typed until it is among them, and one tap, which also writes the space. Only
words with a letter are counted, not punctuation and numbers; words that the keyboard
does not know are typed in full. (Trnka and McCoy 2008, "Evaluating word prediction:
framing keystroke savings", equation 1.)

Shapes: N words, V vocabulary, M own words, K counts of suggestions.
"""

import functools
import itertools
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np

from kerasseq.text.keyboard import (
    SENTENCE_ENDS,
    TypedText,
    TypedVocabulary,
    has_letter,
)
from kerasseq.text.words import lower_case

# From the ids of a text (N,) to scores of the token after each, in pieces: (n, V), or
# (n, V + M) where words of one's own have scores too.
Predictor: TypeAlias = Callable[[np.ndarray], Iterable[np.ndarray]]

SUGGESTIONS = 3
# K, how many suggestions are measured.
COUNTS = 1, SUGGESTIONS, 5


class Typing(NamedTuple):
    """How each counted word of a text was typed.

    Attributes:
        lengths: int (N,), letters of each word.
        letters: int (N, K), letters typed before the word was among the first 1, 3 and
            5 suggestions; `lengths` if it never was.
        ranks: int (N,), rank of the word before its first letter, 1 the best; 0 for an
            unknown word.
    """

    lengths: np.ndarray
    letters: np.ndarray
    ranks: np.ndarray

    def hit_rate(self, most: int) -> float:
        """Fraction of the words with a rank of at most `most`."""
        return float(((self.ranks > 0) & (self.ranks <= most)).mean())

    def saved(self, most: int = SUGGESTIONS) -> float:
        """Fraction of the keystrokes that 1, 3 or 5 suggestions save."""
        letters = self.letters[:, COUNTS.index(most)]
        return 1 - float((letters + 1).sum() / (self.lengths + 1).sum())

    def figures(self) -> dict[str, float]:
        """Hit rates and saved keystrokes by name."""
        return {
            **{f"hit rate at {most}": self.hit_rate(most) for most in COUNTS},
            "keystrokes saved": self.saved(),
            "keystrokes saved with 1 suggestion": self.saved(1),
            "keystrokes saved with 5 suggestions": self.saved(5),
        }


EMPTY: Mapping[int, str] = MappingProxyType({})


class Ranks:
    """Ranks of words among those with the same beginning.

    Args:
        words: V, the vocabulary, in lower case.
        first: the id of the first word to suggest.
    """

    def __init__(self, words: Sequence[str], first: int) -> None:
        self._words = words
        self._offered = np.arange(first, len(words))
        by_letters = sorted(self._offered.tolist(), key=words.__getitem__)
        self._order = np.array(by_letters)
        self._sorted = [words[index] for index in self._order]

    @functools.cache  # noqa: B019
    def _bounds(self, word: str) -> np.ndarray:
        """Ranges of sorted words with the same first 0, 1, ... letters: (L + 1, 2)."""
        beginnings = [word[:count] for count in range(len(word) + 1)]
        return np.array(
            [
                [
                    bisect_left(self._sorted, beginning),
                    bisect_left(self._sorted, beginning + "\U0010ffff"),
                ]
                for beginning in beginnings
            ]
        )

    def __call__(
        self, scores: np.ndarray, target: int, own: Mapping[int, str] = EMPTY
    ) -> np.ndarray:
        """The rank of a word after 0, 1, ... of its letters.

        Args:
            scores: float (V,) or (V + M,), of all words.
            target: the word's id, at least `first`.
            own: the words with ids from V on that can be suggested.

        Returns:
            int (L + 1,), 1 the best; of equal scores, the lower id is better.
        """
        word = own[target] if target in own else self._words[target]

        def better(ids: np.ndarray) -> np.ndarray:
            others, score = scores[ids], scores[target]
            return (others > score) | ((others == score) & (ids < target))

        ranks = np.ones(len(word) + 1, np.int64)
        ranks[0] += np.count_nonzero(better(self._offered))
        # Few words have the same first letter, and all that fit later are among them.
        begin, end = self._bounds(word)[1:].T
        same_letter = self._order[begin[0] : end[0]]
        sums = np.concatenate([[0], np.cumsum(better(same_letter))])
        ranks[1:] += sums[end - begin[0]] - sums[begin - begin[0]]
        others = np.array(list(own), np.int64)
        for id in others[better(others)].tolist():
            ranks += [own[id].startswith(word[:n]) for n in range(len(ranks))]
        return ranks


def measure_keystrokes(
    predict: Predictor,
    text: TypedText,
    vocabulary: TypedVocabulary,
    *,
    own_words: bool = False,
) -> Typing:
    """Type a text with suggestions.

    Args:
        predict: gives the scores, of which only the order matters.
        text: held out.
        vocabulary: of the scores.
        own_words: whether the ids and scores are also those of words that only the
            text has, see `TypedVocabulary.encode_own`.
    """
    forms = [lower_case(form) for form in text.forms]
    words = [forms[index] for index in text.ids]
    ids = vocabulary.encode_typed(text)
    if own_words:
        ids, _ = vocabulary.encode_own(words)
    counted = np.array([has_letter(form) for form in forms], bool)[text.ids]
    ranks_of = Ranks(vocabulary.lower_cased.words, vocabulary.first)
    lengths, letters, ranks = [], [], []
    own: dict[int, str] = {}
    pieces = predict(np.append(vocabulary.start, ids[:-1]))
    rows = itertools.chain.from_iterable(pieces)
    for row, word, id, counts in zip(
        rows, words, ids.tolist(), counted.tolist(), strict=True
    ):
        if counts:
            length = len(word)
            rank, needed = 0, [length] * len(COUNTS)
            # A word that is never suggested is typed in full.
            if vocabulary.first <= id < len(vocabulary) or own.get(id) == word:
                each = ranks_of(row, id, own)
                rank = int(each[0])
                needed = [
                    next((n for n in range(length) if each[n] <= most), length)
                    for most in COUNTS
                ]
            lengths.append(length)
            letters.append(needed)
            ranks.append(rank)
        if id >= len(vocabulary):
            own[id] = word
    return Typing(*(np.array(each, np.int64) for each in (lengths, letters, ranks)))


def typical_passage(
    text: TypedText, typings: Mapping[str, Typing], most: int = 30
) -> dict[str, list[tuple[str, int | None]]]:
    """A passage in which the first keyboard saves as much as in the whole text.

    Args:
        text: what was typed.
        typings: from `measure_keystrokes`, by the keyboard's name.
        most: the most words, punctuation included.

    Returns:
        For each keyboard the written words, each with the number of typed letters, or
        None if it was not counted. If possible, the passage begins with a sentence.
    """
    forms = [text.forms[index] for index in text.ids]
    counted = np.array([has_letter(form) for form in forms], bool)
    typing = next(iter(typings.values()))
    keys, whole = np.zeros((2, len(forms) + 1))
    column = COUNTS.index(SUGGESTIONS)
    keys[1:][counted] = typing.letters[:, column] + 1
    whole[1:][counted] = typing.lengths + 1
    keys, whole = np.cumsum(keys), np.cumsum(whole)
    ends = [index + 1 for index, form in enumerate(forms) if form in SENTENCE_ENDS]
    starts = [index for index in ends if index + most <= len(forms)] or [0]
    stops = [min(index + most, len(forms)) for index in starts]
    saved = 1 - (keys[stops] - keys[starts]) / np.maximum(
        whole[stops] - whole[starts], 1
    )
    start = starts[int(np.abs(saved - typing.saved()).argmin())]
    passages = {}
    for name, typing in typings.items():
        typed: list[int | None] = [None] * len(forms)
        for index, letters in zip(
            np.flatnonzero(counted), typing.letters[:, column], strict=True
        ):
            typed[index] = int(letters)
        pairs = list(zip(forms, typed, strict=True))
        passages[name] = pairs[start : start + most]
    return passages
