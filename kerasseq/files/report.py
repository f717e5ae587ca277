"""The report of a run: `report.json` for programs, `REPORT.md` for people."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasseq.files.writing import write_file


@dataclass(frozen=True)
class Check:
    """One promise about a file, and whether it holds.

    Attributes:
        file: name of the file.
        promise: description of what was measured.
        value: the measured value.
        limit: the largest value that passes; None if it must equal `expected`.
        expected: the value that passes if there is no limit.
    """

    file: str
    promise: str
    value: Any
    limit: float | None = None
    expected: Any = None

    @property
    def passed(self) -> bool:
        if self.limit is not None:
            return bool(self.value <= self.limit)  # NaN never passes
        return bool(self.value == self.expected)

    def row(self) -> dict[str, Any]:
        """The check as a row of the report."""
        bar = self.expected if self.limit is None else f"at most {self.limit:g}"
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
    """Raise ChecksFailed with every check that failed, if there is one."""
    failed = [check for check in checks if not check.passed]
    if failed:
        lines = (
            f"{c.file}: {c.promise}: {c.value}, wanted {c.row()['bar']}" for c in failed
        )
        raise ChecksFailed("\n".join(lines))


def read_report(directory: str | os.PathLike) -> dict[str, Any]:
    """The report of a run so far; empty if there is none."""
    try:
        text = (Path(directory) / "report.json").read_text(encoding="utf-8")
        return dict(json.loads(text))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def record(directory: str | os.PathLike, key: str, section: Mapping[str, Any]) -> None:
    """Put a section into the report, replacing one with the same key.

    Args:
        directory: of the run.
        key: of the section.
        section: values by name. A list of rows becomes a table, and so do dictionaries,
            side by side.
    """
    report = read_report(directory) | {key: section}
    write_file(Path(directory) / "report.json", json.dumps(report, indent=1) + "\n")
    write_file(Path(directory) / "REPORT.md", _markdown(report))


def _markdown(report: Mapping[str, Any]) -> str:
    lines = ["# Report", ""]
    for key, section in sorted(report.items()):
        lines += [f"## {key}", "", *_section(section)]
    return "\n".join(lines)


def _section(section: Mapping[str, Any]) -> list[str]:
    plain = {k: v for k, v in section.items() if not isinstance(v, list | dict)}
    lines = []
    if plain:
        lines += _table(_rows(plain))
    for name, value in section.items():
        if isinstance(value, dict) and value:
            lines += [f"### {name}", "", *_table(_rows(value))]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [f"### {name}", "", *_table(value)]
        elif isinstance(value, list):
            lines += [f"{name}: {', '.join(map(str, value))}", ""]
    return lines


def _rows(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows that show dictionaries side by side, or the values of one dictionary."""
    if not all(isinstance(column, dict) for column in columns.values()):
        return [{"": name, "value": value} for name, value in columns.items()]
    names = dict.fromkeys(name for column in columns.values() for name in column)
    return [
        {"": name, **{key: column.get(name) for key, column in columns.items()}}
        for name in names
    ]


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(rows[0])
    lines = [f"| {' | '.join(names)} |", "|" + " --- |" * len(names)]
    for row in rows:
        cells = (_cell(row.get(name)) for name in names)
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).replace("|", "\\|").replace("\n", " ")
