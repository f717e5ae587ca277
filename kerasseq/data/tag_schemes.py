"""Schemes that mark entities by a letter before each kind, turned into BIO.

Ramshaw and Marcus 1995, "Text Chunking using Transformation-Based Learning", section
4.2, for IOB1; Ratinov and Roth 2009, "Design Challenges and Misconceptions in Named
Entity Recognition", section 4, for BILOU, of which BIOES and BMES are other spellings.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kerasseq.files.reading import shortened
from kerasseq.text.tags import OUTSIDE, may_follow

# What each letter is in the schemes that also mark the end of an entity: its first,
# middle and last token, or its only one.
LETTERS = {
    "BIOES": {"B": "first", "I": "middle", "E": "last", "S": "only"},
    "BILOU": {"B": "first", "I": "middle", "L": "last", "U": "only"},
    "BMES": {"B": "first", "M": "middle", "E": "last", "S": "only"},
}
FIRST = ("first", "only")
ALL_LETTERS = "".join(
    sorted({each for letters in LETTERS.values() for each in letters})
)


class Tag(NamedTuple):
    """A tag as it is in a file, with the number of its line."""

    text: str
    line: int


def to_bio(sentences: Sequence[Sequence[Tag]]) -> tuple[str, list[list[str]]]:
    """The scheme of the tags of a file, and the tags in BIO.

    BIO and IOB1 differ in the first token of an entity: B in BIO; in IOB1 I, or B
    where an entity of the same kind ends just before. A file that has both is neither.

    Args:
        sentences: tags, each `O` or a letter of `ALL_LETTERS`, a hyphen and a kind.

    Returns:
        The name of the scheme, and for each sentence its tags in BIO.

    Raises:
        ValueError: the tags are of several schemes, or one may not follow another; the
            message says in which line.
    """
    scheme = _find_scheme(sentences)
    if scheme in LETTERS:
        return scheme, [_from_ends(tags, scheme) for tags in sentences]
    return scheme, [_from_starts(tags) for tags in sentences]


def _find_scheme(sentences: Sequence[Sequence[Tag]]) -> str:
    first: dict[str, Tag] = {}  # of each letter
    for tag in (tag for tags in sentences for tag in tags if tag.text != OUTSIDE):
        first.setdefault(tag.text[0], tag)
    if first.keys() <= {"B", "I"}:
        return _bio_or_iob1(sentences)
    fitting = [name for name in LETTERS if first.keys() <= LETTERS[name].keys()]
    if not fitting:
        examples = ", ".join(
            f"{shortened(tag.text)} in line {tag.line}" for tag in first.values()
        )
        raise ValueError(
            f"its tags are of several schemes ({examples}); give tags of one, such as "
            f"BIO, or one of {', '.join(LETTERS)}"
        )
    return fitting[0]


def _bio_or_iob1(sentences: Sequence[Sequence[Tag]]) -> str:
    as_bio: Tag | None = None
    as_iob1: tuple[str, Tag] | None = None
    for before, tag in (pair for tags in sentences for pair in _with_before(tags)):
        if not may_follow(before, tag.text):
            as_iob1 = as_iob1 or (before, tag)
        elif tag.text[0] == "B" and before[2:] != tag.text[2:]:
            as_bio = as_bio or tag
    if as_bio and as_iob1:
        before, (text, line) = as_iob1
        raise ValueError(
            f"line {line}: {shortened(text)} may not follow {shortened(before)}; an "
            f"entity's first token is tagged {shortened('B' + text[1:])}, as in line "
            f"{as_bio.line}"
        )
    return "IOB1" if as_iob1 else "BIO"


def _with_before(tags: Sequence[Tag]) -> Iterator[tuple[str, Tag]]:
    """Each tag, after the text of the one before it."""
    return zip((OUTSIDE, *(tag.text for tag in tags)), tags, strict=False)


def _from_starts(tags: Sequence[Tag]) -> list[str]:
    """BIO from BIO or IOB1."""
    return [
        tag.text if may_follow(before, tag.text) else f"B{tag.text[1:]}"
        for before, tag in _with_before(tags)
    ]


def _from_ends(tags: Sequence[Tag], scheme: str) -> list[str]:
    """BIO from a scheme that marks the ends of entities."""
    roles = LETTERS[scheme]
    letters = {role: letter for letter, role in roles.items()}
    bio, kind = [], ""  # the kind of an entity that has no end yet
    for text, line in tags:
        role = roles.get(text[0]) if text != OUTSIDE else None
        continues = role in ("middle", "last")
        if kind and not (continues and text[1:] == kind):
            raise ValueError(_unfinished(line, scheme, letters["last"] + kind))
        if continues and not kind:
            first, only = (shortened(letters[each] + text[1:]) for each in FIRST)
            raise ValueError(
                f"line {line}: {shortened(text)} continues no entity; in {scheme}, the "
                f"first token of one is tagged {first}, its only one {only}"
            )
        kind = text[1:] if role in ("first", "middle") else ""
        bio.append(OUTSIDE if role is None else f"{'BI'[continues]}{text[1:]}")
    if kind:
        raise ValueError(_unfinished(tags[-1].line, scheme, letters["last"] + kind))
    return bio


def _unfinished(line: int, scheme: str, last: str) -> str:
    return (
        f"line {line}: an entity has no end here; in {scheme}, its last token is "
        f"tagged {shortened(last)}"
    )
