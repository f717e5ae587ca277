"""How much typing does the next-word model save, compared with a trigram?

    python -m benchmarks.next_word TEXT... [--preset fast|default|best] [--out DIR]

The model learns each UTF-8 text and is measured on its last tenth, as in
`train_all.py --words TEXT`. The trigram has the same nine tenths and the same
vocabulary, with interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999).
Both are measured with and without the cache of what was just typed. A hit is a word
that is suggested, first, among three or among five, before any of its characters is
typed; words that the keyboard does not know are misses. Keystrokes are saved when one
tap writes the rest of a word and the space after it, as `kerasseq.scores.keystrokes`
counts them.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import train_all

FRACTIONS = (
    *("hit rate at 1", "hit rate at 3", "hit rate at 5"),
    "keystrokes saved with 1 suggestion",
    "keystrokes saved",
    "keystrokes saved with 5 suggestions",
)
OTHERS = "trigram with the cache", "without the cache", "trigram"


def rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    """A column of the table, with names, from a run's report."""
    section, export = report["next_word"], report["next_word_export"]
    int8 = export["files"]["next_word_int8.tflite"]
    unknown = section["fraction of the held-out words that the vocabulary lacks"]
    column = [
        ("words", f"{section['words and punctuation marks']:,}"),
        ("words with a vector", f"{section['vocabulary_size']:,}"),
        ("rare words", f"{section['rare words in the vocabulary']:,}"),
        ("held-out words that it lacks", f"{unknown:.1%}"),
    ]
    for name in FRACTIONS:
        column.append((name, f"**{section[name]:.1%}**"))
        column += [(f"{name}, {o}", f"{section[f'{name}, {o}']:.1%}") for o in OTHERS]
    middle, most = (
        int8[f"milliseconds a word, {which}"] for which in ("median", "95 of 100")
    )
    return [
        *column,
        ("keystrokes saved by int8 above Keras, words checked", int8_above(export)),
        ("seconds of training", f"{section['seconds of training']}"),
        ("int8 file, bytes", f"{int8['bytes']:,}"),
        ("int8 file, ms a word with its suggestions", f"{middle:.2f}"),
        ("the same, 95 of 100", f"{most:.2f}"),
    ]


def int8_above(export: dict[str, Any]) -> str:
    int8 = export["files"]["next_word_int8.tflite"]
    saved = int8["keystrokes saved, interpreter"] - export["keystrokes saved, Keras"]
    return f"{saved:+.2%}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train on each text, print the table and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", nargs="+", type=Path, metavar="TEXT")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--out", type=Path, help="keep the runs there")
    options = parser.parse_args(arguments)
    columns = {}
    with tempfile.TemporaryDirectory() as directory:
        for text in options.texts:
            out = (options.out or Path(directory)) / text.stem
            command = ["--only", "next_word", "--words", str(text), "--out", str(out)]
            code = train_all.main([*command, "--preset", options.preset])
            if code:
                return code
            columns[text.name] = dict(
                rows(json.loads((out / "report.json").read_text()))
            )
    print(f"\n| | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for name in next(iter(columns.values())):
        cells = (column[name] for column in columns.values())
        print(f"| {name} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
