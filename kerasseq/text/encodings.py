"""Texts in other encodings than UTF-8: what one is written in, with a sample of it."""

import codecs
import os
import re
import sys
from pathlib import Path

from kerasseq.files.reading import shortened
from kerasseq.on_device.command import visible

# UTF-32's mark in little endian begins with that of UTF-16.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What texts are still found in: without the many that differ from these in a few signs.
COMMON = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("cp1258", "cp874", "koi8_r", "koi8_u", "iso8859_2", "iso8859_5", "iso8859_7"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949", "mac_roman", "cp850", "cp866"),
)
NEARBY = 1 << 14  # bytes on each side of a fault, from which the encoding is told
SHOWN = 15  # characters on each side of what a sample is to show
MOST_SHOWN = 2  # readings
ASCII = bytes(range(128))
# The euro, the ellipsis, quotation marks, the bullet, dashes and the trade mark.
QUOTES = bytes([0x80, 0x85, *range(0x91, 0x98), 0x99])
C1 = re.compile("[\x80-\x9f]")


def text_encoding(name: str) -> str:
    """A check: Python's name of an encoding of texts, such as "cp1252" for "CP1252".

    Raises:
        ValueError: Python knows no encoding of this name.
    """
    try:
        "a".encode(name)
        codecs.getincrementaldecoder(name)
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        raise ValueError(
            f"{shortened(name)} is no encoding of texts that Python knows; give one "
            "such as cp1252, latin1, utf-16 or shift_jis"
        ) from None
    return "utf-8" if known == "utf-8-sig" else known


def marked_encoding(start: bytes) -> str | None:
    """The encoding that a file's first bytes name by a byte order mark, or None."""
    return next((MARKS[mark] for mark in MARKS if start.startswith(mark)), None)


def advise(data: bytes, fault: int) -> str:
    """What to do about a text that is not UTF-8, for the end of an error message.

    Text of a Latin alphabet is taken for cp1252 first, the usual encoding of Windows,
    since detectors guess badly there. Then comes what the detector says.

    Args:
        data: the text, or a section of it.
        fault: index of the first byte that is not UTF-8.
    """
    nearby = _section(data, fault)
    decoded = nearby.decode("utf-8", "replace")
    wrong = decoded.count("\ufffd")
    if sum(character > "\x7f" for character in decoded) > 2 * wrong + 1:
        return "the text around it is UTF-8, so the file is damaged: correct it there"
    # Imported here, since few need it.
    from charset_normalizer import from_bytes

    guesses = from_bytes(nearby, cp_isolation=list(COMMON))
    names = [guess.encoding for guess in guesses]
    foreign = len(nearby.translate(None, ASCII + QUOTES))
    if 2 * foreign < sum(map(str.isalpha, decoded)):
        names = ["cp1252", *names]
    readings: dict[str, str] = {}
    for name in names:
        text = nearby.decode(name, "replace")
        if "\ufffd" not in text and text not in readings.values():
            readings[name] = text
    if not readings:
        return "convert it to UTF-8, or name its encoding with --encoding"
    shown = _samples(dict(list(readings.items())[:MOST_SHOWN]))
    samples = ", or as ".join(f"{name} {sample}" for name, sample in shown.items())
    return f"it reads as {samples}: give --encoding {' or '.join(shown)}"


def _section(data: bytes, fault: int) -> bytes:
    """The lines around a fault that are not ASCII, with no character cut."""
    start, end = max(0, fault - NEARBY), fault + NEARBY
    nearby = data[start:end]
    before = re.search(rb"[ \n]", nearby[: fault - start]) if start else None
    after = max(nearby.rfind(b" "), nearby.rfind(b"\n"))
    if end >= len(data) or after <= fault - start:
        after = len(nearby)
    lines = nearby[before.end() if before else 0 : after].split(b"\n")
    return b"\n".join(line for line in lines if not line.isascii())


def _samples(readings: dict[str, str]) -> dict[str, str]:
    """A quoted sample of each reading, where they differ first or leave ASCII."""
    texts = list(readings.values())
    columns = list(zip(*texts, strict=False))
    special = (
        index
        for index, column in enumerate(columns)
        if (len(set(column)) > 1 if len(texts) > 1 else column[0] > "\x7f")
    )
    start = max(0, next(special, 0) - SHOWN)
    return {
        name: shortened(" ".join(text[start : start + 2 * SHOWN].split()))
        for name, text in readings.items()
    }


def point_out_controls(path: str | os.PathLike, text: str) -> None:
    """Say on standard error which control characters U+0080 to U+009F a text holds.

    No language has them: they are left where text in cp1252 was read as latin1.
    """
    found = sorted(set(C1.findall(text)))
    if not found:
        return
    named = ", ".join(
        f"U+{ord(each):04X}"
        + f" ({each.encode('latin1').decode('cp1252', 'ignore')})".replace(" ()", "")
        for each in found[:5]
    )
    more = f" and {len(found) - 5} more" * (len(found) > 5)
    line = (
        f"{Path(path).name} holds the control characters {named}{more}: it was "
        "probably converted from cp1252 as if it were latin1; give the file as it was "
        "before, with --encoding cp1252"
    )
    print(visible(line), file=sys.stderr)
