"""Sizes in words."""


def counted(count: int, noun: str) -> str:
    """A count and its noun, such as "1 block" or "2,000 blocks"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
