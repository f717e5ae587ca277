"""Texts to train on: a file, the manual that every Python carries, a toy language."""

import codecs
import hashlib
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Distinct first letters: after one letter the word is known, after the space nothing
# is, so the best possible loss is the words' entropy over their mean length.
TOY_WORDS = ("arc", "bee", "calm", "dune", "ember", "fig", "glow", "hush")


@dataclass(frozen=True)
class Corpus:
    """A text with its name.

    Attributes:
        name: what reports and cards call it.
        text: the whole text.
        entropy: the true entropy in nats a character, where it is known.
    """

    name: str
    text: str
    entropy: float | None = None

    @property
    def sha256(self) -> str:
        """SHA-256 of the text as UTF-8, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def load_corpus(source: str | os.PathLike) -> Corpus:
    """The corpus `toy` or `pydoc`, or the text of a UTF-8 file.

    Raises:
        ValueError: the file cannot be used; the message says why.
    """
    if source == "toy":
        return toy_corpus()
    if source == "pydoc":
        return pydoc_corpus()
    return Corpus(Path(source).name, read_text(source))


def read_text(path: str | os.PathLike) -> str:
    """Read a UTF-8 file to the last character; line ends stay as they are.

    A byte order mark at the start is not part of the text.

    Raises:
        ValueError: the file is missing, a directory, unreadable, empty, binary or not
            UTF-8; the message says which, and at which byte.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a directory; give a text file")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; give a UTF-8 text file") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if not data.removeprefix(codecs.BOM_UTF8):
        raise ValueError(f"{path} is empty; give a file with text in it")
    if b"\0" in data:
        raise ValueError(
            f"{path} looks binary: byte {data.index(0)} is NUL; give a UTF-8 text file"
        )
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8: byte {error.start} is 0x{data[error.start]:02x} "
            f"({error.reason}); convert it, for example with "
            f"iconv -f latin1 -t utf-8"
        ) from None


def pydoc_corpus() -> Corpus:
    """The topics of Python's own manual, about half a megabyte of English.

    The topics are joined in the order of the SHA-256 of their names: an order that is
    the same everywhere and mixes subjects, so that the last tenth is like the rest.
    The text is that of the Python that runs, so its hash differs between versions.
    """
    from pydoc_data.topics import topics

    names = sorted(topics, key=lambda name: hashlib.sha256(name.encode()).digest())
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Corpus(
        f"pydoc of Python {version}",
        "\n\n".join(topics[name].strip() for name in names) + "\n",
    )


def toy_corpus(num_words: int = 20_000, seed: int = 0) -> Corpus:
    """Random short words whose entropy a character is known exactly.

    Each word is drawn alone, with a probability in proportion to 1, 2, ..., W, and
    followed by a space. The words' first letters differ, so a reader who has seen the
    text so far is uncertain only after a space, by the entropy of the words.
    """
    weights = np.arange(1, len(TOY_WORDS) + 1) / sum(range(1, len(TOY_WORDS) + 1))
    drawn = np.random.default_rng(seed).choice(len(TOY_WORDS), num_words, p=weights)
    text = "".join(TOY_WORDS[index] + " " for index in drawn)
    entropy = -math.fsum(p * math.log(p) for p in weights)
    length = math.fsum(
        p * (len(word) + 1) for p, word in zip(weights, TOY_WORDS, strict=True)
    )
    return Corpus("toy", text, entropy / length)
