"""The words of a keyboard, which reads them in lower case and writes capitals."""

import collections
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from kerasseq.files.reading import names_in, shortened
from kerasseq.on_device.card import RARE_WORDS
from kerasseq.on_device.words import (
    SENTENCE_ENDS,
    has_letter,
    iterate_words,
    number_words,
)
from kerasseq.text.held_out import split_text
from kerasseq.text.words import (
    SPECIALS,
    WordList,
    WordVocabulary,
    lower_case,
)

# After these, as at the start of a line, a capital says nothing about the word.
BEFORE_CAPITALS = {*SENTENCE_ENDS, *":\"'“‘„‚«‹¿¡([*-"}  # noqa: RUF001
# Anything longer is a hash or a line of dashes.
LONGEST_WORD = 40
# M, how many words that the vocabulary lacks a keyboard has ids for.
OWN_WORDS = 500


class TypedText(NamedTuple):
    """A text as the words that were typed.

    Attributes:
        forms: the distinct words as written, with their capitals.
        ids: int32 (N,), for each word of the text its index in `forms`.
        free: bool (N,), whether a capital may be due to the word's position alone.
    """

    forms: tuple[str, ...]
    ids: np.ndarray
    free: np.ndarray

    @classmethod
    def from_text(cls, text: str) -> "TypedText":
        """The words of a text; line ends matter only for capitals."""
        numbers: dict[str, int] = {}
        ids, free = [], []
        last, begins = 0, True
        for form, start, end in iterate_words(text):
            ids.append(numbers.setdefault(form, len(numbers)))
            free.append(begins or "\n" in text[last:start])
            last, begins = end, form in BEFORE_CAPITALS
        return cls(tuple(numbers), np.array(ids, np.int32), np.array(free, bool))

    def first(self, count: int) -> "TypedText":
        """Its first words."""
        return self._replace(ids=self.ids[:count], free=self.free[:count])

    def split(self) -> tuple["TypedText", "TypedText"]:
        """The words to train on and the held-out end; see `split_text`."""
        arrays = zip(split_text(self.ids), split_text(self.free), strict=True)
        train, held_out = (TypedText(self.forms, *pair) for pair in arrays)
        return train, held_out


@dataclass(frozen=True)
class TypedVocabulary(WordList):
    """The words that a keyboard knows, as it writes them; the id is the index.

    First come `<PAD>`, `<UNK>` and `<MASK>`, then punctuation and numbers, which are
    read and not suggested, then the words to suggest, each group with the most frequent
    first. Words are looked up in lower case, and no two differ only by capitals.

    At the end there may be rare words. A model has no vectors of them: it reads them as
    the unknown word, and predicts them together (kerasseq/models/rare_words.py).

    Attributes:
        words: all words.
        num_rare: how many at the end are rare.

    Example:
        >>> from kerasseq.text.keyboard import TypedText
        >>> text = TypedText.from_text("I see Rome, and Rome sees I; a see.")
        >>> vocabulary = TypedVocabulary.from_text(text)
        >>> vocabulary.words
        ('<PAD>', '<UNK>', '<MASK>', 'I', 'Rome', 'see')
        >>> vocabulary.encode("i SEE ROME!").tolist()
        [3, 5, 4, 1]
    """

    num_rare: int = 0
    LIKE = '".", "the"'

    def __post_init__(self) -> None:
        # `lower_cased` refuses what is not a vocabulary of words.
        if len(self.lower_cased) == self.first:
            raise ValueError(
                f"none of {len(self)} words has a letter; a vocabulary lists "
                f"{', '.join(SPECIALS)}, punctuation, and then the words to suggest"
            )
        most = len(self) - self.first - 1
        if type(self.num_rare) is not int or not 0 <= self.num_rare <= most:
            raise ValueError(
                f"{RARE_WORDS} is {shortened(self.num_rare)}, not a whole number from "
                f"0 to {most}, since one word to suggest at least is not rare"
            )

    @classmethod
    def from_text(
        cls,
        text: TypedText,
        most: int = 10_000,
        least_count: int = 2,
        most_rare: int = 0,
    ) -> "TypedVocabulary":
        """The most frequent words of a text, in their usual form.

        The usual form is the most frequent one where the position explains no capital.

        Args:
            text: to train on.
            most: the largest number of words that are not rare.
            least_count: how often these must occur; a model learns little about a word
                that it saw once.
            most_rare: the largest number of rare words: those with a letter that come
                next in frequency.

        Raises:
            ValueError: no word with a letter occurs so often.
        """
        counts = np.bincount(text.ids, minlength=len(text.forms))
        inside = np.bincount(text.ids[~text.free], minlength=len(text.forms))
        totals: collections.Counter[str] = collections.Counter()
        usual: dict[str, tuple[int, int, str]] = {}
        for form, count, fixed in zip(
            text.forms, counts.tolist(), inside.tolist(), strict=True
        ):
            word = lower_case(form)
            totals[word] += count
            usual[word] = max(usual.get(word, (0, 0, "")), (fixed, count, form))
        ordered = [
            word
            for word in sorted(totals, key=lambda word: (-totals[word], word))
            # The forms of a held-out end are here too, with a count of 0.
            if totals[word] and len(word) <= LONGEST_WORD
        ]
        words = [word for word in ordered[:most] if totals[word] >= least_count]
        rare = list(filter(has_letter, ordered[len(words) :]))[:most_rare]
        # Sorting is stable, so the order by frequency stays within both groups.
        words = sorted(words, key=has_letter)
        if not words or not has_letter(words[-1]):
            raise ValueError(
                f"no word of the text is in it {least_count} times; give a longer text"
            )
        forms = (usual[word][2] for word in words + rare)
        return cls((*SPECIALS, *forms), len(rare))

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        return cls(names_in(value, "words"), value.get(RARE_WORDS, 0))

    def to_json(self) -> str:
        """The vocabulary as the text of a `vocabulary.json`."""
        rare = {RARE_WORDS: self.num_rare} if self.num_rare else {}
        return json.dumps({"words": self.words} | rare) + "\n"

    @functools.cached_property
    def lower_cased(self) -> WordVocabulary:
        """The words in lower case, as they are looked up."""
        words = map(lower_case, self.words[len(SPECIALS) :])
        return WordVocabulary(self.words[: len(SPECIALS)] + tuple(words))

    @functools.cached_property
    def first(self) -> int:
        """The id of the first word to suggest."""
        ids = range(len(SPECIALS), len(self))
        return next((id for id in ids if has_letter(self.words[id])), len(self))

    @property
    def num_known(self) -> int:
        """How many words a model has vectors of: all but the rare ones."""
        return len(self) - self.num_rare

    @property
    def start(self) -> int:
        """The id before the first word of a text: that of a full stop."""
        return int(self.encode(".")[0])

    def encode(self, text: str) -> np.ndarray:
        """Ids of the words of a text, int32 (T,); `UNKNOWN` for words not here."""
        return self.lower_cased.encode(text)

    def encode_own(self, words: Sequence[str]) -> tuple[np.ndarray, dict[int, str]]:
        """As `number_words`, with M = 500; the ids are int32 (T,).

        Example:
            >>> from kerasseq.text.words import SPECIALS
            >>> vocabulary = TypedVocabulary((*SPECIALS, ".", "a", "the"))
            >>> ids, own = vocabulary.encode_own(["A", "zebra", "the", "Zebra", "7"])
            >>> ids.tolist(), own
            ([4, 6, 5, 6, 1], {6: 'Zebra'})
        """
        known = self.lower_cased.ids
        ids, own = number_words(words, known, len(self), OWN_WORDS)
        return np.array(ids, np.int32), own

    def encode_typed(self, text: TypedText) -> np.ndarray:
        """As `encode`, int32 (N,), looking each form up once."""
        return self.lower_cased.encode_words(text.forms)[text.ids]
