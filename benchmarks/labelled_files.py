"""Make labelled files for benchmarks.classification from what the machine has.

    python -m benchmarks.labelled_files code [FOLDER] > code.tsv
    python -m benchmarks.labelled_files languages [FOLDER] --most 1000 > languages.tsv
    python -m benchmarks.labelled_files sayings FOLDER > sayings.tsv
    python -m benchmarks.labelled_files authors FOLDER > authors.tsv

code: a line of Python is code, a comment or part of a docstring. FOLDER is the standard
library of this Python. The # and quotes at the ends of a line, which would tell, are
left out.

languages: a message of a program is in one of 20 languages. FOLDER is
/usr/share/locale, whose gettext catalogues (Debian installs them with its programs)
hold translations. Messages of at least four words that are not the English ones.

sayings: the topic of a saying, which is its file's name. FOLDER holds the files of
Debian's packages fortunes and fortunes-min, usr/share/games/fortunes.

authors: who said it, of those with at least 20 sayings in the same files.

A line is in a file once, and a class has at most --most lines, drawn with a fixed seed,
and at least 20. The files depend on the machine: compare figures of the same file only.
"""

import argparse
import ast
import gettext
import io
import random
import re
import sys
import sysconfig
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasseq.text.words import split_words

LANGUAGES = 20
FEWEST = 20


def code(folder: Path) -> Iterator[tuple[str, str]]:
    """Lines of Python with what they are."""
    for path in sorted(folder.glob("*.py")):
        source = path.read_text(encoding="utf-8", errors="replace")
        docstrings: set[int] = set()
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Expr(value=ast.Constant(value=str()), end_lineno=int(last)):
                    docstrings.update(range(node.lineno, last + 1))
        comments = {
            token.start[0]
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT and token.line.strip().startswith("#")
        }
        for number, line in enumerate(source.split("\n"), start=1):
            kind = "comment" if number in comments else "code"
            yield "docstring" if number in docstrings else kind, line.strip(" \t#\"'")


def languages(folder: Path) -> Iterator[tuple[str, str]]:
    """Translated messages of programs with their language."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.glob("*/LC_MESSAGES/*.mo")):
        language = path.parts[-3]
        if not re.fullmatch("[a-z]+", language):
            continue  # of one country
        try:
            with path.open("rb") as file:
                catalogue: Any = gettext.GNUTranslations(file)
        except (OSError, ValueError, LookupError):
            continue
        found[language] += [
            message.split("\n")[0]
            for english, message in catalogue._catalog.items()
            if english and isinstance(message, str) and message != english
        ]
    for language in sorted(found, key=lambda name: -len(found[name]))[:LANGUAGES]:
        for line in found[language]:
            if len(line.split()) >= 4:
                yield language, line


def sayings(folder: Path) -> Iterator[tuple[str, str]]:
    """Sayings with the name of the file that they are in."""
    for path in sorted(folder.iterdir()):
        if not path.suffix and path.is_file():
            for saying in path.read_text("utf-8", "replace").split("\n%\n"):
                yield path.name, saying


def authors(folder: Path) -> Iterator[tuple[str, str]]:
    """Sayings with who said them."""
    for _, saying in sayings(folder):
        if match := re.search(r"\n\s+-- ([A-Z][^\n,\"\[(]+)", saying):
            yield match[1].strip(), saying[: match.start()]


def main() -> None:
    """Read the command line and write the lines."""
    kinds = {
        "code": (code, sysconfig.get_path("stdlib")),
        "languages": (languages, "/usr/share/locale"),
        "sayings": (sayings, ""),
        "authors": (authors, ""),
    }
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--most", type=int, default=2_500)
    options = parser.parse_args()
    read, usual = kinds[options.kind]
    if not (folder := options.folder or usual):
        parser.error(f"{options.kind} needs a folder")
    by_class: dict[str, list[str]] = defaultdict(list)
    seen = set()
    for label, text in read(Path(folder)):
        line = " ".join(text.split())[:5_000]
        if len(split_words(line)) >= 3 and line not in seen and line[0] != '"':
            seen.add(line)
            by_class[label].append(line)
    draw = random.Random(0)
    rows = [
        (label, line)
        for label, lines in sorted(by_class.items())
        if len(lines) >= FEWEST
        for line in draw.sample(lines, min(options.most, len(lines)))
    ]
    draw.shuffle(rows)
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.writelines(f"{label}\t{line}\n" for label, line in rows)


if __name__ == "__main__":
    main()
