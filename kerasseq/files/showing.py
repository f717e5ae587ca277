"""Foreign text on one line of a terminal or a page."""


def on_one_line(text: str) -> str:
    r"""Text with Python's escapes for characters that are not shown.

    Among them are newlines, escape sequences and what changes the direction of writing.

    Example:
        >>> print(on_one_line("a\nb\x1b[31m"))
        a\nb\x1b[31m
    """
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape").decode()
        for character in text
    )
