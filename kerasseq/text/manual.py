"""The prose of the manual that every Python carries, without its markup.

The manual explains the language in plain English, between headings, grammars, tables
and code. A character model writes readable text only where it reads nothing else.
"""

import hashlib
import re
from typing import NamedTuple

# What no sentence holds: a grammar, the frame of a table, a prompt of the interpreter.
_LAYOUT = re.compile(r"::=|^ *(\||\+[-=]|>>> )", re.MULTILINE)
_BULLET = re.compile(r" *(?:[*-] |\(?\d+[.)] |\[\d+\] )?")
_DIRECTIVE = re.compile(
    r"(New|Changed|Added|Deprecated|Removed) (in|since)|Availability:|See also|Source"
)
_START = re.compile(r"""["'(]?[A-Z]|"[a-z_.]+(\(\))?" """)
_END = re.compile(r"""[.?!][)"']?$""")
_SENTENCE_END = re.compile(r"""(?<=[.?!]) +(?=["'(]?[A-Z])""")
_PLAIN_WORD = re.compile(r"""[("']*[A-Za-z][a-z'-]*[.,;:?!)"']*""")
_SYMBOL = re.compile(r"""[^\w ,.;:?!'"()-]|\d""")
_COMMON_WORD = re.compile(r"\b(the|a|an|is|are|of|to)\b")
_TYPOGRAPHY = str.maketrans(
    {"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "..."}  # noqa: RUF001
)
LEAST_WORDS = 8
LEAST_PLAIN_WORDS = 0.8  # fraction of the words
MOST_SYMBOLS = 0.03  # fraction of the characters


class Manual(NamedTuple):
    """The prose of the manual.

    Attributes:
        paragraphs: distinct ones, each on a single line.
        num_characters: of the manual with all that was left out.
    """

    paragraphs: tuple[str, ...]
    num_characters: int


def read_manual() -> Manual:
    """Read the manual of the Python that runs.

    Topics come in the order of the SHA-256 of their names. That order is the same in
    every process and mixes the subjects, so the last tenth is like the rest. Several
    topics quote others: each paragraph is taken once, where it is first met.
    """
    from pydoc_data.topics import topics

    names = sorted(topics, key=lambda name: hashlib.sha256(name.encode()).digest())
    blocks = (block for name in names for block in re.split(r"\n\s*\n", topics[name]))
    found = dict.fromkeys(map(prose, blocks))
    return Manual(
        tuple(filter(None, found)), sum(len(topic) for topic in topics.values())
    )


def prose(block: str) -> str:
    """A block of the manual as one line of plain text.

    Args:
        block: lines between two blank ones.

    Returns:
        The paragraph; empty where the block is no running text. A last sentence that
        ends in a colon is left out, since what it announces is left out too.

    Example:
        >>> prose("* The *value* of an object can change; see [1] for\\n  an example.")
        'The value of an object can change; see for an example.'
    """
    if _LAYOUT.search(block):
        return ""
    first, *others = block.strip("\n").split("\n")
    start = len(_BULLET.findall(first)[0])
    if others and _indentation(others[0]) > start:  # a term above its definition
        first, *others = others
        start = _indentation(first)
    if any(_indentation(line) != start for line in others):
        return ""
    text = "\n".join([first[start:], *map(str.strip, others)])
    text = _without_markup(re.sub(r"(?<=\w-)\n(?=\w)", "", text))
    if text.endswith(":"):
        text = " ".join(_SENTENCE_END.split(text)[:-1])
    return text if _is_prose(text) else ""


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _without_markup(text: str) -> str:
    """Text on one line, without emphasis, footnote marks and typographic quotes."""
    text = " ".join(text.translate(_TYPOGRAPHY).split())
    text = re.sub(r"\*\*(\w[^*]*)\*\*|(?<![\w*])\*(\w[^*]*)\*(?!\w)", r"\1\2", text)
    text = re.sub(r" ?\[\d+\]", "", text)
    # Of two pairs of quotation marks around one thing, the inner ones stay.
    return re.sub(r"""(["'])(?!\1 )(["'])([^"']+)\2\1""", r"\2\3\2", text)


def _is_prose(text: str) -> bool:
    """Whether a line is sentences of English, with little else in them."""
    words = text.split()
    return (
        len(words) >= LEAST_WORDS
        and text.isascii()
        and bool(_START.match(text) and _END.search(text) and _COMMON_WORD.search(text))
        and not _DIRECTIVE.match(text)
        and '""' not in text
        and text.count('"') % 2 == 0
        and len(_SYMBOL.findall(text)) <= MOST_SYMBOLS * len(text)
        and sum(bool(_PLAIN_WORD.fullmatch(word)) for word in words)
        >= LEAST_PLAIN_WORDS * len(words)
    )
