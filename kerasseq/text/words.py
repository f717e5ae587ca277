"""Words: sentences, and their ids in a vocabulary."""

import collections
import functools
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from kerasseq.files.reading import names_in, read_json, shortened
from kerasseq.files.writing import write_file
from kerasseq.on_device.words import iterate_words, lower_case, spell, split_words
from kerasseq.text.reading import read_text

# In upper case, so that no sentence contains them: its words are lower-cased.
SPECIALS = ("<PAD>", "<UNK>", "<MASK>")
PAD, UNKNOWN, MASK = range(len(SPECIALS))
# A name in a vocabulary: also a token of a tagger's file, which may hold signs.
_NAME = re.compile("[^ \t\n\v\f\r]+")
# Thai, Lao, Burmese, Khmer, Japanese and Chinese.
_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
)
# Characters. What is longer is not a word, and would fill the vocabulary of a file.
LONGEST_WORD = 60


def read_sentences(path: str | os.PathLike, encoding: str = "utf-8") -> tuple[str, ...]:
    """Read a text file with a sentence on each line; blank lines are skipped.

    Raises:
        ValueError: the file cannot be read as text, or no line holds a word.
    """
    lines = re.split("[\r\n]+", read_text(path, encoding))
    sentences = tuple(line for line in lines if split_words(line))
    if not sentences:
        raise ValueError(f"{path} holds no words; give a file of one sentence a line")
    return sentences


def about_spaces(text: str) -> str:
    """What to say of a text whose writing has no spaces; "" for others."""
    beginning = text[:100_000]
    letters = sum(map(str.isalpha, beginning))
    if 2 * len(_WITHOUT_SPACES.findall(beginning)) <= letters:
        return ""
    return (
        "words are divided at spaces and signs, and its writing has no spaces between "
        "words; put them there, for example with a program that finds words"
    )


@dataclass(frozen=True)
class WordList:
    """A list of words in a `vocabulary.json`; the id of each is its index.

    Attributes:
        words: all words.
        LIKE: how such a file continues after the special words, for error messages.
    """

    words: tuple[str, ...]
    LIKE: ClassVar[str]

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read a `vocabulary.json`.

        Raises:
            ValueError: the file is missing or not a vocabulary of words.
        """
        try:
            return cls._from_json(read_json(path))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{path} is not a vocabulary of words ({error}); it should read "
                f'{{"words": ["<PAD>", "<UNK>", "<MASK>", {cls.LIKE}, ...]}}'
            ) from None

    @classmethod
    def _from_json(cls, value: Any) -> Self:
        return cls(names_in(value, "words"))

    def to_json(self) -> str:
        """The vocabulary as the text of a `vocabulary.json`."""
        return json.dumps({"words": self.words}) + "\n"

    def save(self, path: str | os.PathLike) -> Path:
        """Write a `vocabulary.json`, whole or not at all."""
        return write_file(path, self.to_json())

    def require_size(self, num_words: int) -> None:
        """Raise ValueError if a model has weights for another number of words."""
        if len(self) != num_words:
            raise ValueError(
                f"the vocabulary has {len(self)} words but the model {num_words}; use "
                "the vocabulary.json in the model's folder"
            )

    def __len__(self) -> int:
        return len(self.words)


@dataclass(frozen=True)
class WordVocabulary(WordList):
    """The words that a model knows; the id of each is its index.

    Padding, the unknown word and the mask come first, as `SPECIALS`. They are in upper
    case and words are not, so no sentence contains them: "<MASK>" in a sentence is the
    ordinary word "<mask>". To have a word predicted, replace its id by `MASK`.

    Example:
        >>> vocabulary = WordVocabulary.from_sentences(["a cat", "A dog"])
        >>> vocabulary.words
        ('<PAD>', '<UNK>', '<MASK>', 'a', 'cat', 'dog')
        >>> vocabulary.decode(vocabulary.encode("a blue dog"))
        'a <UNK> dog'
    """

    LIKE = '"the"'

    def __post_init__(self) -> None:
        if self.words[: len(SPECIALS)] != SPECIALS or len(self) == len(SPECIALS):
            raise ValueError(
                f"the words begin with {shortened(self.words[:4])}; a vocabulary lists "
                f"{', '.join(SPECIALS)} and then at least one word"
            )
        for word in self.words[len(SPECIALS) :]:
            if (
                not isinstance(word, str)
                or not _NAME.fullmatch(word)
                or lower_case(word) != word
            ):
                raise ValueError(
                    f"{shortened(word)} is not one word in lower case without "
                    "whitespace; make the vocabulary with from_sentences"
                )
            if any("\ud800" <= character <= "\udfff" for character in word):
                raise ValueError(
                    f"{shortened(word)} holds a lone surrogate, which is half a "
                    "character; encode the text as UTF-8 with errors='replace' and "
                    "decode it again"
                )
        if len(self.ids) != len(self):
            counts = collections.Counter(self.words)
            raise ValueError(
                f"{shortened(max(counts, key=lambda word: counts[word]))} is in the "
                "vocabulary twice; list each word once"
            )

    @classmethod
    def from_sentences(
        cls, sentences: Iterable[str], most: int | None = None, least: int = 1
    ) -> "WordVocabulary":
        """The vocabulary of the words of sentences; see `from_words`."""
        words = (
            word.text for sentence in sentences for word in iterate_words(sentence)
        )
        return cls.from_words(words, most, least)

    @classmethod
    def from_words(
        cls, words: Iterable[str], most: int | None = None, least: int = 1
    ) -> "WordVocabulary":
        """The vocabulary of words in any case.

        The most frequent words come first, equally frequent ones in code point order.
        Those of more than 60 characters are left out.

        Args:
            words: of a text, without ASCII whitespace.
            most: the largest number of words; None for all.
            least: how often a word must occur.

        Raises:
            ValueError: no word occurs so often, or one holds a lone surrogate, which
                cannot be written as UTF-8.
        """
        counts = collections.Counter(
            word for word in map(lower_case, words) if len(word) <= LONGEST_WORD
        )
        frequent = sorted(
            (word for word in counts if counts[word] >= least),
            key=lambda word: (-counts[word], word),
        )
        if counts and not frequent:
            raise ValueError(
                f"none of {len(counts)} words occurs {least} times in the sentences; "
                "give more sentences"
            )
        return cls(SPECIALS + tuple(frequent[:most]))

    @functools.cached_property
    def ids(self) -> dict[str, int]:
        """The id of each word."""
        return {word: index for index, word in enumerate(self.words)}

    def encode(self, sentence: str) -> np.ndarray:
        """Ids of the words of a sentence, `UNKNOWN` for a word not in the vocabulary.

        Returns:
            int32 (T,), T the number of words, which may be 0.
        """
        return self.encode_words(word.text for word in iterate_words(sentence))

    def encode_spelled(
        self, sentence: str, num_letters: int, length: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Encode the first `length` words of a sentence with their spelling.

        Returns:
            Ids int32 (T,), and letters uint8 (T, L): the first bytes of each word in
            its case, in UTF-8 and padded with 0.
        """
        words = [word.text for word in iterate_words(sentence)][:length]
        return self.encode_words(words), spell(words, num_letters)

    def encode_words(self, words: Iterable[str]) -> np.ndarray:
        """Ids of words in any case, each taken as it is, int32 (T,)."""
        ids = [self.ids.get(lower_case(word), UNKNOWN) for word in words]
        return np.array(ids, np.int32)

    def decode(self, ids: np.ndarray) -> str:
        """The words of `ids`, of any shape, joined by spaces; padding is left out."""
        flat = np.asarray(ids, np.int64).ravel()
        return " ".join(self.words[index] for index in flat if index != PAD)
