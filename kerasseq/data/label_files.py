"""Files with a label and a text in each row: TSV, CSV, and fastText's form."""

import contextlib
import csv
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from kerasseq.files.reading import shortened
from kerasseq.text.reading import read_lines

FASTTEXT = "__label__"
# A header has one of each, in any capitals.
LABEL_NAMES = "label labels class category target sentiment intent".split()
TEXT_NAMES = "text sentence message review comment content tweet utterance".split()
DIVIDERS = {"\t": "tab", ",": "comma", ";": "semicolon"}


class Row(NamedTuple):
    """The cells of a row, or a label and a text, with the number of its first line."""

    line: int
    cells: Sequence[str]


class LabelFile(NamedTuple):
    """The label and the text of each row, and what the file's form was, in words."""

    rows: list[Row]
    form: str


def read_label_file(
    path: str | os.PathLike,
    label_column: str = "",
    text_column: str = "",
    encoding: str = "utf-8",
) -> LabelFile:
    """Read a file of labels and texts, whose form follows from its content.

    A file whose first line begins with `__label__` is fastText's, one with a tab in it
    is TSV, and any other is CSV, divided by commas or else by semicolons. In TSV,
    quotation marks are those of CSV if all rows can be read so. Without names or
    numbers of columns, a first line with both a usual name of labels and one of texts
    is a header, and otherwise two columns are a label and a text.

    Args:
        path: of the file.
        label_column: its name in the first line, or its number from 1.
        text_column: as `label_column`.
        encoding: of the file.

    Returns:
        Rows as they are in the file, without blank ones. Tabs and line ends in quoted
        cells are spaces.

    Raises:
        ValueError: the file cannot be read, or breaks one of these rules; the message
            says where and why.
    """
    lines = [text for _, text in read_lines(path, encoding)]
    first = next((text for text in lines if text.strip()), "")
    if first.startswith(FASTTEXT):
        return LabelFile(_fasttext(path, lines), "fastText")
    rows, name, divider = _table(path, lines, first)
    if not rows:
        return LabelFile([], name)
    count = max(2, len(rows[0].cells))
    label, text, header = _columns(path, rows[0], label_column, text_column)
    for line, cells in rows:
        if len(cells) != count:
            wanted = (
                f"give two, a label and a sentence, with one {divider} between them"
                if count == 2
                else f"line {rows[0].line} has {count}; quote cells with a {divider}"
            )
            raise ValueError(
                f"{path}:{line} has {len(cells)} columns; {wanted}: "
                f"{shortened(' '.join(cells))}"
            )
    form = (
        f"{name}{' with a header' * header}, {count} columns, label in column "
        f"{label + 1}, text in column {text + 1}"
    )
    pairs = [Row(line, (cells[label], cells[text])) for line, cells in rows[header:]]
    return LabelFile(pairs, form)


def _fasttext(path: str | os.PathLike, lines: Sequence[str]) -> list[Row]:
    rows = []
    for line, text in enumerate(lines, 1):
        if not text.strip():
            continue
        label, _, sentence = re.split("([ \t]+|$)", text.strip(), maxsplit=1)
        if not label.startswith(FASTTEXT) or sentence.startswith(FASTTEXT):
            raise ValueError(
                f"{path}:{line} has no label, or two; begin each line with one, as "
                f"{FASTTEXT}name, and a space: {shortened(text)}"
            )
        rows.append(Row(line, (label.removeprefix(FASTTEXT), sentence)))
    return rows


def _table(
    path: str | os.PathLike, lines: Sequence[str], first: str
) -> tuple[list[Row], str, str]:
    """The rows of TSV or CSV, what it is, and the name of what divides columns."""
    plain = [
        Row(line, text.split("\t"))
        for line, text in enumerate(lines, 1)
        if text.strip()
    ]
    if "\t" in first:
        if any(re.search('(^|\t)"', text) for text in lines):
            try:
                quoted = _csv_rows(path, lines, "\t")
            except ValueError:
                quoted = []
            # Two quotation marks far apart would hide all rows between them.
            hiding = any(
                "\t" in cell and "\n" in cell for row in quoted for cell in row.cells
            )
            if _regular(quoted) and not hiding:
                return _on_lines(quoted), "quoted TSV", "tab"
        return plain, "TSV", "tab"
    dividers = [divider for divider in ",;" if divider in first]
    for divider in dividers:
        with contextlib.suppress(ValueError):
            rows = _csv_rows(path, lines, divider)
            if _regular(rows):
                return _on_lines(rows), "CSV", DIVIDERS[divider]
    if not dividers:
        return plain, "TSV", "tab"
    rows = _csv_rows(path, lines, dividers[0])
    return _on_lines(rows), "CSV", DIVIDERS[dividers[0]]


def _csv_rows(path: str | os.PathLike, lines: Sequence[str], divider: str) -> list[Row]:
    """The rows of CSV, as the standard library reads it."""
    reader = csv.reader((f"{text}\n" for text in lines), delimiter=divider, strict=True)
    rows, line = [], 1
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                rows.append(Row(line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{path}:{line} begins a row that is not CSV ({error}); put quotation "
            "marks around the whole cell and write those in it twice"
        ) from None
    return rows


def _regular(rows: Sequence[Row]) -> bool:
    """Whether all rows have the same number of columns, two at least."""
    counts = {len(row.cells) for row in rows}
    return len(counts) == 1 and counts.pop() > 1


def _on_lines(rows: Sequence[Row]) -> list[Row]:
    """Rows whose cells hold no tab and no line end, so that each fits on a line."""
    return [
        Row(line, [re.sub("[\t\r\n]+", " ", cell) for cell in cells])
        for line, cells in rows
    ]


def _columns(
    path: str | os.PathLike, first: Row, label: str, text: str
) -> tuple[int, int, bool]:
    """Indices of the label and the text, and whether the first row is a header."""
    names = [cell.strip().lower() for cell in first.cells]
    if len(names) == 1:  # refused where the rows are read
        return 0, 1, False
    usual = [
        next((index for index, name in enumerate(names) if name in known), -1)
        for known in (LABEL_NAMES, TEXT_NAMES)
    ]
    header = -1 not in usual
    found = usual if header else [0, 1] if len(names) == 2 else [-1, -1]
    for side, given in enumerate((label, text)):
        if not given:
            continue
        if given.strip().lower() in names:
            found[side], header = names.index(given.strip().lower()), True
        elif given.isdecimal() and 0 < int(given) <= len(names):
            found[side] = int(given) - 1
        else:
            raise ValueError(
                f"{path}:{first.line} has no column {shortened(given)}; its columns "
                f"are {shortened(tuple(first.cells))}"
            )
    if len(names) == 2 and bool(label) != bool(text) and found[0] == found[1]:
        found[bool(label)] = 1 - found[not label]
    if -1 in found or found[0] == found[1]:
        raise ValueError(
            f"{path}:{first.line} has {len(names)} columns, "
            f"{shortened(tuple(first.cells))}; say which are the label and the text, "
            "by name or from 1, with --label-column and --text-column"
        )
    return found[0], found[1], header
