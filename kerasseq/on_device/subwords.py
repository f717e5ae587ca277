"""From a text to the ids of pieces of words, and back."""

from collections.abc import Iterable, Sequence

import numpy as np

PAD, START, END = range(3)
FIRST_BYTE, FIRST_PIECE = 3, 259


def encode_pieces(text: str, pieces: Sequence[str]) -> np.ndarray:
    """Ids of a text, by longest match from left to right over its UTF-8.

    Args:
        text: gets a space in front. A lone surrogate becomes U+FFFD.
        pieces: the vocabulary; the first has id 259.

    Returns:
        int32 (T,), T at least 1.
    """
    ids = {bytes([byte]): FIRST_BYTE + byte for byte in range(256)}
    ids |= {each.encode(): FIRST_PIECE + index for index, each in enumerate(pieces)}
    longest = max(map(len, ids))
    # UTF-16 joins surrogates that are a pair.
    halves = (" " + text).encode("utf-16-le", "surrogatepass")
    content = halves.decode("utf-16-le", "replace").encode()
    found = []
    start = 0
    while start < len(content):
        ends = range(min(start + longest, len(content)), start, -1)
        end = next(end for end in ends if content[start:end] in ids)
        found.append(ids[content[start:end]])
        start = end
    return np.array(found, np.int32)


def decode_pieces(ids: Iterable[int], pieces: Sequence[str]) -> str:
    """The text of ids, without the space in front, padding, start and end.

    Bytes that are not UTF-8 become U+FFFD.
    """
    content = b"".join(
        pieces[each - FIRST_PIECE].encode()
        if each >= FIRST_PIECE
        else bytes([each - FIRST_BYTE])
        for each in map(int, ids)
        if each >= FIRST_BYTE
    )
    return content.decode("utf-8", "replace").removeprefix(" ")
