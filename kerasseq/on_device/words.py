"""From a text to its words, and to the ids that a model of words reads."""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

if __package__:
    from .unicode_ranges import ENDS, INVISIBLE, MARKS, SIGNS, SPACES
else:  # copied: beside one another
    from unicode_ranges import ENDS, INVISIBLE, MARKS, SIGNS, SPACES  # type: ignore[no-redef]

import numpy as np

UNKNOWN = 1
# They belong to a word between two letters: apostrophes, hyphens, the underscore, and
# the signs within Catalan and Hebrew words.
JOINERS = "'’-‐‑_·׳״"  # noqa: RUF001
# The typographic apostrophe and hyphens are written as the plain ones.
PLAIN = {"’": "'", "‐": "-", "‑": "-"}  # noqa: RUF001


class Word(NamedTuple):
    """A word of a text, or a sign.

    Attributes:
        text: in its case, without invisible characters, PLAIN applied.
        start: the index of its first character (code point) in the text.
        end: the index after its last.
    """

    text: str
    start: int
    end: int


def divide(text: str) -> list[Word]:
    """The words of a text and its signs, each sign one of its own.

    Example:
        >>> [word.text for word in divide("'I do-' he said, 'don\\u2019t…'")]
        ["'", 'I', 'do', '-', "'", 'he', 'said', ',', "'", "don't", '…', "'"]
    """
    return list(iterate_words(text))


def iterate_words(text: str) -> Iterator[Word]:
    """As `divide`, one word after the other."""
    for match in _pattern().finditer(text):
        yield Word(plain(match[0]), *match.span())


def plain(word: str) -> str:
    """A word as it is written in vocabularies."""
    return word if word.isascii() else word.translate(_WRITTEN)


def split_words(sentence: str) -> list[str]:
    """The words and signs of a sentence in lower case."""
    return [lower_case(word) for word, _, _ in iterate_words(sentence)]


def lower_case(text: str) -> str:
    """The text with each character lower-cased by itself.

    `str.lower` considers the neighbours of a Greek sigma.
    """
    if text.isascii():
        return text.lower()
    return "".join(character.lower() for character in text)


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


def has_letter(word: str) -> bool:
    """Whether to suggest a word: punctuation and numbers are typed faster."""
    return any(map(str.isalpha, word))


def number_words(
    words: Sequence[str], known: Mapping[str, int], size: int, most_own: int
) -> tuple[list[int], dict[int, str]]:
    """Ids of a text's words, those with a letter that are not known included.

    The different words of one's own have the ids V, V + 1, ... in the order in which
    they were first typed; after V + M - 1 comes V again.

    Args:
        words: as they were typed.
        known: the ids of a vocabulary's words in lower case.
        size: V, of the vocabulary.
        most_own: M; if it is 0, words of one's own are `UNKNOWN`, as signs are.

    Returns:
        The ids, and by id the words of one's own as they were typed last.
    """
    ids, numbers, own = [], dict[str, int](), {}
    for word in words:
        lowered = lower_case(word)
        id = known.get(lowered, UNKNOWN)
        if id == UNKNOWN and most_own and has_letter(word):
            id = size + numbers.setdefault(lowered, len(numbers)) % most_own
            own[id] = word
        ids.append(id)
    return ids, own


def spell(words: Sequence[str], num_letters: int) -> np.ndarray:
    """The first L bytes of each word in UTF-8, uint8 (T, L), padded with 0."""
    letters = np.zeros((len(words), num_letters), np.uint8)
    for row, word in zip(letters, words, strict=True):
        spelling = word.encode("utf-8", "replace")[:num_letters]
        row[: len(spelling)] = np.frombuffer(spelling, np.uint8)
    return letters


def parse_ranges(table: str) -> list[tuple[int, int]]:
    """The first and the last code points of a table of `unicode_ranges`."""
    pairs = (pair.split("-") for pair in table.split())
    return [(int(first, 16), int(last, 16)) for first, last in pairs]


def _characters(table: str) -> list[str]:
    pairs = parse_ranges(table)
    return [chr(i) for first, last in pairs for i in range(first, last + 1)]


def _class(*tables: str) -> str:
    """A character class of a regular expression."""
    ranges = [each for table in tables for each in parse_ranges(table)]
    return "[" + "".join(f"\\U{a:08x}-\\U{b:08x}" for a, b in ranges) + "]"


def _others(*tables: str) -> str:
    """The table of all other code points; a negated class takes twice as long."""
    ranges = sorted(each for table in tables for each in parse_ranges(table))
    starts = [0, *(last + 1 for _, last in ranges)]
    ends = [*(first - 1 for first, _ in ranges), 0x10FFFF]
    pairs = zip(starts, ends, strict=True)
    return " ".join(f"{start:x}-{end:x}" for start, end in pairs if start <= end)


@functools.cache
def _pattern() -> re.Pattern[str]:
    """A word or a sign, each with the marks that follow it."""
    letter = _class(_others(SPACES, SIGNS, MARKS, INVISIBLE))
    letters = letter + _class(_others(SPACES, SIGNS)) + "*"
    marks = _class(MARKS, INVISIBLE) + "*"
    joiner, sign = f"[{re.escape(JOINERS)}]{marks}", _class(SIGNS) + marks
    # Emoji are joined to one by U+200D.
    return re.compile(f"{letters}(?:{joiner}{letters})*|{sign}(?:(?<=\u200d){sign})*")


_WRITTEN = str.maketrans(PLAIN | dict.fromkeys(_characters(INVISIBLE), ""))
# After these a sentence starts.
SENTENCE_ENDS = frozenset(_characters(ENDS))
