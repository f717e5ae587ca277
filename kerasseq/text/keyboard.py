"""The words of a keyboard, which reads them in lower case and writes capitals."""

import collections
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kerasseq.on_device.words import SENTENCE_ENDS, divide, iterate_words
from kerasseq.text.held_out import split_text
from kerasseq.text.words import (
    SPECIALS,
    UNKNOWN,
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


class Caret(NamedTuple):
    """The end of a text that is being written.

    Attributes:
        words: the complete words before the caret, in lower case.
        unfinished: the typed beginning of a word; empty after a space or punctuation.
    """

    words: list[str]
    unfinished: str

    @classmethod
    def after(cls, text: str) -> "Caret":
        """Where a text ends.

        Example:
            >>> Caret.after("Well, I ne")
            Caret(words=['well', ',', 'i'], unfinished='ne')
        """
        # With a letter added, the text always ends in an unfinished word.
        *words, last = divide(text + "x")
        return cls([lower_case(word.text) for word in words], last.text[:-1])

    def writes(self, word: str) -> str:
        """A suggested word with the capitals that fit its position.

        The first letter is a capital at the start of a sentence, or if the unfinished
        word begins with one; all are if it consists of at least two capitals.
        """
        changed = [letter != letter.lower() for letter in self.unfinished]
        if len(changed) > 1 and all(changed):
            return word.upper()
        starts = not self.words or self.words[-1] in SENTENCE_ENDS
        if changed[0] if changed else starts:
            return capitalized(word)
        return word


def capitalized(word: str) -> str:
    """The word with its first letter a capital and the others as they are."""
    return word[:1].upper() + word[1:]


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

    Example:
        >>> text = TypedText.from_text("I see Rome, and Rome sees I; a see.")
        >>> vocabulary = TypedVocabulary.from_text(text)
        >>> vocabulary.words
        ('<PAD>', '<UNK>', '<MASK>', 'I', 'Rome', 'see')
        >>> vocabulary.encode("i SEE ROME!").tolist()
        [3, 5, 4, 1]
    """

    LIKE = '".", "the"'

    def __post_init__(self) -> None:
        # `lower_cased` refuses what is not a vocabulary of words.
        if len(self.lower_cased) == self.first:
            raise ValueError(
                f"none of {len(self)} words has a letter; a vocabulary lists "
                f"{', '.join(SPECIALS)}, punctuation, and then the words to suggest"
            )

    @classmethod
    def from_text(
        cls, text: TypedText, most: int = 10_000, least_count: int = 2
    ) -> "TypedVocabulary":
        """The most frequent words of a text, in their usual form.

        The usual form is the most frequent one where the position explains no capital.

        Args:
            text: to train on.
            most: the largest number of words.
            least_count: how often a word must occur; a model learns little about a word
                that it saw once.

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
        words = [
            word
            for word in sorted(totals, key=lambda word: (-totals[word], word))
            if totals[word] >= least_count and len(word) <= LONGEST_WORD
        ]
        # Sorting is stable, so the order by frequency stays within both groups.
        words = sorted(words[:most], key=has_letter)
        if not words or not has_letter(words[-1]):
            raise ValueError(
                f"no word of the text is in it {least_count} times; give a longer text"
            )
        return cls(SPECIALS + tuple(usual[word][2] for word in words))

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
    def start(self) -> int:
        """The id before the first word of a text: that of a full stop."""
        return int(self.encode(".")[0])

    def encode(self, text: str) -> np.ndarray:
        """Ids of the words of a text, int32 (T,); `UNKNOWN` for words not here."""
        return self.lower_cased.encode(text)

    def encode_own(self, words: Sequence[str]) -> tuple[np.ndarray, dict[int, str]]:
        """Ids of a text's words, those with a letter that are not here included.

        The different words of one's own have the ids V, V + 1, ... in the order in
        which they were first typed; after V + M - 1 comes V again.

        Args:
            words: as they were typed.

        Returns:
            The ids, int32 (T,), and by id the words of one's own as they were typed
            last.

        Example:
            >>> vocabulary = TypedVocabulary((*SPECIALS, ".", "a", "the"))
            >>> ids, own = vocabulary.encode_own(["A", "zebra", "the", "Zebra", "7"])
            >>> ids.tolist(), own
            ([4, 6, 5, 6, 1], {6: 'Zebra'})
        """
        ids = self.lower_cased.encode_words(words)
        numbers: dict[str, int] = {}
        own = {}
        for index in np.flatnonzero(ids == UNKNOWN).tolist():
            if has_letter(word := words[index]):
                number = numbers.setdefault(lower_case(word), len(numbers))
                ids[index] = len(self) + number % OWN_WORDS
                own[int(ids[index])] = word
        return ids, own

    def encode_typed(self, text: TypedText) -> np.ndarray:
        """As `encode`, int32 (N,), looking each form up once."""
        return self.lower_cased.encode_words(text.forms)[text.ids]


def has_letter(word: str) -> bool:
    """Whether to suggest a word: punctuation and numbers are typed faster."""
    return any(character.isalpha() for character in word)
