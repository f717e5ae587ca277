"""Foreign text in Markdown: shown as it is, and never read as markup."""

import re

from kerasseq.on_device.command import visible

# Underscores within words and most punctuation mean nothing in Markdown. The last two
# start an address, which GitHub would make a link.
_MARKUP = re.compile(
    r"[\\`*\[\]<>&|~#$@]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|\.(?<=www\.)", re.I
)
_BACKTICKS = re.compile("`+")


def plain(text: str) -> str:
    r"""Text for a cell or a heading, which shows as itself and on one line.

    What `visible` hides becomes an escape.

    Example:
        >>> print(plain("a_b|c <i>\n"))
        a_b\|c \<i\>\\n
    """
    return _MARKUP.sub(r"\\\g<0>", visible(text))


def code_block(text: str) -> list[str]:
    """The lines of a block of code that holds a text, whatever the text holds."""
    longest = max(map(len, _BACKTICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", text, fence]
