"""How much typing a keyboard saves that suggests words.

A word costs its letters and a space. With three suggestions in sight it costs the
letters until it is one of them, none where it is so before the first, and one tap,
which writes the space too. Only words are counted that hold a letter; those that the
model does not know are typed whole. Signs and numbers are read, and not counted.
(Keystroke savings as in Trnka and McCoy 2008, "Evaluating word prediction: framing
keystroke savings", equation 1.)

Shapes: N places, V vocabulary.
"""

import functools
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from kerasseq.text.keyboard import (
    SENTENCE_ENDS,
    TypedText,
    TypedVocabulary,
    has_letter,
)
from kerasseq.text.words import lower_case

# From the ids of a text (N,) to scores (n, V) of the token after each, part by part.
Predictor: TypeAlias = Callable[[np.ndarray], Iterable[np.ndarray]]

SUGGESTIONS = 3


class Typing(NamedTuple):
    """What was typed at every counted word of a text.

    Attributes:
        lengths: int (N,), letters of each word.
        letters: int (N,), of these typed before the word was among the suggestions;
            `lengths` where it never was.
        ranks: int (N,), place among the suggestions before a letter is typed, 1 the
            first; 0 for a word that is not known.
    """

    lengths: np.ndarray
    letters: np.ndarray
    ranks: np.ndarray

    def hit_rate(self, most: int) -> float:
        """Fraction of the words that are among the first `most` before any letter."""
        return float(((self.ranks > 0) & (self.ranks <= most)).mean())

    def saved(self) -> float:
        """Fraction of the keystrokes that is saved."""
        return 1 - float((self.letters + 1).sum() / (self.lengths + 1).sum())

    def figures(self) -> dict[str, float]:
        """Hit rates and what is saved, by name."""
        return {
            "hit rate at 1": self.hit_rate(1),
            "hit rate at 3": self.hit_rate(SUGGESTIONS),
            "keystrokes saved": self.saved(),
        }


class Ranks:
    """Places of words among those that begin as they do.

    Args:
        words: of the vocabulary, V.
        first: the id from which words are suggested.
    """

    def __init__(self, words: Sequence[str], first: int) -> None:
        self._words, self._first = words, first
        offered = range(first, len(words))
        self._order = np.array(sorted(offered, key=lambda index: words[index]))
        self._sorted = [words[index] for index in self._order]

    @functools.cache  # noqa: B019
    def _bounds(self, word: str) -> np.ndarray:
        """For each count of letters, which sorted words begin with them: (L + 1, 2)."""
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

    def __call__(self, scores: np.ndarray, target: int) -> np.ndarray:
        """The place of a word after so many of its letters.

        Args:
            scores: float (V,), of all words.
            target: the word's id, at least `first`.

        Returns:
            int (L + 1,), 1 the best; at a tie the lower id is.
        """
        better = scores > scores[target]
        better[:target] |= scores[:target] == scores[target]
        sums = np.concatenate([[0], np.cumsum(better[self._order])])
        begin, end = self._bounds(self._words[target]).T
        return sums[end] - sums[begin] + 1


def measure_keystrokes(
    predict: Predictor, text: TypedText, vocabulary: TypedVocabulary
) -> Typing:
    """Type a text with suggestions.

    Args:
        predict: gives the scores; of these only their order matters.
        text: held out.
        vocabulary: what the scores are of.

    Returns:
        What was typed at each word with a letter, in the order of the text.
    """
    ids = vocabulary.encode_typed(text)
    forms = [lower_case(form) for form in text.forms]
    counted = np.array([has_letter(form) for form in forms], bool)[text.ids]
    ranks_of = Ranks(vocabulary.lower_cased.words, vocabulary.first)
    lengths, letters, ranks = [], [], []
    rows = (
        row for part in predict(np.append(vocabulary.start, ids[:-1])) for row in part
    )
    for place, row in enumerate(rows):
        if not counted[place]:
            continue
        length = len(forms[text.ids[place]])
        rank, needed = 0, length
        # What the vocabulary does not suggest, as a word of the text, is typed whole.
        if ids[place] >= vocabulary.first:
            places = ranks_of(row, int(ids[place]))
            rank = int(places[0])
            needed = next(
                (n for n in range(length) if places[n] <= SUGGESTIONS), length
            )
        lengths.append(length)
        letters.append(needed)
        ranks.append(rank)
    return Typing(*(np.array(each, np.int64) for each in (lengths, letters, ranks)))


def typical_passage(
    text: TypedText, typings: Mapping[str, Typing], most: int = 30
) -> dict[str, list[tuple[str, int | None]]]:
    """A passage of which as much is saved as of the whole text, by the first keyboard.

    Args:
        text: what was typed.
        typings: as `measure_keystrokes` gave them, by the keyboard's name.
        most: words and signs at most.

    Returns:
        For each keyboard the words as they are written, each with the number of its
        letters that were typed, and what was not counted with None. The passage begins
        after a sentence's end, where there is one.
    """
    forms = [text.forms[index] for index in text.ids]
    counted = np.array([has_letter(form) for form in forms], bool)
    typing = next(iter(typings.values()))
    keys, whole = np.zeros((2, len(forms) + 1))
    keys[1:][counted], whole[1:][counted] = typing.letters + 1, typing.lengths + 1
    keys, whole = np.cumsum(keys), np.cumsum(whole)
    ends = [place + 1 for place, form in enumerate(forms) if form in SENTENCE_ENDS]
    starts = [place for place in ends if place + most <= len(forms)] or [0]
    stops = [min(place + most, len(forms)) for place in starts]
    saved = 1 - (keys[stops] - keys[starts]) / np.maximum(
        whole[stops] - whole[starts], 1
    )
    start = starts[int(np.abs(saved - typing.saved()).argmin())]
    passages = {}
    for name, typing in typings.items():
        typed: list[int | None] = [None] * len(forms)
        for place, letters in zip(np.flatnonzero(counted), typing.letters, strict=True):
            typed[place] = int(letters)
        pairs = list(zip(forms, typed, strict=True))
        passages[name] = pairs[start : start + most]
    return passages
