"""Tagged sentences in CoNLL files, with BIO tags that mark entities.

The format is that of the CoNLL-2003 shared task; see `text.tags` for the tags.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from kerasseq.files.reading import shortened
from kerasseq.files.writing import write_file
from kerasseq.text.reading import read_lines
from kerasseq.text.tags import OUTSIDE, may_follow

# A longer token is not a word: the file has another format or lacks a line end.
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
    Lines of whitespace count as blank, and several blank lines as one.

    Args:
        path: of the file, in UTF-8.
        kinds: allowed kinds of entities; None for any.

    Returns:
        The sentences, at least one.

    Raises:
        ValueError: the file cannot be read or breaks one of these rules; the message
            says where and why.
    """
    sentences: list[TaggedSentence] = []
    tokens: list[str] = []
    tags: list[str] = []
    for number, text in (*read_lines(path), (0, "")):
        if text.strip():
            try:
                before = tags[-1] if tags else OUTSIDE
                token, tag = _read_line(text.strip("\r"), before, kinds)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
            tokens.append(token)
            tags.append(tag)
        elif tokens:
            sentences.append(TaggedSentence(tuple(tokens), tuple(tags)))
            tokens, tags = [], []
    found = {tag for sentence in sentences for tag in sentence.tags}
    if not found - {OUTSIDE}:
        what = f"each of its tokens is tagged {OUTSIDE}" if found else "no line in it"
        raise ValueError(
            f"{path} marks no entity ({what}); tag the first token of each with B-kind"
        )
    if len(found) == 1:
        raise ValueError(
            f"{path}: each token is tagged {shortened(found.pop())}, so there is "
            f"nothing to tell apart; tag tokens outside entities with {OUTSIDE}"
        )
    return sentences


def _read_line(line: str, before: str, kinds: Sequence[str] | None) -> tuple[str, str]:
    """Token and tag of a line, given the tag before it."""
    columns = line.split("\t")
    if len(columns) != 2:
        raise ValueError(
            f"{len(columns)} columns, not 2, in {shortened(line)}; a line is a token, "
            "a tab and its tag"
        )
    token, tag = columns
    if not token or re.search("[ \n\v\f\r]", token):
        raise ValueError(
            f"the token {shortened(token)} is empty or holds whitespace; give each "
            "word a line of its own"
        )
    if len(token) > LONGEST_TOKEN:
        raise ValueError(
            f"a token of {len(token):,} characters, {shortened(token)}; the longest "
            f"has {LONGEST_TOKEN:,}: cut it, or give each word a line of its own"
        )
    if tag != OUTSIDE and not re.fullmatch(r"[BI]-\S+", tag):
        raise ValueError(
            f"{shortened(tag)} is not a BIO tag; write O, B-kind at an entity's first "
            "token or I-kind at its others"
        )
    if kinds is not None and tag != OUTSIDE and tag[2:] not in kinds:
        raise ValueError(
            f"the kind of {shortened(tag)} is none of {shortened(tuple(kinds))}, those "
            "of the file to learn from"
        )
    if not may_follow(before, tag):
        raise ValueError(
            f"{shortened(tag)} may not follow {shortened(before)}; an entity's first "
            f"token is tagged {shortened('B' + tag[1:])}"
        )
    return token, tag


def write_tagged_sentences(
    path: str | os.PathLike, sentences: Iterable[TaggedSentence]
) -> Path:
    """Write sentences as `read_tagged_sentences` reads them, whole or not at all."""
    blocks = (
        "".join(f"{token}\t{tag}\n" for token, tag in zip(*sentence, strict=True))
        for sentence in sentences
    )
    return write_file(path, "\n".join(blocks))
