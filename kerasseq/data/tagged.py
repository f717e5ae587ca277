"""Tagged sentences in CoNLL files, whose tags mark entities.

The format is that of Tjong Kim Sang and De Meulder 2003, "Introduction to the
CoNLL-2003 Shared Task", section 2; see `text.tags` for BIO and `tag_schemes` for other
tags.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from kerasseq.data.tag_schemes import ALL_LETTERS, Tag, to_bio
from kerasseq.files.reading import shortened
from kerasseq.files.writing import write_file
from kerasseq.text.reading import read_lines
from kerasseq.text.tags import OUTSIDE
from kerasseq.text.wording import counted

# A longer token is not a word: the file has another format or lacks a line end.
LONGEST_TOKEN = 1000
# Begins a line between the documents of CoNLL-2003.
DOCUMENT = "-DOCSTART-"
_SPACE = re.compile("[ \t\n\v\f\r]")
_is_tag = re.compile(rf"{OUTSIDE}|[{ALL_LETTERS}]-\S+").fullmatch


class TaggedSentence(NamedTuple):
    """A sentence: its tokens, and a tag for each."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]


def find_kinds(sentences: Iterable[TaggedSentence]) -> tuple[str, ...]:
    """The kinds of entities in sentences, in alphabetical order."""
    tags = {tag for sentence in sentences for tag in sentence.tags}
    return tuple(sorted({tag[2:] for tag in tags if tag != OUTSIDE}))


class TaggedFile(NamedTuple):
    """The sentences of a file, tagged in BIO, and what its form was, in words."""

    sentences: list[TaggedSentence]
    form: str


def read_tagged_sentences(
    path: str | os.PathLike, kinds: Sequence[str] | None = None
) -> list[TaggedSentence]:
    """The sentences of a CoNLL file; see `read_tagged_file`."""
    return read_tagged_file(path, kinds).sentences


def read_tagged_file(
    path: str | os.PathLike,
    kinds: Sequence[str] | None = None,
    columns: tuple[int, int] | None = None,
    encoding: str = "utf-8",
) -> TaggedFile:
    """Read a CoNLL file: a token and its tag a line, blank lines between sentences.

    Columns are divided by tabs if the first line with a token has one, otherwise by
    spaces. Tags are `O` or a letter, a hyphen and a kind, in a scheme that
    `tag_schemes` knows; they become BIO. Lines of whitespace and of `-DOCSTART-` count
    as blank, and several blank lines as one. A line that begins with # is a comment,
    unless it has as many columns as the others and the last is a tag.

    Args:
        path: of the file.
        kinds: allowed kinds of entities; None for any.
        columns: of the token and of its tag, from 1; None for the first and the last.
        encoding: of the file.

    Raises:
        ValueError: the file cannot be read, marks no entity or breaks one of these
            rules; the message says where and why.
    """
    lines = list(read_lines(path, encoding))
    rows = _Rows.of([text for _, text in lines], columns)
    sentences: list[tuple[list[str], list[Tag]]] = []
    ended = True
    for number, text in lines:
        if not text.strip() or text.startswith(DOCUMENT):
            ended = True
            continue
        try:
            row = rows.read(text.strip("\r"), kinds)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        if row:
            if ended:
                sentences.append(([], []))
                ended = False
            sentences[-1][0].append(row[0])
            sentences[-1][1].append(Tag(row[1], number))
    if sentences and not columns and all(_counted(tokens) for tokens, _ in sentences):
        raise ValueError(
            f"{path}: the first column only counts the tokens of each sentence; name "
            "those of the token and the tag, such as --tags-columns 2,3"
        )
    found = {tag.text for _, tags in sentences for tag in tags}
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
    try:
        scheme, bio = to_bio([tags for _, tags in sentences])
    except ValueError as error:
        raise ValueError(f"{path}, {error}") from None
    number = len({tag[2:] for tag in found - {OUTSIDE}})
    form = f"{scheme}, {counted(rows.number, 'column')}, {counted(number, 'kind')}"
    tagged = [
        TaggedSentence(tuple(tokens), tuple(tags))
        for (tokens, _), tags in zip(sentences, bio, strict=True)
    ]
    return TaggedFile(tagged, form)


class _Rows(NamedTuple):
    """How the lines of a file are divided into columns.

    Attributes:
        tabs: whether tabs divide them, not spaces.
        number: of columns in a line.
        token: index of the token's column.
        tag: index of the tag's column.
    """

    tabs: bool
    number: int
    token: int
    tag: int

    @classmethod
    def of(cls, lines: Sequence[str], columns: tuple[int, int] | None) -> "_Rows":
        """Decide by the first line that is neither blank nor a comment."""
        for first in lines:
            if first.strip() and not first.startswith((DOCUMENT, "#")):
                break
        else:
            first = next((line for line in lines if line.startswith("#")), "")
        tabs = "\t" in first
        count = len(_divided(first.strip("\r"), tabs))
        token, tag = columns or (1, max(2, count))
        # A line of too few columns is refused where it is read.
        return cls(tabs, max(count, token, tag), token - 1, tag - 1)

    def read(self, line: str, kinds: Sequence[str] | None) -> tuple[str, str] | None:
        """Token and tag of a line; None for a comment."""
        columns = _divided(line, self.tabs)
        fits = len(columns) == self.number
        if line.startswith("#"):
            # A token, such as #1 or # alone, has a tag.
            token, tag = (columns[self.token], columns[self.tag]) if fits else ("", "")
            if (
                not fits
                or _SPACE.search(token)
                or (line[1:2] == " " and not _is_tag(tag))
            ):
                return None
        if not fits:
            raise ValueError(
                f"{len(columns)} columns, not {self.number}, in {shortened(line)}; a "
                "line is a token and its tag, divided by "
                f"{'a tab' if self.tabs else 'spaces'}"
            )
        token, tag = columns[self.token], columns[self.tag]
        if not token or _SPACE.search(token):
            raise ValueError(
                f"the token {shortened(token)} is empty or holds whitespace; give each "
                "word a line of its own"
            )
        if len(token) > LONGEST_TOKEN:
            raise ValueError(
                f"a token of {len(token):,} characters, {shortened(token)}; the longest"
                f" has {LONGEST_TOKEN:,}: cut it, or give each word a line of its own"
            )
        if not _is_tag(tag):
            raise ValueError(
                f"{shortened(tag)} is not a BIO tag; write O, B-kind at an entity's "
                "first token or I-kind at its others; BIOES, BILOU and BMES do, too"
            )
        if kinds is not None and tag != OUTSIDE and tag[2:] not in kinds:
            raise ValueError(
                f"the kind of {shortened(tag)} is none of {shortened(tuple(kinds))}, "
                "those of the file to learn from"
            )
        return token, tag


def _counted(tokens: Sequence[str]) -> bool:
    return tokens[0] in "01" and list(tokens) == [
        str(number) for number, _ in enumerate(tokens, int(tokens[0]))
    ]


def _divided(line: str, tabs: bool) -> list[str]:
    return line.split("\t") if tabs else re.findall("[^ \t]+", line)


def write_tagged_sentences(
    path: str | os.PathLike, sentences: Iterable[TaggedSentence]
) -> Path:
    """Write sentences as `read_tagged_sentences` reads them, whole or not at all."""
    blocks = (
        "".join(f"{token}\t{tag}\n" for token, tag in zip(*sentence, strict=True))
        for sentence in sentences
    )
    return write_file(path, "\n".join(blocks))
