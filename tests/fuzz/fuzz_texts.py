"""Give the readers of the user's files bad input: `python tests/fuzz/fuzz_texts.py`.

The formats are texts of characters and of words, labelled and tagged sentences, pairs,
and the files of the cache. A case is random bytes, a good file with some bytes changed,
or a file that is built of the format's own pieces and of what breaks them. Each must
end in what another, simpler reading finds, or in one ValueError with one line that can
be shown; for the cache, in the very text or in nothing. Warnings count as errors, and a
line of a megabyte may not take much memory. The cases are random with a fixed seed.

With --guided, atheris (pip install atheris) chooses bytes that reach new code.
"""

import argparse
import contextlib
import csv
import io
import json
import os
import random
import re
import sys
import tempfile
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FunctionType

sys.path.insert(0, str(Path(__file__).parents[2]))

from kerasseq.data.labelled import read_labelled_sentences
from kerasseq.data.pairs import read_pairs
from kerasseq.data.tagged import (
    read_tagged_file,
    read_tagged_sentences,
    write_tagged_sentences,
)
from kerasseq.text.cache import find_ids
from kerasseq.text.cache_folder import cache_folder
from kerasseq.text.corpus import Corpus, load_corpus
from kerasseq.text.keyboard import TypedText, TypedVocabulary
from kerasseq.text.reading import read_text
from kerasseq.text.words import WordVocabulary, read_sentences, split_words

# Characters of a message, of which the file's own name is a few.
LONGEST = 500
# Bytes of memory for each byte of a file: a word of one letter is an object, twice
# here, since another reading finds it too.
MOST_MEMORY = 150

Chance = random.Random

# --- what another reading finds


def whole(content: bytes) -> str:
    return content.decode().removeprefix("\ufeff")


def characters(path: Path, content: bytes) -> None:
    """A text is what Python decodes, and so is what the cache says the second time."""
    for _ in range(2):
        assert load_corpus(path).text == whole(content)


def words(path: Path, content: bytes) -> None:
    """Sentences have the words of the whole text, in its order."""
    sentences = read_sentences(path)
    found = [word for sentence in sentences for word in split_words(sentence)]
    assert found == split_words(whole(content))
    known = WordVocabulary.from_sentences(sentences)
    assert set(known.words[3:]) == {word for word in found if len(word) <= 60}


def typed(path: Path, content: bytes) -> None:
    """Words of a keyboard are told from the text that is left."""
    text = TypedText.from_text(read_text(path))
    vocabulary = TypedVocabulary.from_text(text, 1000)
    assert {word.lower() for word in vocabulary.words[vocabulary.first :]} <= {
        form.lower() for form in text.forms
    }


def labelled(path: Path, content: bytes) -> None:
    found = read_labelled_sentences(path)
    lines = [line for line in whole(content).split("\n") if line.strip()]
    rows = [line.split("\t") for line in lines]
    if not found.form.startswith("TSV"):
        divider = "\t" if "TSV" in found.form else "," if "," in lines[0] else ";"
        source = io.StringIO(whole(content), newline="")
        rows = [row for row in csv.reader(source, delimiter=divider) if any(row)]
        rows = [[re.sub("[\t\r\n]+", " ", cell) for cell in row] for row in rows]
    assert [row[0].strip() for row in rows] == list(found.labels)
    assert [row[1].strip() for row in rows] == list(found.sentences)
    assert {len(row) for row in rows} == {2}
    assert found.labels.count(found.labels[0]) > 1, "a header looks like that"
    assert len(found.classes) > 1


def tagged(path: Path, content: bytes) -> None:
    found, scheme = read_tagged_file(path)
    blocks = re.split(r"\n\s*\n", whole(content).replace("\r", ""))
    lines = [line for block in blocks for line in block.split("\n") if line.strip()]
    rows = [re.split("[ \t]+", line.strip(" \t")) for line in lines]
    marked = [pair for each in found for pair in zip(*each, strict=True)]
    assert [token for token, _ in marked] == [row[0] for row in rows]
    assert [tag[1:] for _, tag in marked] == [row[-1][1:] for row in rows]
    if scheme.startswith("BIO,"):
        assert [tag for _, tag in marked] == [row[-1] for row in rows]
    write_tagged_sentences(path, found)
    assert read_tagged_sentences(path) == found


def pairs(path: Path, content: bytes) -> None:
    with contextlib.redirect_stderr(io.StringIO()) as said:
        found = read_pairs(path)
    lines = [line for line in whole(content).split("\n") if line.strip()]
    assert ["".join("".join(pair).split()) for pair in found] == [
        "".join(line.split()) for line in lines
    ]
    assert all(side.strip() == side != "" for pair in found for side in pair)
    assert not any("\t" in side for pair in found for side in pair)
    stray = [line for line in lines if line.count("\t") > 1]
    assert said.getvalue().count("stray tab") == bool(stray)
    assert f"each of {len(stray):,} lines" in said.getvalue() or not stray


# --- the cases

PIECES = {
    characters: [
        "a",
        "é",
        "好",
        "😀",
        "\n",
        "\r\n",
        " ",
        "\ufeff",
        "\u2028",
        "\x1b[31m",
    ],
    words: ["a", "A ", "Σ ", "İ", "ß ", " ", "\n", "\r", "\v", "\u2028", "\u00a0", "é"],
    typed: ["a ", "A. ", "don't ", "İ", "ﬁ ", "\n", "\r\n", "١٢ ", "…", "\u200d", "好"],
    labelled: ["ham\ta\n", "spam\tb c\n", "\t", "\n", " ", "x\n", "\r\n", "é\t好\n"],
    tagged: ["a\tO\n", "b\tB-x\n", "c\tI-x\n", "\n", "\t", " ", "d\tB-y\n", "\r\n"],
    pairs: ["a b\tc\n", "é\t好\n", "\t", "\n", '"', " ", "x\t\n", "\r\n", "y"],
}
# Formats in which most orders of all pieces are wrong.
GOOD = PIECES | {
    labelled: ["ham\ta\n", "spam\tb c\n", "é\t好 😀\n", "\n"],
    tagged: ["a\tO\n", "b\tB-x\nc\tI-x\n", "\n", "d\tB-y\r\n"],
    pairs: ["a b\tc\n", 'd "e\tf\t\n', '"g\th"\ti\r\n', "\n"],
}
# What breaks formats, terminals and messages.
BREAKING = [
    "\0",
    "\x1b]0;title\x07",
    "\u202eturned\u2066",
    "\x85\u2029",
    "a\tB-\x1b[2J\n",
    "a\tI-\u202e\n",
    "\x1b[31m\tone\n",
    "<script>|`*_",
    "\U000e0041\ufff9",
]
LONG = [
    "x",
    "\t",
    "\n",
    "x\tO\n",
    "x\tB-{}\n",
    "{}\ty\n",
    "B-{}",
    " ",
    "\x1b",
    "\u202e",
]
FORMATS = tuple(PIECES)


def good(chance: Chance, form: Callable) -> bytes:
    return "".join(chance.choices(GOOD[form], k=chance.randint(1, 60))).encode()


def random_bytes(chance: Chance, form: Callable) -> bytes:
    return chance.randbytes(chance.choice([0, 1, 2, 3, 9, 99, 999]))


def changed(chance: Chance, form: Callable) -> bytes:
    """A good file with bytes changed, cut out, repeated or put in."""
    data = bytearray(good(chance, form) * chance.choice([1, 1, 1, 30]))
    for _ in range(chance.choice([1, 1, 2, 9])):
        start, size = chance.randrange(len(data) + 1), chance.choice([1, 2, 9])
        inserted = chance.choice(
            [b"", chance.randbytes(size), bytes(data[start : start + size]) * 2]
        )
        data[start : start + chance.choice([0, size])] = inserted
    return bytes(data)


def built(chance: Chance, form: Callable) -> bytes:
    """The pieces of the format, and those that break one."""
    pieces = chance.choices(PIECES[form], k=chance.randint(1, 30))
    for _ in range(chance.choice([1, 1, 3])):
        pieces.insert(chance.randrange(len(pieces) + 1), chance.choice(BREAKING))
    return "".join(pieces).encode()


def long(chance: Chance, form: Callable) -> bytes:
    """One piece of very many characters somewhere in a good file."""
    size = chance.choice([300, 999, 1001, 10_001, 50_000])
    piece = chance.choice(LONG)
    much = piece.replace("{}", chance.choice("xé\x1b") * size)
    if much == piece:
        much = piece * size
    pieces = chance.choices(GOOD[form], k=chance.randint(1, 20))
    pieces.insert(chance.randrange(len(pieces) + 1), much)
    return "".join(pieces).encode()


KINDS = (random_bytes, changed, built, long)

# --- the cache

TEXT = "aé好\n" * 50


def forged(chance: Chance, ids: bytes, card: dict) -> tuple[bytes, bytes]:
    """Files of the cache that somebody else wrote, or a disk damaged."""
    way = chance.randrange(6)
    characters = list(card["characters"])
    if way == 0:
        return chance.randbytes(len(ids)), json.dumps(card).encode()
    if way == 1:
        data = bytearray(ids)
        data[chance.randrange(len(data))] = chance.choice([0, 1, 3, 4, 255])
        return bytes(data), json.dumps(card).encode()
    if way == 2:
        return ids[: chance.randrange(len(ids))], json.dumps(card).encode()
    if way == 3:
        values = [None, 1, "", "ab", [], {}, "\ud800", "😀", ["a"], 1e999, True]
        place = chance.randrange(len(characters))
        characters[place] = chance.choice(values)  # type: ignore[call-overload]
        changed: object = {"characters": characters}
        if chance.random() < 0.5:
            changed = chance.choice([{"characters": chance.choice(values)}, *values])
        return ids, json.dumps(changed).encode()
    if way == 4:
        more = chance.choice([["😀"], [chr(0x4E00 + n) for n in range(300)]])
        characters = sorted({*characters, *more})
        return ids, json.dumps({"characters": characters}).encode()
    text = bytearray(json.dumps(card).encode())
    place = chance.randrange(len(text))
    text[place : place + 1] = chance.choice([b"", b"\xff", b"[" * 9999, b"9" * 9999])
    return ids, bytes(text)


def judge_cache(chance: Chance, folder: Path) -> str:
    """`unused` or `used`: a forgery is not used, unless it says the same."""
    path = folder / "text"
    path.write_text(TEXT, encoding="utf-8")
    sha256 = load_corpus(path).sha256
    files = [cache_folder() / f"{sha256}.{kind}" for kind in ("ids", "json")]
    ids, card = (file.read_bytes() for file in files)
    for file, content in zip(files, forged(chance, ids, json.loads(card)), strict=True):
        file.write_bytes(content)
    found = find_ids(sha256)
    assert not found or Corpus("", *found, sha256).text == TEXT
    assert load_corpus(path).text == TEXT
    return "used" if found else "unused"


# --- judging


def judge(form: Callable, content: bytes, path: Path) -> str:
    """`read` or `refused`; anything else is an exception."""
    path.write_bytes(content)
    try:
        form(path, content)
    except ValueError as error:
        line = str(error)
        assert not isinstance(error, UnicodeError), ascii(line)[:LONGEST]
        assert line.isprintable() and len(line) < LONGEST, ascii(line)[:LONGEST]
        return "refused"
    return "read"


@contextlib.contextmanager
def prepared():
    """A folder for the files, a cache in it, and warnings as errors."""
    before = os.environ.get("KERASSEQ_CACHE")
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("error")
        os.environ.update(KERASSEQ_CACHE=f"{name}/cache", KERASSEQ_CACHE_GB="1e-4")
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                yield Path(name)
        finally:
            del os.environ["KERASSEQ_CACHE_GB"], os.environ["KERASSEQ_CACHE"]
            if before:
                os.environ["KERASSEQ_CACHE"] = before


def fuzz(cases: int, seed: int = 0) -> Counter[tuple[str, str, str]]:
    """The number of cases by format, kind and verdict, so many of each format."""
    counts: Counter[tuple[str, str, str]] = Counter()
    with prepared() as folder:
        for number in range(cases):
            kind = KINDS[number % len(KINDS)]
            for form in FORMATS:
                chance = random.Random(f"{seed} {number} {form.__name__}")
                content = kind(chance, form)
                try:
                    verdict = judge(form, content, folder / "file")
                except BaseException as error:
                    error.add_note(f"case {number}, {form.__name__}: {content[:200]!r}")
                    raise
                counts[form.__name__, kind.__name__, verdict] += 1
            verdict = judge_cache(random.Random(f"{seed} {number}"), folder)
            counts["cache", "forged", verdict] += 1
    return counts


def most_memory(form: Callable, content: bytes) -> float:
    """Bytes of memory that reading a file takes, for each of its own."""
    with prepared() as folder:
        (folder / "file").write_bytes(content)
        tracemalloc.start()
        try:
            judge(form, content, folder / "file")
            return tracemalloc.get_traced_memory()[1] / len(content)
        finally:
            tracemalloc.stop()


def guided(arguments: list[str]) -> None:
    """Let atheris choose the bytes, until it is stopped."""
    import atheris

    names = (
        "labelled",
        "tagged",
        "pairs",
        "reading",
        "words",
        "keyboard",
        "cache",
        "corpus",
    )
    for name, module in list(sys.modules.items()):
        if name.startswith("kerasseq.") and name.rpartition(".")[2] in names:
            for each in vars(module).values():
                if isinstance(each, FunctionType) and each.__module__ == name:
                    atheris.instrument_func(each)
    with prepared() as folder:

        def test(data: bytes) -> None:
            if data:
                judge(FORMATS[data[0] % len(FORMATS)], data[1:], folder / "file")

        atheris.Setup([sys.argv[0], *arguments], test)
        atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=10_000, help="of each format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--guided", action="store_true", help="others are atheris's")
    options, others = parser.parse_known_args()
    if options.guided:
        guided(others)
        return
    counts = fuzz(options.cases, options.seed)
    for (form, kind, verdict), count in sorted(counts.items()):
        print(f"{form}, {kind}: {count:,} {verdict}")
    print(f"{sum(counts.values()):,} cases: each was read or refused in one line")


if __name__ == "__main__":
    main()
