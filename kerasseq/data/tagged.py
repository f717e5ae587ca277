"""Tagged sentences in CoNLL files, with BIO tags that mark entities.

Tjong Kim Sang and De Meulder 2003, "Introduction to the CoNLL-2003 Shared Task",
section 2; the tags as in Ratnaparkhi's BIO, where every entity begins with B.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from kerasseq.files.writing import write_file
from kerasseq.text.reading import read_bytes
from kerasseq.text.tags import OUTSIDE, may_follow

# Longer ones are no words but a file of another kind, or a lost line end.
LONGEST_TOKEN = 1000


class TaggedSentence(NamedTuple):
    """A sentence: its tokens, and a tag for each."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]


def find_kinds(sentences: Iterable[TaggedSentence]) -> tuple[str, ...]:
    """The kinds of entities in sentences, in alphabetical order."""
    tags = {tag for sentence in sentences for tag in sentence.tags}
    return tuple(sorted({tag[2:] for tag in tags if tag != OUTSIDE}))


def read_tagged_sentences(
    path: str | os.PathLike, kinds: Sequence[str] | None = None
) -> list[TaggedSentence]:
    """Read a CoNLL file: a token, a tab and its tag a line, blank lines between.

    Tags are `O`, `B-kind` at the first token of an entity and `I-kind` at its others.
    A line of whitespace only is blank. Several blank lines separate two sentences as
    one does.

    Args:
        path: the file, in UTF-8.
        kinds: the kinds of entities that may occur; None for any.

    Returns:
        The sentences, at least one.

    Raises:
        ValueError: the file cannot be read or breaks one of these rules; the message
            says where and why.
    """
    content = b"".join(piece for _, piece in read_bytes(path, "reading"))
    sentences: list[TaggedSentence] = []
    tokens: list[str] = []
    tags: list[str] = []
    for number, line in enumerate([*content.split(b"\n"), b""], start=1):
        try:
            text = line.decode().strip("\r")
            if text.strip():
                token, tag = _read_line(text, tags[-1] if tags else OUTSIDE, kinds)
                tokens.append(token)
                tags.append(tag)
            elif tokens:
                sentences.append(TaggedSentence(tuple(tokens), tuple(tags)))
                tokens, tags = [], []
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}, line {number}: not UTF-8: byte {error.start + 1} of the line "
                f"is 0x{line[error.start]:02x}; convert the file, for example with "
                "iconv -f latin1 -t utf-8"
            ) from None
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
    found = {tag for sentence in sentences for tag in sentence.tags}
    if not found - {OUTSIDE}:
        what = f"each of its tokens is tagged {OUTSIDE}" if found else "no line in it"
        raise ValueError(
            f"{path} marks no entity ({what}); tag the first token of each with B-kind"
        )
    if len(found) == 1:
        raise ValueError(
            f"{path}: each token is tagged {found.pop()}, so there is nothing to tell "
            f"apart; tag what is no entity with {OUTSIDE}"
        )
    return sentences


def _read_line(line: str, before: str, kinds: Sequence[str] | None) -> tuple[str, str]:
    """Token and tag of a line that comes after another tag."""
    columns = line.split("\t")
    if len(columns) != 2:
        raise ValueError(
            f"{len(columns)} columns, not 2, in {_shortened(line)}; a line is a token, "
            "a tab and its tag"
        )
    token, tag = columns
    if not token or re.search("[ \n\v\f\r]", token):
        raise ValueError(
            f"the token {_shortened(token)} is empty or holds white space; give each "
            "word a line of its own"
        )
    if len(token) > LONGEST_TOKEN:
        raise ValueError(
            f"a token of {len(token):,} characters, {_shortened(token)}; the longest "
            f"has {LONGEST_TOKEN:,}: cut it, or give each word a line of its own"
        )
    if tag != OUTSIDE and not re.fullmatch(r"[BI]-\S+", tag):
        raise ValueError(
            f"{_shortened(tag)} is no BIO tag; write O, or B-kind at an entity's first "
            "token and I-kind at its others"
        )
    if kinds is not None and tag != OUTSIDE and tag[2:] not in kinds:
        raise ValueError(
            f"the kind of {_shortened(tag)} is none of {', '.join(kinds)}, those of "
            "the file to learn from"
        )
    if not may_follow(before, tag):
        raise ValueError(
            f"{tag} may not follow {before}; an entity's first token is tagged "
            f"B{tag[1:]}"
        )
    return token, tag


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


def write_tagged_sentences(
    path: str | os.PathLike, sentences: Iterable[TaggedSentence]
) -> Path:
    """Write sentences as `read_tagged_sentences` reads them, whole or not at all."""
    blocks = (
        "".join(f"{token}\t{tag}\n" for token, tag in zip(*sentence, strict=True))
        for sentence in sentences
    )
    return write_file(path, "\n".join(blocks))
