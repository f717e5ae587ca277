"""Markdown as GitHub reads it, by a parser that is not ours."""

from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

PARSER = MarkdownIt("gfm-like")
# What the tables and headings of a report consist of, and the text in them.
OURS = {
    *(
        f"{name}_{end}"
        for name in ("table", "thead", "tbody")
        for end in ("open", "close")
    ),
    *(f"{name}_{end}" for name in ("tr", "th", "td") for end in ("open", "close")),
    *("heading_open", "heading_close", "inline", "text", "text_special"),
}
# Text in which markup is far more frequent than in any corpus.
PIECES = (
    *("|", "`", "```", "~~~", "\\", "<", ">", "[", "]", "](", "(", ")", "!", "*", "_"),
    *("\n", "\n\n", "\r", "\t", "  ", "#", "~", "&", "&lt;", "---", "- ", "1. ", "$"),
    *("<b>", "<!--", "<script>", "http://", "https://a.b", "www.", "WWW.a.b", "a@b.co"),
    *(
        "ftp://a.b",
        *(
            "a.com",
            "b.py",
            ".org",
            "//localhost",
            "//a.b",
            "a.рф",
            "xn--p1ai",
            ".museum/",
        ),
        "mailto:a@b.co",
        "\x1b[31m",
        "\u202e",
        "\u2028",
        "\x00",
        "é",
        "a",
        "b",
    ),
)
MARKUP = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=8).map(
    "".join
)


def tokens(page: str) -> list[Token]:
    """All tokens of a page, those within lines too."""
    return [
        inner
        for token in PARSER.parse(page)
        for inner in (token, *(token.children or ()))
    ]
