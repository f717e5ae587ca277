"""From a text to the ids of pieces of words, and back."""

from collections.abc import Iterable, Sequence

import numpy as np

PAD, START, END = range(3)
FIRST_BYTE = 3


class Pieces:
    """The pieces of words of a vocabulary.

    Args:
        pieces: the first has id 259; the ids before are bytes, and before them marks.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        singles = [bytes([byte]) for byte in range(256)]
        self._contents = (
            [b""] * FIRST_BYTE + singles + [each.encode() for each in pieces]
        )
        self._ids = {content: index for index, content in enumerate(self._contents)}
        self._longest = max(map(len, self._contents))

    def encode(self, text: str) -> np.ndarray:
        """Ids of a text, by longest match from left to right over its UTF-8.

        Args:
            text: gets a space in front. A lone surrogate becomes U+FFFD.

        Returns:
            int32 (T,), T at least 1.
        """
        # UTF-16 joins surrogates that are a pair.
        halves = (" " + text).encode("utf-16-le", "surrogatepass")
        content = halves.decode("utf-16-le", "replace").encode()
        ids = []
        start = 0
        while start < len(content):
            end = min(start + self._longest, len(content))
            while content[start:end] not in self._ids:
                end -= 1
            ids.append(self._ids[content[start:end]])
            start = end
        return np.array(ids, np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids, without the space in front, padding, start and end.

        Bytes that are not UTF-8 become U+FFFD.
        """
        content = b"".join(self._contents[each] for each in ids)
        return content.decode("utf-8", "replace").removeprefix(" ")

    def texts(self, ids: Iterable[int]) -> list[str]:
        """Each id as text: "" for a mark, U+FFFD for a byte of a longer character."""
        return [self._contents[each].decode("utf-8", "replace") for each in ids]
