"""Words as a keyboard has them: signs apart, small letters read, capitals written.

Signs are parted from the words beside them, and then words are those of `words`: the
same in Python, in a graph and on a device (export/README.md).
"""

import collections
import functools
import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kerasseq.text.held_out import split_text
from kerasseq.text.words import SPECIALS, WordList, WordVocabulary, lower_case

# Apostrophe, hyphen and underscore are not among them: they are parts of words.
PUNCTUATION = '!"#$%&()*+,./:;<=>?@[\\]^`{|}~…‘“”„«»–—¡¿'  # noqa: RUF001


APOSTROPHE = "’"  # noqa: RUF001


SENTENCE_ENDS = (".", "!", "?", "…")


# After these, as at the start of a line, a capital says nothing of the word.
BEFORE_CAPITALS = {*SENTENCE_ENDS, *':"“„«([*-'}


# What is longer is a hash or a line of dashes.
LONGEST_WORD = 40


_MARK = re.compile(f"([{re.escape(PUNCTUATION)}])")


_WORD = re.compile("[^ \t\n\v\f\r]+")


_WORD_OR_LINE = re.compile(f"\n|{_WORD.pattern}")


def part_signs(text: str) -> str:
    r"""The text with a space on both sides of each of `PUNCTUATION`.

    A typographic apostrophe, U+2019, becomes the one on the keyboard.

    Example:
        >>> part_signs("Don\u2019t stop, please").split()
        ["Don't", 'stop', ',', 'please']
    """
    return _MARK.sub(r" \1 ", text.replace(APOSTROPHE, "'"))


class Caret(NamedTuple):
    """A text that is being written, at its end.

    Attributes:
        words: whole ones before the caret, in lower case.
        unfinished: the beginning of a word, as it is written; empty after a space or
            a sign.
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
        # With a letter behind it, the text ends in an unfinished word in any case.
        *words, last = _WORD.findall(part_signs(text) + "x")
        return cls([lower_case(word) for word in words], last[:-1])

    def writes(self, word: str) -> str:
        """A suggested word with the capitals that suit the place.

        At the start of a sentence, and where the unfinished word begins so, its first
        letter is one; where the unfinished word is two capitals or more, all are.
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
        forms: the distinct words as they are written, capitals and all.
        ids: int32 (N,), the words' places among `forms`, in the order of the text.
        free: bool (N,), whether a word may have a capital for its place alone.
    """

    forms: tuple[str, ...]
    ids: np.ndarray
    free: np.ndarray

    @classmethod
    def from_text(cls, text: str) -> "TypedText":
        """The words of a text; where lines end matters to capitals alone."""
        numbers: dict[str, int] = {}
        ids, free = [], []
        begins = True
        for match in _WORD_OR_LINE.finditer(part_signs(text)):
            form = match[0]
            if form != "\n":
                ids.append(numbers.setdefault(form, len(numbers)))
                free.append(begins)
            begins = form == "\n" or form in BEFORE_CAPITALS
        return cls(tuple(numbers), np.array(ids, np.int32), np.array(free, bool))

    def split(self) -> tuple["TypedText", "TypedText"]:
        """The words to train on and the held-out ones: the last tenth of the text."""
        parts = zip(split_text(self.ids), split_text(self.free), strict=True)
        train, held_out = (TypedText(self.forms, *part) for part in parts)
        return train, held_out


@dataclass(frozen=True)
class TypedVocabulary(WordList):
    """The words that a keyboard knows, as it writes them; the id is the position.

    First come `<PAD>`, `<UNK>` and `<MASK>`, then what is read and not suggested, since
    no letter is in it, then what is suggested; of both the most frequent first. Words
    are looked up in lower case and no two differ by capitals alone.

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
        # What is no vocabulary of words is refused there.
        if len(self.lower_cased) == self.first:
            raise ValueError(
                f"none of {len(self)} words has a letter; a vocabulary lists "
                f"{', '.join(SPECIALS)}, signs, and then the words to suggest"
            )

    @classmethod
    def from_text(
        cls, text: TypedText, most: int = 10_000, least_count: int = 2
    ) -> "TypedVocabulary":
        """The most frequent words of a text, in their most usual form.

        That is the one most frequent where a capital is not due to the place.

        Args:
            text: to train on.
            most: how many words to take at most.
            least_count: how often a word has to be in the text: a model learns little
                of what it saw once.

        Raises:
            ValueError: no word with a letter is so frequent.
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
        # Sorting keeps the order of what it does not tell apart.
        words = sorted(words[:most], key=has_letter)
        if not words or not has_letter(words[-1]):
            raise ValueError(
                f"no word of the text is in it {least_count} times; give a longer text"
            )
        return cls(SPECIALS + tuple(usual[word][2] for word in words))

    @functools.cached_property
    def lower_cased(self) -> WordVocabulary:
        """The words as they are looked up."""
        words = map(lower_case, self.words[len(SPECIALS) :])
        return WordVocabulary(self.words[: len(SPECIALS)] + tuple(words))

    @functools.cached_property
    def first(self) -> int:
        """The id of the first word that is suggested."""
        ids = range(len(SPECIALS), len(self))
        return next((id for id in ids if has_letter(self.words[id])), len(self))

    @property
    def start(self) -> int:
        """The id that stands before a text: that of a full stop."""
        return int(self.encode(".")[0])

    def encode(self, text: str) -> np.ndarray:
        """Ids of the words of a text, int32 (T,), `UNKNOWN` for others."""
        return self.lower_cased.encode(part_signs(text))

    def encode_typed(self, text: TypedText) -> np.ndarray:
        """Ids of the words of a text, int32 (N,), `UNKNOWN` for others."""
        # A form is one word, and each is looked up once.
        table = [self.lower_cased.encode(form)[0] for form in text.forms]
        return np.array(table, np.int32)[text.ids]


def has_letter(word: str) -> bool:
    """Whether a word is one to suggest: signs and numbers are sooner typed."""
    return any(character.isalpha() for character in word)
