"""Pieces of words: a vocabulary for any text, with bytes where it has no piece.

Byte-pair encoding learns the pieces: Sennrich et al. 2016, "Neural Machine Translation
of Rare Words with Subword Units", section 3. A text is divided by longest match, which
is as good as its merges: Uzan et al. 2024, "Greed is All You Need", section 4.
"""

import collections
import functools
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasseq.files.reading import read_names, shortened
from kerasseq.files.writing import write_file

PAD, START, END = range(3)
FIRST_BYTE = 3
FIRST_PIECE = FIRST_BYTE + 256
# Characters of a piece, and of a word without a space in it.
LONGEST_PIECE, LONGEST_WORD = 16, 32
# A word with the space before it, a digit, punctuation, or white space.
_WORDS = (
    rf" ?[\p{{L}}\p{{M}}]{{1,{LONGEST_WORD}}}| ?\p{{N}}"
    rf"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]{{1,{LONGEST_WORD}}}|\s"
)


@dataclass(frozen=True)
class Subwords:
    """The pieces of words that a model knows.

    Id 0 is padding, 1 the start of a sentence and 2 its end. Byte b of UTF-8 is 3 + b.
    Pieces follow from 259 on, each of two bytes or more and of whole characters.

    A text gets a space in front, so that its first word is divided like any other, and
    then the longest piece that begins there is taken from left to right, or a single
    byte where none does. So no text has an unknown word, and decoding gives it back.

    Example:
        >>> vocabulary = Subwords((" a", " c", "at"))
        >>> vocabulary.encode("a cat!").tolist()
        [259, 260, 261, 36]
        >>> vocabulary.decode([1, 259, 260, 261, 36, 2, 0])
        'a cat!'
    """

    pieces: tuple[str, ...]

    def __post_init__(self) -> None:
        for piece in self.pieces:
            if not isinstance(piece, str) or whole_characters(piece) != piece:
                raise ValueError(
                    f"{shortened(piece)} is not text; a piece is a text of whole "
                    "characters"
                )
            if len(piece.encode()) < 2 or len(piece) > LONGEST_PIECE:
                raise ValueError(
                    f"{shortened(piece)} has {len(piece)} characters; a piece has 2 "
                    f"bytes to {LONGEST_PIECE} characters"
                )
        if len(self._ids) != len(self.pieces):
            twice = collections.Counter(self.pieces).most_common(1)[0][0]
            raise ValueError(
                f"{shortened(twice)} is listed twice; list each piece once"
            )

    @classmethod
    def learn(
        cls, texts: Iterable[str], size: int = 8_000, least: int = 20
    ) -> "Subwords":
        """The pieces that occur most often; the same texts give the same pieces.

        A piece stays within a word and the space before it, within a run of
        punctuation, or is a digit and the space before it. The rarest piece decides the
        size, so that it follows from the texts: a model learns a piece from the
        sentences that hold it (Gowda and May 2020, "Finding the Optimal Vocabulary Size
        for Neural Machine Translation", section 5).

        Args:
            texts: to train on.
            size: the largest number of ids in all, at least 259.
            least: how often two neighbours must occur to become a piece.

        Raises:
            ValueError: `size` has no room for the bytes.
        """
        if size < FIRST_PIECE:
            raise ValueError(
                f"size={size} has no room for the 256 bytes and 3 marks; give "
                f"{FIRST_PIECE} or more"
            )
        # Imported here, since what learns no pieces does not need it.
        from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

        texts = [" " + whole_characters(text) for text in texts]
        counts: collections.Counter[str] = collections.Counter()
        for text in texts:
            counts.update(text)
        often = [each for each, count in counts.items() if count >= least]
        characters = [each for each in often if not each.isascii()]
        characters.sort(key=lambda each: (-counts[each], each))
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_WORDS), "isolated")
        trainer = trainers.BpeTrainer(
            # The trainer counts all characters, also those that become bytes here.
            vocab_size=max(0, size - FIRST_PIECE - len(characters)) + len(counts),
            min_frequency=least,
            max_token_length=LONGEST_PIECE,
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        ids = tokenizer.get_vocab()
        learned = sorted((each for each in ids if len(each) > 1), key=ids.__getitem__)
        return cls(tuple([*characters, *learned][: size - FIRST_PIECE]))

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Subwords":
        """Read a `vocabulary.json`.

        Raises:
            ValueError: the file is missing or not a vocabulary of pieces.
        """
        try:
            return cls(read_names(path, "pieces"))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{path} is not a vocabulary of pieces ({error}); it should read "
                '{"pieces": [" the", "ing", ...]}'
            ) from None

    def to_json(self) -> str:
        """The vocabulary as the text of a `vocabulary.json`."""
        return json.dumps({"pieces": self.pieces}) + "\n"

    def save(self, path: str | os.PathLike) -> Path:
        """Write a `vocabulary.json`, whole or not at all."""
        return write_file(path, self.to_json())

    def require_size(self, num_ids: int) -> None:
        """Raise ValueError if a model has weights for another number of ids."""
        if len(self) != num_ids:
            raise ValueError(
                f"the vocabulary has {len(self)} ids but the model {num_ids}; use the "
                "vocabulary.json in the model's folder"
            )

    def __len__(self) -> int:
        return FIRST_PIECE + len(self.pieces)

    @functools.cached_property
    def _ids(self) -> dict[str, int]:
        return {piece: FIRST_PIECE + index for index, piece in enumerate(self.pieces)}

    @functools.cached_property
    def _lengths(self) -> dict[str, list[int]]:
        """How long the pieces with a first character are, the longest first."""
        lengths: dict[str, set[int]] = collections.defaultdict(set)
        for piece in self.pieces:
            lengths[piece[0]].add(len(piece))
        return {first: sorted(each, reverse=True) for first, each in lengths.items()}

    @functools.cached_property
    def contents(self) -> list[bytes]:
        """The bytes that each id stands for; padding and the marks have none."""
        singles = [bytes([byte]) for byte in range(256)]
        return [b""] * FIRST_BYTE + singles + [each.encode() for each in self.pieces]

    def encode(self, text: str) -> np.ndarray:
        """Ids of a text, without the marks of start and end.

        Args:
            text: any; a lone surrogate, which is half a character, becomes U+FFFD.

        Returns:
            int32 (T,), at least one, since the space in front is part of it.
        """
        text = " " + whole_characters(text)
        ids: list[int] = []
        start = 0
        while start < len(text):
            # Pieces are whole characters: the longest has the most bytes, too.
            for length in self._lengths.get(text[start], ()):
                piece = text[start : start + length]
                if piece in self._ids:
                    ids.append(self._ids[piece])
                    start += len(piece)
                    break
            else:
                ids += [FIRST_BYTE + byte for byte in text[start].encode()]
                start += 1
        return np.array(ids, np.int32)

    def decode(self, ids: Iterable[int] | np.ndarray) -> str:
        """The text of ids, without the space in front; bytes not UTF-8 become U+FFFD.

        Padding and the marks of start and end are left out.
        """
        content = b"".join(self.contents[index] for index in np.asarray(ids).ravel())
        return content.decode("utf-8", "replace").removeprefix(" ")


def whole_characters(text: str) -> str:
    """The text with surrogates joined where they are pairs, otherwise as U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
