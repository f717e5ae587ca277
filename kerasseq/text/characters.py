"""Characters: their vocabulary, and a text as streams of next-character examples."""

import functools
import json
import mmap
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kerasseq.files.writing import write_file

NUM_CODE_POINTS = sys.maxunicode + 1
MOST_HELD_OUT = 1_000_000  # characters: more would tell no more, and take minutes
BLOCK = 1 << 19  # characters that streams read at a time


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
            if not isinstance(character, str) or len(character) != 1:
                raise ValueError(
                    f"{character!r} is not one character; a vocabulary lists single "
                    "Unicode code points"
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
            ValueError: the text is empty or holds a lone surrogate, which is half of
                a character and cannot be written as UTF-8.
        """
        return cls.from_pieces([text])

    @classmethod
    def from_pieces(cls, pieces: Iterable[str]) -> "Vocabulary":
        """The vocabulary of a text that comes in pieces.

        Raises:
            ValueError: as `from_text`.
        """
        seen = np.zeros(NUM_CODE_POINTS, bool)
        for piece in pieces:
            seen[_code_points(piece)] = True
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
            ValueError: the file is missing or is no such vocabulary.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(tuple(content["characters"]))
        except (OSError, KeyError, TypeError, ValueError) as error:
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
        """The smallest unsigned integer type that holds every id."""
        return np.min_scalar_type(len(self) - 1)

    @functools.cached_property
    def _id_of(self) -> np.ndarray:
        """The id of each code point, int32; -1 where it is unknown."""
        table = np.full(NUM_CODE_POINTS, -1, np.int32)
        table[self.code_points] = np.arange(len(self))
        return table

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
        ids = self._id_of.take(_code_points(text))
        missing = np.flatnonzero(ids < 0)
        if missing.size:
            raise ValueError(
                f"character {text[missing[0]]!r} at offset {missing[0]} is not in the "
                f"vocabulary of {len(self)} characters; leave it out"
            )
        return ids

    def encode_prompt(self, prompt: str) -> np.ndarray:
        """Ids of a prompt as every runtime reads it.

        Unknown characters are dropped; an empty prompt stands for a newline, or for
        id 0 where the vocabulary has none.

        Returns:
            int32 (T,), T at least 1.
        """
        known = set(self.characters)
        kept = "".join(character for character in prompt if character in known)
        if not kept:
            kept = "\n" if "\n" in known else self.characters[0]
        return self.encode(kept)

    def decode(self, ids: np.ndarray) -> str:
        """The text of `ids`, an integer array of any shape, read in order."""
        points = self.code_points[np.asarray(ids, np.int64).ravel()]
        return points.astype("<u4").tobytes().decode("utf-32-le")


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def split_text(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Part a text's ids into those to train on and the held-out end.

    The last tenth is held out, of a text above ten million characters the last million.
    """
    boundary = len(ids) - min(len(ids) // 10, MOST_HELD_OUT)
    return ids[:boundary], ids[boundary:]


def frequency_loss(ids: np.ndarray) -> float:
    """Loss in nats of a model that knows how frequent each id is and nothing else."""
    counts = np.zeros(0, np.int64)
    for start in range(0, len(ids), BLOCK):
        more = np.bincount(ids[start : start + BLOCK], minlength=len(counts))
        more[: len(counts)] += counts
        counts = more
        _let_go(ids)
    frequencies = counts[counts > 0] / len(ids)
    return float(-(frequencies * np.log(frequencies)).sum())


def validation_shape(num_characters: int) -> tuple[int, int]:
    """Few streams, and a length that leaves out next to nothing of a held-out text.

    Args:
        num_characters: N, of the held-out text, at least 2.

    Returns:
        The number of streams and their length in one batch.
    """
    if num_characters < 2:
        raise ValueError(
            f"the held-out tenth of the text has {num_characters} characters, but it "
            "takes 2 to measure a loss; give a longer text"
        )
    num_streams = max(1, min(16, num_characters // 1000))
    stream_length = (num_characters - 1) // num_streams
    num_batches = -(-stream_length // 256)
    return num_streams, stream_length // num_batches


def next_character_streams(
    ids: np.ndarray, num_streams: int, length: int
) -> tf.data.Dataset:
    """Cut a text into parallel streams of next-character examples, in reading order.

    Row b of every batch continues row b of the batch before, so that a recurrent
    state can be carried from batch to batch. What does not fill a last batch is left
    out: at most `num_streams * length` characters.

    Args:
        ids: int (N,), the text.
        num_streams: B, how many places of the text are read side by side.
        length: T, characters a stream in one batch.

    Returns:
        Batches of inputs int32 (B, T) and targets int32 (B, T), the targets being
        the inputs one character later.

    Raises:
        ValueError: the text is too short for a single batch.

    Example:
        >>> [(x, y)] = next_character_streams(np.arange(5), 2, 2).as_numpy_iterator()
        >>> x.tolist(), y.tolist()
        ([[0, 1], [2, 3]], [[1, 2], [3, 4]])
    """
    stream_length = (len(ids) - 1) // num_streams
    num_batches = stream_length // length
    if num_batches < 1:
        raise ValueError(
            f"{len(ids)} characters are too few for {num_streams} streams of {length}; "
            f"give at least {num_streams * length + 1}, or fewer or shorter streams"
        )
    # Many batches are read at a time, which makes one cheap, and skipping one too.
    batches_a_block = max(1, BLOCK // (num_streams * length))

    def read(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first = int(block) * batches_a_block
        starts = np.arange(num_streams) * stream_length + first * length
        count = min(batches_a_block, num_batches - first)
        return _read_batches(ids, starts, count, length)

    def block_of_batches(block: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        types = (tf.int32, tf.int32)
        inputs, targets = tf.numpy_function(read, [block], types, stateful=False)
        inputs.set_shape((None, num_streams, length))
        targets.set_shape((None, num_streams, length))
        return inputs, targets

    num_blocks = -(-num_batches // batches_a_block)
    blocks = tf.data.Dataset.range(num_blocks).map(block_of_batches).prefetch(1)
    num_elements = tf.data.experimental.assert_cardinality(num_batches)
    options = tf.data.Options()
    options.deterministic = True
    # Whoever stops reading waits for the tuner's next turn, and its pauses double: up
    # to a minute at the end of a training, with nothing here for it to tune.
    options.autotune.enabled = False
    return blocks.unbatch().apply(num_elements).with_options(options)


def _read_batches(
    ids: np.ndarray, starts: np.ndarray, count: int, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Batches that follow one another; row b of the first begins at `starts[b]`.

    Returns:
        Inputs int32 (count, B, T) and targets int32 (count, B, T).
    """
    rows = np.stack([ids[start : start + count * length + 1] for start in starts])
    _let_go(ids)
    inputs, targets = (
        part.reshape(len(starts), count, length).swapaxes(0, 1).astype(np.int32, "C")
        for part in (rows[:, :-1], rows[:, 1:])
    )
    return inputs, targets


def _let_go(ids: np.ndarray) -> None:
    """Take the pages of mapped ids out of the process; they come again at need.

    Else all that was ever read would count as the process's memory.
    """
    owner: Any = ids
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if not isinstance(owner, mmap.mmap) or not hasattr(owner, "madvise"):
        return
    # Of a map that can be written to, the changes might be lost.
    if memoryview(owner).readonly:
        owner.madvise(mmap.MADV_DONTNEED)
