"""The vocabulary of characters."""

import functools
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasseq.files.reading import read_names, shortened
from kerasseq.files.writing import write_file

NUM_CODE_POINTS = sys.maxunicode + 1


@dataclass(frozen=True)
class Vocabulary:
    """The characters that a model knows; the id of each is its position.

    A character is a Unicode code point, and the order is that of the code points.

    Example:
        >>> vocabulary = Vocabulary.from_text("hello")
        >>> vocabulary.characters
        ('e', 'h', 'l', 'o')
        >>> vocabulary.decode(vocabulary.encode("hole"))
        'hole'
    """

    characters: tuple[str, ...]

    def __post_init__(self) -> None:
        for character in self.characters:
            single = isinstance(character, str) and len(character) == 1
            if not single or "\ud800" <= character <= "\udfff":
                raise ValueError(
                    f"{shortened(character)} is not one character; a vocabulary lists "
                    "single Unicode code points"
                )
        if not self.characters or list(self.characters) != sorted(set(self.characters)):
            raise ValueError(
                f"a vocabulary of {len(self.characters)} characters must hold at least "
                "one, each once, in code point order; make it with from_text"
            )

    @classmethod
    def from_text(cls, text: str) -> "Vocabulary":
        """The vocabulary of all characters of `text`.

        Raises:
            ValueError: the text is empty or holds a lone surrogate, which is half a
                character and cannot be written as UTF-8.
        """
        return cls.from_pieces([text])

    @classmethod
    def from_pieces(cls, pieces: Iterable[str]) -> "Vocabulary":
        """The vocabulary of a text that comes in pieces; raises as `from_text`."""
        seen = np.zeros(NUM_CODE_POINTS, bool)
        for piece in pieces:
            if piece.isascii():  # few of its characters are new
                known = bytes(np.flatnonzero(seen[:128]).tolist())
                piece = piece.encode().translate(None, known).decode()
            points = _code_points(piece)
            seen[points[~seen.take(points)]] = True  # most are seen, which is faster
        points = np.flatnonzero(seen)
        surrogates = points[(points >= 0xD800) & (points < 0xE000)]
        if surrogates.size:
            raise ValueError(
                f"the text holds the lone surrogate U+{surrogates[0]:04X}; encode it "
                "as UTF-8 with errors='replace' and decode it again"
            )
        return cls(tuple(map(chr, points)))

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Vocabulary":
        """Read a `vocabulary.json`.

        Raises:
            ValueError: the file is missing or not a vocabulary of characters.
        """
        try:
            return cls(read_names(path, "characters"))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{path} is not a vocabulary of characters ({error}); it should read "
                '{"characters": ["\\n", " ", ...]}'
            ) from None

    def to_json(self) -> str:
        """The vocabulary as the text of a `vocabulary.json`."""
        return json.dumps({"characters": self.characters}) + "\n"

    def save(self, path: str | os.PathLike) -> Path:
        """Write a `vocabulary.json`, whole or not at all."""
        return write_file(path, self.to_json())

    def __len__(self) -> int:
        return len(self.characters)

    @property
    def code_points(self) -> np.ndarray:
        """The characters' code points, int32 (V,), ascending."""
        return _code_points("".join(self.characters)).astype(np.int32)

    @property
    def id_type(self) -> np.dtype:
        """The smallest unsigned integer type for the ids."""
        return np.min_scalar_type(len(self) - 1)

    @functools.cached_property
    def _id_of(self) -> np.ndarray:
        """The id of each code point, int32; -1 where it is unknown."""
        table = np.full(NUM_CODE_POINTS, -1, np.int32)
        table[self.code_points] = np.arange(len(self))
        return table

    @functools.cached_property
    def _ascii(self) -> bytes:
        """The ids of ASCII, as int8: those characters are the first."""
        return self._id_of[:256].astype(np.int8).tobytes()

    def unknown(self, text: str) -> list[str]:
        """The distinct characters of `text` that are not in the vocabulary."""
        return sorted(set(text) - set(self.characters))

    def encode(self, text: str) -> np.ndarray:
        """Ids of the characters of `text`.

        Returns:
            int32 (len(text),).

        Raises:
            ValueError: a character is unknown; `unknown` lists all that are.
        """
        if text.isascii():  # several times as fast
            ids = np.frombuffer(text.encode().translate(self._ascii), np.int8)
        else:
            ids = self._id_of.take(_code_points(text))
        missing = np.flatnonzero(ids < 0)
        if missing.size:
            raise ValueError(
                f"character {text[missing[0]]!r} at offset {missing[0]} is not in the "
                f"vocabulary of {len(self)} characters; leave it out"
            )
        return ids.astype(np.int32, copy=False)

    def decode(self, ids: np.ndarray) -> str:
        """The text of `ids`, an integer array of any shape."""
        points = self.code_points[np.asarray(ids, np.int64).ravel()]
        return points.astype("<u4").tobytes().decode("utf-32-le")


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
