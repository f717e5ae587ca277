"""Texts to train on: what is read, what is refused, what generated texts promise."""

import doctest
import hashlib
import math
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

import kerasseq.text.corpus
import kerasseq.text.manual
from kerasseq.text.cache import find_ids
from kerasseq.text.corpus import Corpus, load_corpus, pydoc_corpus, toy_corpus
from kerasseq.text.manual import prose

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    """A path for a text, with a cache of its own."""
    monkeypatch.setenv("KERASSEQ_CACHE", str(tmp_path / "cache"))
    return tmp_path / "growing.txt"


def test_a_corpus_from_a_file_has_its_name_and_its_hash(tmp_path):
    path = tmp_path / "tales.txt"
    path.write_bytes(b"\xef\xbb\xbfabc\r\n\xc3\xa9")
    corpus = load_corpus(path)
    assert corpus == Corpus.from_text("tales.txt", "abc\r\né", entropy=None)
    assert corpus.text == "abc\r\né"
    assert corpus.sha256 == hashlib.sha256(b"abc\r\n\xc3\xa9").hexdigest()
    assert load_corpus(str(path)) == corpus


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_a_corpus_too(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[b"abc\r\n\xc3\xa9"])
    writer.start()
    assert load_corpus(pipe) == Corpus.from_text("pipe", "abc\r\né")
    writer.join()


BEFORE = ("aé好" * 9).encode()


@pytest.mark.parametrize(
    "after",
    ["é好a" * 9, "aa好" * 9, "x" * 54, "aé好" * 9 + "a", "aé", "\ufeff" + "aé好" * 9],
)
@pytest.mark.parametrize("reading", ["hash_text", "read_characters"])
def test_a_file_that_changes_between_its_readings_is_refused(
    path, monkeypatch, reading, after
):
    """Its size and its time do not tell: they are as before, where that is possible."""
    path.write_bytes(BEFORE)
    time = path.stat().st_mtime_ns
    read = getattr(kerasseq.text.corpus, reading)

    def read_and_change(*arguments, **options):
        found = read(*arguments, **options)
        yield from found if reading == "read_characters" else ()
        path.write_bytes(after.encode())
        os.utime(path, ns=(time, time))

    def hash_and_change(path, encoding):
        found = read(path, encoding)
        list(read_and_change(path))
        return found

    change = {"hash_text": hash_and_change, "read_characters": read_and_change}
    monkeypatch.setattr(kerasseq.text.corpus, reading, change[reading])
    if after.startswith("\ufeff"):  # the same text
        assert load_corpus(path).text.encode() == BEFORE
        return
    with pytest.raises(ValueError, match="changed while it was read"):
        load_corpus(path)
    assert find_ids(hashlib.sha256(BEFORE).hexdigest()) is None


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this is not Linux")
def test_a_large_text_is_read_within_little_memory(tmp_path):
    """Encoding, finding and counting it makes a process grow by at most 32 MB."""
    path = tmp_path / "large.txt"
    path.write_bytes("Ein Text, größer als das, was erlaubt ist. ".encode() * 2_000_000)
    code = """
import resource, sys
from kerasseq.text.corpus import load_corpus
from kerasseq.data.streams import frequency_loss
held = int(open("/proc/self/statm").read().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (held + 32_000_000,) * 2)
for _ in range(2):
    corpus = load_corpus(sys.argv[1])
print(len(corpus.ids), frequency_loss(corpus.ids))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, path],
        cwd=ROOT,
        env=os.environ | {"KERASSEQ_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[0] == "86000000"


def test_the_made_corpora_have_names():
    assert load_corpus("toy") == toy_corpus()
    assert load_corpus("pydoc") == pydoc_corpus()


def entropy_of_the_next_character(text: str) -> float:
    """Nats per character of the best prediction from the characters since a space."""
    seen, context = Counter(), ""
    for character in text:
        seen[context, character] += 1
        context = "" if character == " " else context + character
    of_context = Counter()
    for (context, _), count in seen.items():
        of_context[context] += count
    return -math.fsum(
        count / len(text) * math.log(count / of_context[context])
        for (context, _), count in seen.items()
    )


def test_the_toy_text_has_the_entropy_it_states():
    corpus = toy_corpus()
    # ln 36 - (1 ln 1 + 2 ln 2 + ... + 8 ln 8) / 36 per word of 176 / 36 characters.
    assert corpus.entropy == pytest.approx(0.3961640, abs=1e-6)
    measured = entropy_of_the_next_character(corpus.text)
    assert measured == pytest.approx(corpus.entropy, rel=0.005)


def test_the_toy_words_come_as_often_as_they_should():
    words = toy_corpus(num_words=40_009).text.split(" ")
    assert words.pop() == "", "the text ends with a space"
    assert len(words) == 40_009
    counts = [count for _, count in sorted(Counter(words).items())]
    expected = [40_009 * weight / 36 for weight in range(1, 9)]
    chi_square = sum(
        (count - mean) ** 2 / mean for count, mean in zip(counts, expected, strict=True)
    )
    assert chi_square < 24.3  # 0.1 % of such draws lie above, with 7 degrees of freedom


def test_the_toy_words_are_drawn_alone():
    words = toy_corpus(num_words=40_009).text.split()
    pairs, singles = Counter(pairwise(words)), Counter(words)
    chi_square = sum(
        (pairs[one, two] - mean) ** 2 / mean
        for one in singles
        for two in singles
        if (mean := singles[one] * singles[two] / len(words))
    )
    assert chi_square < 85.4  # 0.1 % lie above, with 49 degrees of freedom


def test_the_toy_text_depends_on_its_seed_alone():
    assert toy_corpus(seed=0) == toy_corpus()
    assert toy_corpus(seed=1).text != toy_corpus().text
    assert toy_corpus(seed=1).entropy == toy_corpus().entropy


def test_the_manual_is_a_fifth_of_a_megabyte_of_english():
    corpus = pydoc_corpus()
    assert corpus.name == f"prose of pydoc of Python {sys.version[:4]}"
    assert corpus.text.count(" the ") > 2000
    assert "Objects whose value can change are said to be mutable;" in corpus.text
    assert corpus.text.endswith(".\n")
    assert corpus.entropy is None
    source = corpus.notes["characters of the manual"]
    kept = corpus.notes["fraction of the characters kept"]
    assert 400_000 < source < 900_000
    assert 0.3 < kept < 0.7
    assert len(corpus.ids) / source == pytest.approx(kept, abs=1e-3)


@pytest.fixture(scope="module")
def paragraphs():
    *lines, end = pydoc_corpus().text.split("\n")
    assert end == ""
    return lines


def test_each_line_of_the_manual_is_a_distinct_paragraph(paragraphs):
    assert len(paragraphs) == pydoc_corpus().notes["paragraphs of prose kept"] > 600
    assert len(set(paragraphs)) == len(paragraphs), "what is held out is not learned"
    for paragraph in paragraphs:
        assert paragraph.rstrip("\"')")[-1] in ".?!", paragraph
        assert len(paragraph.split()) >= 8, paragraph
        assert paragraph == " ".join(paragraph.split()), paragraph
        assert paragraph.isascii() and paragraph.count('"') % 2 == 0, paragraph


@pytest.mark.parametrize(
    "layout",
    [
        r"::=",  # grammars
        r"\+-|-\+|\| .* \|",  # tables
        r">>>|^\.\.\. ",  # code
        r"={3}|\*{3}|~~|\^\^",  # headings
        r"\*\w[^*]*\w\*|\*\*\w[^*]*\*\*",  # emphasis
        r" \[\d+\]",  # footnote marks
        r":: |^\.\. |:\w+:`|``",  # reStructuredText
        r"^(New|Changed|Deprecated) ",  # directives
        r"^[*-] |^\d+[.)] ",  # bullets
    ],
)
def test_the_manual_is_without_layout(paragraphs, layout):
    assert [line for line in paragraphs if re.search(layout, line)] == []


def test_paragraphs_of_the_manual_are_its_own_words(paragraphs):
    """No word is joined, cut or moved: each is a run of the source's words."""
    from pydoc_data.topics import topics

    def words(text: str) -> str:
        return " ".join(re.findall("[A-Za-z]+", text))

    source = words(" ".join(topics.values()))
    # Footnote marks are digits, so letters alone are the same in both.
    assert [line for line in paragraphs if words(line) not in source] == []


def test_topics_of_the_manual_come_in_an_order_of_no_meaning(paragraphs):
    from pydoc_data.topics import topics

    names = sorted(topics)
    text = "\n".join(paragraphs)
    firsts = [
        text.index(found[0].split("\n")[0])
        for name in names
        if (found := [*filter(None, map(prose, topics[name].split("\n\n")))])
    ]
    rises = sum(b > a for a, b in pairwise(firsts))
    assert 0.35 < rises / len(firsts) < 0.65, "the alphabet would rise throughout"


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("It is the *first* of two\nlines, and it is well-\nknown.",) * 2,
        ("   It is indented; the other\n   line of it is as well.",) * 2,
        ("The value (a list. It is\nnot a copy.) is that of the name.",) * 2,
        (
            "Changed in version 3.8: The first character is now\nput into titlecase.",
            "The first character is now put into titlecase.",
        ),
        (
            'It raises "ValueError" if the "in" operator finds "x.y()" in the list.',
            'It raises ValueError if the "in" operator finds x.y() in the list.',
        ),
    ],
)
def test_a_paragraph_becomes_one_line(block, expected):
    line = " ".join(expected.replace("-\n", "-").replace("*", "").split())
    assert prose(block) == line


@pytest.mark.parametrize(
    "block",
    [
        'if_stmt ::= "if" assignment_expression ":" suite of the statement.',
        "+------+------+\n| the  | of a |\n+------+------+",
        "   >>> the_name = of_a_value_that_is_there\n   >>> print(the_name, of_it).",
        'The "if" statement of the language and its use\n*********************.',
        "   with A() as a:\n       with B() as b:\n           SUITE",
        "New in version 3.5.",
        "Changed in version 3.8: Added the sign.",
        "See also the documentation of the types and of the operators.",
        "The statement is used for conditional execution of a suite:",
        "object.__radd__(self, other)\nobject.__rsub__(self, other)",
        "Too short.",
        "",
    ],
)
def test_what_is_no_prose_is_left_out(block):
    assert prose(block) == ""


def test_a_sentence_that_announces_code_is_left_out():
    block = "It selects exactly one of the suites of the whole. It is used so:"
    assert prose(block) == "It selects exactly one of the suites of the whole."


def test_a_sentence_that_holds_code_is_left_out_of_its_paragraph():
    one = "It selects exactly one of the suites of the whole."
    other = "The value of the expression is that of the other suite."
    code = 'For example, "a[0:2] = {x: 3}" is equal to "b @= c ** -1".'
    assert prose(f"{one} {code} {other}") == f"{one}\n{other}"
    assert prose(f"{code} {other}") == other


def test_the_examples_of_the_manual_are_true():
    results = doctest.testmod(kerasseq.text.manual)
    assert (results.attempted, results.failed) == (1, 0)


def test_the_manual_is_the_same_in_every_process():
    code = "from kerasseq.text.corpus import *; print(pydoc_corpus().sha256)"
    hash_seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == pydoc_corpus().sha256
