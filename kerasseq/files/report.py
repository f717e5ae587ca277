"""The report of a run: `report.json` for programs, `REPORT.md` for people."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasseq.files.markdown import plain
from kerasseq.files.reading import read_json, shortened
from kerasseq.files.writing import write_file
from kerasseq.on_device.command import visible

# What it means that a file fails a check, and what to do.
WRONG = (
    "it does not compute what the Keras model computes: do not use it, export again "
    "with `kerasseq export`, and report it with report.json if it fails again"
)
COARSE = (
    "its weights have too few bits for this model, and it answers worse than the Keras "
    "model: use a file with more bits, such as the one in float32"
)


@dataclass(frozen=True)
class Check:
    """One promise about a file, and whether it holds.

    Attributes:
        file: name of the file.
        promise: description of what was measured.
        value: the measured value.
        limit: the largest value that passes; None if it must equal `expected`.
        expected: the value that passes if there is no limit.
        if_failed: what a failure means for whoever uses the file, and what to do; empty
            for `WRONG`, or `COARSE` for a file with fewer bits than float32.
    """

    file: str
    promise: str
    value: Any
    limit: float | None = None
    expected: Any = None
    if_failed: str = ""

    @property
    def passed(self) -> bool:
        if self.limit is not None:
            return bool(self.value <= self.limit)  # NaN never passes
        return bool(self.value == self.expected)

    def row(self) -> dict[str, Any]:
        """The check as a row of the report."""
        bar = self.expected if self.limit is None else f"at most {_value(self.limit)}"
        return {
            "file": self.file,
            "promise": self.promise,
            "value": self.value,
            "bar": bar,
            "passed": self.passed,
        }


class ChecksFailed(Exception):
    """Files were written that failed their checks; the message lists them."""


def require(checks: Sequence[Check]) -> None:
    """Raise ChecksFailed with every check that failed, if there is one.

    Each file's failures are followed by what they mean.
    """
    failed: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        if not check.passed:
            coarse = any(
                f"_{bits}." in check.file for bits in ("float16", "int8", "int4")
            )
            meaning = check.if_failed or (COARSE if coarse else WRONG)
            failed.setdefault((check.file, meaning), []).append(
                f"{check.file}: {check.promise}: {_value(check.value)}, wanted "
                f"{_value(check.row()['bar'])}"
            )
    if failed:
        lines = [
            line
            for (file, meaning), found in failed.items()
            for line in (*found, f"{file}: that means {meaning}")
        ]
        raise ChecksFailed("\n".join(lines))


def read_report(directory: str | os.PathLike) -> dict[str, Any]:
    """The report of a run so far; empty if there is none.

    Raises:
        ValueError: `report.json` cannot be read as an object of objects.
    """
    path = Path(directory) / "report.json"
    try:
        report = read_json(path)
        if not isinstance(report, dict):
            raise ValueError(f"it is {shortened(report)}")
        for key, section in report.items():
            if not isinstance(section, dict):
                raise ValueError(f"{shortened(key)} is {shortened(section)}")
        return report
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path} is not the report of a run ({error}); move it away, or give "
            "another folder"
        ) from None


def record(directory: str | os.PathLike, key: str, section: Mapping[str, Any]) -> None:
    """Put a section into the report, replacing one with the same key.

    A `report.json` that cannot be read, which a run refuses before it begins, is moved
    to `report.json.unreadable`, so that the section is not lost.

    Args:
        directory: of the run.
        key: of the section.
        section: values by name. A list of rows becomes a table, and so do dictionaries,
            side by side.
    """
    path = Path(directory) / "report.json"
    try:
        report = read_report(directory)
    except ValueError as error:
        report = {}
        path.replace(path.with_suffix(".json.unreadable"))
        print(visible(f"{error}; it is now {path}.unreadable"), file=sys.stderr)
    report |= {key: section}
    write_file(path, json.dumps(report, indent=1) + "\n")
    write_file(path.with_name("REPORT.md"), as_markdown(report))


def as_markdown(report: Mapping[str, Any]) -> str:
    """The report as Markdown, whatever JSON its sections hold."""
    lines = ["# Report", ""]
    for key, section in sorted(report.items()):
        lines += [f"## {plain(key)}", "", *_section(section)]
    return "\n".join(lines)


def _section(section: Mapping[str, Any]) -> list[str]:
    tables: dict[str, list[dict[str, Any]]] = {}
    single = {}
    for name, value in section.items():
        if isinstance(value, dict) and (rows := _rows(value)):
            tables[name] = rows
        elif value and isinstance(value, list) and all(map(_is_row, value)):
            tables[name] = value
        else:
            single[name] = value
    lines = _table(_pairs(single)) if single else []
    for name, rows in tables.items():
        lines += [f"### {plain(name)}", "", *_table(rows)]
    return lines


def _is_row(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def _rows(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows that show dictionaries side by side, or the values of one dictionary."""
    if not all(isinstance(column, dict) for column in columns.values()):
        return _pairs(columns)
    names = dict.fromkeys(name for column in columns.values() for name in column)
    return [
        {"": name, **{key: column.get(name) for key, column in columns.items()}}
        for name in names
    ]


def _pairs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"": name, "value": value} for name, value in values.items()]


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(rows[0])
    lines = [f"| {' | '.join(map(plain, names))} |", "|" + " --- |" * len(names)]
    for row in rows:
        cells = (_cell(row.get(name)) for name in names)
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return plain(_value(value))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
