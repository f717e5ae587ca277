"""Foreign text in Markdown: shown as it is, and never read as markup."""

import re

from kerasseq.on_device.command import visible

# Underscores within words and most punctuation mean nothing in Markdown. The last line
# is of addresses: GitHub makes links of those with :// or www., editors of all that
# end like a host.
_MARKUP = re.compile(
    r"[\\`*\[\]<>&|~#$@]|(?<![^\W_])_|_(?![^\W_])"
    r"|:(?=//)|/(?=/)|\.(?<=www\.)|\.(?=(?:[a-z]{2,3}|aero|asia|coop|info|museum|"
    r"name|shop|рф)(?![a-z]))",
    re.I,
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
