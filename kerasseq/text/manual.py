"""The prose of the manual that every Python carries, without its markup.

The manual explains the language in plain English, between headings, grammars, tables
and code. A character model writes readable text only where it reads nothing else.
"""

import hashlib
import itertools
import re
from typing import NamedTuple

# What no sentence holds: a grammar, the frame of a table, a prompt of the interpreter.
_LAYOUT = re.compile(r"::=|^ *(\||\+[-=]|>>> )", re.MULTILINE)
_BULLET = re.compile(r" *(?:[*-] |\(?\d+[.)] |\[\d+\] )?")
_DIRECTIVE = re.compile(
    r"(New|Changed|Added|Deprecated|Removed) (in|since) version \d[^:]*: "
    r"|(Note|Availability|CPython implementation detail): "
)
_REFERENCE = re.compile("See |For more |For full ")
_START = re.compile(r"""["'(]?[A-Z]|"[a-z_.]+" |[a-z_.]+\(\) |__\w+__ """)
_END = re.compile(r"""[.?!][)"']?$""")
_SENTENCE_END = re.compile(r"""(?:(?<=[.?!:])|(?<=[.?!]["')])) +(?=["'(]?[A-Z_])""")
_PLAIN_WORD = re.compile(r"""[("']*[A-Za-z]+(?:[-'/][A-Za-z]+)*'?[.,;:?!)"']*""")
_SYMBOL = re.compile(r"""[^\w ,.;:?!'"()-]|\d""")
_COMMON_WORD = re.compile(r"\b(the|a|an|is|are|of|to)\b")
# A name that shows it is code, by a capital, a dot, an underscore or a parenthesis.
_QUOTED_NAME = re.compile(r'''"(?=[^"]*[A-Z_.(])([A-Za-z_][\w.]*(?:\(\))?)"''')
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
    found = dict.fromkeys(line for block in blocks for line in prose(block).split("\n"))
    return Manual(
        tuple(filter(None, found)), sum(len(topic) for topic in topics.values())
    )


def prose(block: str) -> str:
    """The sentences of a block of the manual as plain text.

    Args:
        block: lines between two blank ones.

    Returns:
        One line if every sentence is running text. A sentence that holds code, or
        announces what is left out, is left out; what follows it starts a new line.

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
    kept = itertools.groupby(_sentences(_DIRECTIVE.sub("", text)), _is_prose)
    lines = (" ".join(sentences) for is_prose, sentences in kept if is_prose)
    return "\n".join(filter(_stands_alone, lines))


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _without_markup(text: str) -> str:
    """Text on one line, without emphasis, footnote marks and quotation marks of code.

    Keywords keep their quotation marks: 'the operator "not"' is hard to read without.
    """
    text = _QUOTED_NAME.sub(r"\1", " ".join(text.split())).translate(_TYPOGRAPHY)
    text = re.sub(r"\*\*(\w[^*]*)\*\*|(?<![\w*])\*(\w[^*]*)\*(?!\w)", r"\1\2", text)
    text = re.sub(r" ?\[\d+\]", "", text)
    # Of two pairs of quotation marks around one thing, the inner ones stay.
    return re.sub(r"""(["'])(?!\1 )(["'])([^"']+)\2\1""", r"\2\3\2", text)


def _sentences(text: str) -> list[str]:
    """The sentences of a text; what parentheses enclose is one with what is around."""
    sentences: list[str] = []
    for piece in _SENTENCE_END.split(text):
        if sentences and sentences[-1].count("(") > sentences[-1].count(")"):
            sentences[-1] += f" {piece}"
        else:
            sentences.append(piece)
    return sentences


def _is_prose(sentence: str) -> bool:
    """Whether a sentence is English, with little else in it."""
    words = sentence.split()
    return (
        sentence.isascii()
        and bool(_START.match(sentence) and _END.search(sentence))
        and '""' not in sentence
        and sentence.count('"') % 2 == 0
        and sentence.count("(") == sentence.count(")")
        and len(_SYMBOL.findall(sentence)) <= MOST_SYMBOLS * len(sentence)
        and sum(bool(_PLAIN_WORD.fullmatch(word)) for word in words)
        >= LEAST_PLAIN_WORDS * len(words)
    )


def _stands_alone(line: str) -> bool:
    """Whether sentences say something: they are no heading and no mere reference."""
    return (
        len(line.split()) >= LEAST_WORDS
        and bool(_COMMON_WORD.search(line))
        and not _REFERENCE.match(line)
    )
