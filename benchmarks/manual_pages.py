"""A second tagged set: `python -m benchmarks.manual_pages TRAIN.conll DEV.conll`.

The sources of this machine's manual pages set options and names in bold, and what the
reader replaces in italics. The task is to tag the text without fonts with what the
fonts say: option, name, argument. The two files share no page.
"""

import argparse
import gzip
import itertools
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from kerasseq.data.tagged import TaggedSentence, write_tagged_sentences

FOLDERS = ("man1", "man5", "man8")
SENTENCES = {"train": 3000, "dev": 1000}
SENTENCES_A_PAGE = 10
ESCAPES = {r"\-": "-", r"\&": "", r"\(aq": "'", r"\e": "\\", r"\ ": " ", r"\|": ""}


def read_page(path: Path) -> str:
    """The source of a manual page; empty if it cannot be read."""
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    except (OSError, UnicodeDecodeError, zlib.error, EOFError):
        return ""


def find_sentences(source: str) -> Iterator[TaggedSentence]:
    """Lines of running text in which a font changes."""
    for line in source.splitlines():
        if line[:1] in (".", "'", "") or not re.search(r"\\f[BI]", line):
            continue
        for escape, text in ESCAPES.items():
            line = line.replace(escape, text)
        tokens: list[str] = []
        tags: list[str] = []
        for font, text in re.findall(r"(\\f[A-Z]|^)((?:(?!\\f).)*)", line):
            words = re.findall(r"[\w@/.+-]*[\w/]|\S", text)
            if not words:
                continue
            kind = "argument" if font == r"\fI" else None
            if font == r"\fB":
                kind = "option" if words[0].startswith("-") else "name"
            tokens += words
            tags += (
                [f"B-{kind}", *[f"I-{kind}"] * (len(words) - 1)]
                if kind
                else ["O"] * len(words)
            )
        if len(tokens) >= 6 and "\\" not in "".join(tokens) and "O" in tags:
            yield TaggedSentence(tuple(tokens), tuple(tags))


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("dev", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("/usr/share/man"))
    options = parser.parse_args()
    parts: dict[str, list[TaggedSentence]] = {"train": [], "dev": []}
    pages = [page for name in FOLDERS for page in (options.folder / name).glob("*")]
    for page in sorted(pages, key=lambda page: zlib.crc32(page.name.encode())):
        # Pages of one program are alike, so they go into one file.
        family = re.split("[-_.]", page.name)[0]
        part = "train" if zlib.crc32(family.encode()) % 4 else "dev"
        if len(parts[part]) < SENTENCES[part]:
            found = find_sentences(read_page(page))
            parts[part] += itertools.islice(found, SENTENCES_A_PAGE)
    for part, path in (("train", options.train), ("dev", options.dev)):
        sentences = list(dict.fromkeys(parts[part]))[: SENTENCES[part]]
        write_tagged_sentences(path, sentences)
        print(f"{path}: {len(sentences)} sentences")


if __name__ == "__main__":
    main()
