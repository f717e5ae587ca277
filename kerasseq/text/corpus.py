"""Texts to train on: a file, the manual that every Python carries, a toy language."""

import hashlib
import math
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from kerasseq.on_device.command import visible
from kerasseq.text.cache import find_ids, store_ids
from kerasseq.text.cache_folder import cache_folder
from kerasseq.text.characters import Vocabulary
from kerasseq.text.encodings import point_out_controls
from kerasseq.text.manual import read_manual
from kerasseq.text.reading import (
    CHANGED,
    hash_text,
    is_file,
    read_characters,
    read_text,
)

# The first letters differ, so one letter tells the word, and only what follows a space
# is uncertain: the lowest possible loss is the words' entropy over their mean length.
TOY_WORDS = ("arc", "bee", "calm", "dune", "ember", "fig", "glow", "hush")


@dataclass(frozen=True)
class Corpus:
    """A text as ids, with its name.

    Attributes:
        name: in reports and cards.
        vocabulary: the text's characters.
        ids: (N,), of the type `vocabulary.id_type`. Those of a file are mapped from the
            cache, so that memory holds only what is being read.
        sha256: of the text as UTF-8, in hexadecimal.
        entropy: the true entropy in nats a character, if it is known.
        notes: the report's remarks on the text's origin, by name.
    """

    name: str
    vocabulary: Vocabulary
    ids: np.ndarray = field(repr=False, compare=False)  # sha256 tells texts apart
    sha256: str
    entropy: float | None = None
    notes: Mapping[str, float] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_text(cls, name: str, text: str, entropy: float | None = None) -> "Corpus":
        """The corpus of a text in memory."""
        vocabulary = Vocabulary.from_text(text)
        ids = vocabulary.encode(text).astype(vocabulary.id_type)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        return cls(name, vocabulary, ids, sha256, entropy)

    @property
    def text(self) -> str:
        """The whole text, decoded at each call."""
        return self.vocabulary.decode(self.ids)


def load_corpus(source: str | os.PathLike, encoding: str = "utf-8") -> Corpus:
    """The corpus `toy` or `pydoc`, or the text of a file in this encoding.

    Raises:
        ValueError: the file cannot be used; the message says why.

    Example:
        >>> corpus = load_corpus("toy")
        >>> corpus.text[:20], len(corpus.vocabulary)
        ('glow dune bee arc hu', 18)
    """
    if source == "toy":
        return toy_corpus()
    if source == "pydoc":
        return pydoc_corpus()
    corpus = file_corpus(source, encoding)
    point_out_controls(source, "".join(corpus.vocabulary.characters))
    return corpus


def file_corpus(path: str | os.PathLike, encoding: str = "utf-8") -> Corpus:
    """The text of a file, which may be larger than memory.

    Its ids go to the cache (`text.cache`), where the next run finds them by the text's
    hash. If they cannot be written there, they are held in memory.

    Raises:
        ValueError: as `read_text`, or the file changes while it is read.
    """
    path = Path(path)
    name = visible(path.name)
    if not is_file(path):
        # A pipe can be read only once; a missing file or a directory is refused.
        return Corpus.from_text(name, read_text(path, encoding))
    sha256 = hash_text(path, encoding)
    found = find_ids(sha256)
    if found:
        return Corpus(name, *found, sha256)
    # Hashed in each pass, since the file may change in between.
    pieces = partial(read_characters, path, sha256=sha256, encoding=encoding)
    vocabulary = Vocabulary.from_pieces(pieces("finding characters in"))

    def encoded() -> Iterator[np.ndarray]:
        for text in pieces("encoding"):
            try:
                yield vocabulary.encode(text).astype(vocabulary.id_type)
            except ValueError:  # a character that was not there before
                raise ValueError(CHANGED.format(path)) from None

    try:
        ids = store_ids(sha256, vocabulary, encoded())
        note = (
            f"ids of {name}, which hold its text, are kept in {cache_folder()}; "
            "`kerasseq cache` shows them and --empty removes them"
        )
    except OSError as error:
        note = (
            f"{name} is held in memory, since its ids cannot be cached ({error}); "
            "KERASSEQ_CACHE names another folder for them"
        )
        ids = np.concatenate(list(encoded()))
    print(visible(note), file=sys.stderr)
    return Corpus(name, vocabulary, ids, sha256)


def pydoc_corpus() -> Corpus:
    """The prose of Python's own manual, a fifth of a megabyte of English.

    The text is that of the Python that runs, so its hash differs between versions.
    """
    manual = read_manual()
    text = "".join(f"{paragraph}\n" for paragraph in manual.paragraphs)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    notes = {
        "characters of the manual": manual.num_characters,
        "paragraphs of prose kept": len(manual.paragraphs),
        "fraction of the characters kept": round(len(text) / manual.num_characters, 3),
    }
    corpus = Corpus.from_text(f"prose of pydoc of Python {version}", text)
    return replace(corpus, notes=notes)


def toy_corpus(num_words: int = 20_000, seed: int = 0) -> Corpus:
    """Random short words, whose entropy per character is known exactly.

    Words are drawn independently, with probabilities proportional to 1, 2, ..., and
    each is followed by a space.
    """
    weights = np.arange(1, len(TOY_WORDS) + 1) / sum(range(1, len(TOY_WORDS) + 1))
    drawn = np.random.default_rng(seed).choice(len(TOY_WORDS), num_words, p=weights)
    text = "".join(TOY_WORDS[index] + " " for index in drawn)
    entropy = -math.fsum(p * math.log(p) for p in weights)
    length = math.fsum(
        p * (len(word) + 1) for p, word in zip(weights, TOY_WORDS, strict=True)
    )
    return Corpus.from_text("toy", text, entropy / length)
