"""Files that others may have written, read within limits of size and depth."""

import collections
import json
import os
from typing import Any

from kerasseq.on_device.archive import open_regular

# Far above any list of words, labels or measurements.
MOST_BYTES = 1 << 24
MOST_DEPTH = 32
# Weights hardly compress, and text some ten times; bytes below which neither matters.
MOST_EXPANSION, SMALL = 20, 1 << 20


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file.

    Raises:
        OSError: the file cannot be opened, or is not an ordinary one.
        ValueError: it is not UTF-8 and JSON, has more than 16 MiB, is nested more than
            32 deep, or holds half of a surrogate pair.
    """
    with open_regular(path) as file:
        return parse_json(file.read(MOST_BYTES + 1))


def parse_json(data: bytes) -> Any:
    """The value of UTF-8 JSON; raises ValueError as `read_json`."""
    if len(data) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
    try:
        value = json.loads(data.decode())
    except RecursionError:
        raise ValueError(f"it is nested more than {MOST_DEPTH} deep") from None
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    if level:
        raise ValueError(f"it is nested more than {MOST_DEPTH} deep")
    try:
        # JSON's escapes can spell half characters, which no file could hold.
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"it holds the lone surrogate U+{ord(error.object[error.start]):04X}, "
            "which is half a character"
        ) from None
    return value


def read_names(path: str | os.PathLike, key: str) -> tuple[str, ...]:
    """Read a JSON file that lists names, `{key: ["first", "second"]}`.

    Raises:
        OSError: the file cannot be opened.
        ValueError: as `read_json`, or it is not a list of distinct, non-empty strings
            under this key.
    """
    return names_in(read_json(path), key)


def names_in(value: Any, key: str) -> tuple[str, ...]:
    """As `read_names`, from what the file holds."""
    if not isinstance(value, dict) or not isinstance(value.get(key), list):
        raise ValueError(f"it has no list under the key {key!r}")
    return check_names(value[key])


def check_names(names: Any) -> tuple[str, ...]:
    """Names as a tuple; raises ValueError unless they are distinct, non-empty text."""
    names = tuple(names)
    for name in names:
        if not isinstance(name, str) or not name:
            raise ValueError(
                f"{shortened(name)} is not a name, which is text in quotes"
            )
    if len(set(names)) < len(names):
        twice = collections.Counter(names).most_common(1)[0][0]
        raise ValueError(f"{shortened(twice)} is listed twice")
    return names


def shortened(value: Any) -> str:
    """A value for an error message: on one line, in at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def check_expansion(claimed: int, size: int) -> None:
    """Check that what a file claims to hold is in proportion to its own size.

    Args:
        claimed: the bytes that reading it would take.
        size: of the file, in bytes.

    Raises:
        ValueError: `claimed` is more than 20 times `size`, and more than 1 MiB.
    """
    if claimed > max(SMALL, MOST_EXPANSION * size):
        raise ValueError(f"it claims {claimed:,} bytes in a file of {size:,}")
