"""Foreign text in Markdown: shown as it is, and never read as markup."""

import re

from kerasseq.files.showing import on_one_line

# Underscores within words and most punctuation mean nothing in Markdown. The last two
# start an address, which GitHub would make a link.
_MARKUP = re.compile(
    r"[\\`*\[\]<>&|~#$@]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|\.(?<=www\.)", re.I
)
_BACKTICKS = re.compile("`+")


def plain(text: str) -> str:
    r"""Text for a cell or a heading, which shows as itself and on one line.

    Characters that are not shown, such as newlines, escape sequences and those that
    change the direction of writing, become Python's escapes of them.

    Example:
        >>> print(plain("a_b|c <i>\n"))
        a_b\|c \<i\>\\n
    """
    return _MARKUP.sub(r"\\\g<0>", on_one_line(text))


def code_block(text: str) -> list[str]:
    """The lines of a block of code that holds a text, whatever the text holds."""
    longest = max(map(len, _BACKTICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", text, fence]
