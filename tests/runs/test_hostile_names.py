"""Hostile labels, tags, words, texts and names of files through whole runs."""

import html.parser
import json
import os
import re
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path

import pytest
from matplotlib.image import imread

from kerasseq.__main__ import main
from kerasseq.files.labels import read_labels
from kerasseq.on_device.command import visible
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.words import divide, split_words
from kerasseq.text.tags import tag_names
from tests.support.markdown import OURS, tokens
from tests.support.terminals import COLOURS, check_lines, harmful, on_terminal

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
KERASSEQ = [sys.executable, "-m", "kerasseq"]
# Hostile to terminals, Markdown, HTML, JSON, TSV, CoNLL, pictures or whoever looks.
# None holds what ends or splits a line, a label or a token.
PIECES = (
    *("\x1b[2J\x1b[H", "\x1b[5mblink", "\x1b]52;c;Y3VybA==\x07", "\x9b5m", "\x7f\x08"),
    "\x1b]8;;https://evil.example/\x1b\\see\x1b]8;;\x1b\\",
    *("a\u202eb", "\u2066c\u2069", "\u200fd", "e\u200bf", "ef", "\u0301", "\ufeff"),
    *("<img/src=x/onerror=alert(1)>", "</script><b>", "&lt;", "{0}%s{name}$x^2$"),
    *("[link](https://evil.example)", "https://evil.example", "www.evil.example"),
    *("```", "~~~", "a|b|c", "<!--", "-->", "#1", "_a_", "**a**", "\\", '"', "'"),
    *("__proto__", "constructor", "caf\u00e9", "cafe\u0301", "$(reboot)", "=1+1"),
)
# These split lines for str.splitlines and for some terminals.
LINES = ("a\u2028forged", "a\u2029forged", "a\x85forged", "a\x1cforged")
RETURN = "a\rforged"
LABELS = (*PIECES, *LINES, RETURN, "x" * 9_000, "many words " * 700 + "end")
KINDS = (*PIECES, "x" * 900)
TOKENS = (*PIECES, *LINES)
# The first begins the held-out part of its file.
BEGIN = "\ufeff"
# TensorFlow would read a bracket in the name of a folder as a pattern.
NAME = "of\x1b[5m\u202e|<b>[x](y)\nforged: "


def labelled() -> str:
    words = cycle(TOKENS)
    return "".join(
        f"{label}\tword{index} {' '.join(islice(words, 3))} word{index}\n"
        for index, label in enumerate(LABELS)
        for _ in range(6)
    )


def tagged(count: int = 120) -> str:
    words, kinds = cycle(TOKENS), cycle(KINDS)
    sentences = []
    for index in range(count):
        kind = next(kinds)
        words_here = [BEGIN, "in", f"Name{index}", *islice(words, 3), "."]
        tags = ["O", "O", f"B-{kind}", f"I-{kind}", "O", f"B-{kind}", "O"]
        pairs = zip(words_here, tags, strict=True)
        sentences.append("".join(f"{token}\t{tag}\n" for token, tag in pairs))
    return "\n".join(sentences)


def written() -> str:
    words = cycle((*TOKENS, RETURN, "the", "king", "of", "Rome"))
    lines = (" ".join(islice(words, 7)) for _ in range(400))
    return "".join(f"{line}.\n" for line in lines)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[Path, str]:
    """All parts with such files in one run, and what the terminal got."""
    folder = tmp_path_factory.mktemp("run")
    files = {
        "labels": ("classifier", labelled()),
        "tags": ("tagger", tagged()),
        "words": ("next_word", written()),
        "corpus": ("char_rnn", written()),
    }
    out = folder / f"{NAME.replace('[', '(')}out"
    arguments = ["--units", "16", "--epochs", "2", "--out", str(out)]
    arguments += ["--prompt", "".join(TOKENS)]
    for option, (part, text) in files.items():
        path = folder / f"{NAME}{option}"
        path.write_text(text, "utf-8-sig", newline="")
        arguments += [f"--{option}", str(path), "--only", part]
    code, shown = on_terminal(
        [*KERASSEQ, "train", "--quick", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "KERASSEQ_CACHE": str(folder / f"{NAME}cache")},
    )
    assert code == 0, shown[-2000:]
    return out, shown


def test_the_terminal(run):
    """Nothing hostile is there, only what moves Keras's progress bar."""
    out, shown = run
    assert not re.findall("[\n\r]forged", shown)
    assert "\x1b[5m" not in shown
    rest = COLOURS.sub("", shown)
    assert {each for each in rest if harmful(each)} <= set("\n\r\t\x08")
    assert shown.endswith(f"{visible(str(out / 'REPORT.md'))} sums it up.\n")


def test_the_pages(run):
    """Markdown has no markup from elsewhere, and the page of entities no element."""
    out, _ = run
    for path in out.rglob("*.md"):
        text = path.read_bytes().decode()
        assert {token.type for token in tokens(text)} <= {*OURS, "fence"}
        if path.name == "REPORT.md":
            check_lines(text, text.count("\n"))
    report = (out / "REPORT.md").read_text()
    headings = re.findall("^## (.*)", report, re.MULTILINE)
    names = "char_rnn classifier next_word tagger".split()
    assert headings == [f"{name}{end}" for name in names for end in ("", "_export")]
    samples = tokens((out / "char_rnn/samples.md").read_bytes().decode())
    assert [token.type for token in samples].count("fence") == 3
    elements = set()
    page = html.parser.HTMLParser()
    page.handle_starttag = lambda tag, attributes: elements.add(tag)
    page.handle_comment = pytest.fail
    page.feed((out / "tagger/entities.html").read_text())
    known = "html meta title style h1 p mark b small"
    assert elements <= set(known.split())


def test_the_files_for_programs(run):
    """Each name comes back exactly, from JSON and from the cards."""
    out, _ = run
    report = json.loads((out / "report.json").read_text())
    assert report["classifier"]["corpus"] == visible(f"{NAME}labels")
    assert report["tagger"]["tags"] == ", ".join(tag_names(KINDS))
    labels, tags = tuple(sorted(LABELS)), tag_names(KINDS)
    assert read_labels(out / "classifier/labels.json") == labels
    assert read_labels(out / "tagger/tags.json") == tags
    for weights in ("float32", "float16", "int8"):
        card = Model(out / f"classifier/classifier_{weights}.tflite").card
        assert tuple(card["labels"]) == labels
        card = Model(out / f"tagger/tagger_{weights}.tflite").card
        assert tuple(card["tags"]) == tags
    for path in out.rglob("*.png"):
        assert imread(path).std() > 0.01


def answers(run, name: str, lines: str, *options: str) -> tuple[str, str]:
    """What a program writes for lines of input: to a terminal and to a pipe."""
    program, folder, weights = name.split()
    file = run[0] / folder / f"{folder}_{weights}.tflite"
    command = [*KERASSEQ, program, file, *options]
    source = run[0] / "lines.txt"
    source.write_text(lines, newline="")
    with source.open() as stdin:
        code, shown = on_terminal(command, cwd=ROOT, stdin=stdin)
    assert code == 0, shown
    with source.open() as stdin:
        done = subprocess.run(command, cwd=ROOT, stdin=stdin, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    return shown, done.stdout.decode()


SENTENCES = [f"word{index} {token}" for index, token in enumerate(TOKENS)]


@pytest.mark.parametrize("weights", ["float32", "int8"])
@pytest.mark.parametrize("program", ["classify classifier", "tag tagger"])
def test_a_line_has_one_answer(run, program, weights):
    name, lines = f"{program} {weights}", "".join(f"{each}\n" for each in SENTENCES)
    for text in answers(run, name, lines):
        check_lines(text, len(SENTENCES), "\t")
        assert "\x1b[5m" not in text
        assert text.count("\t") == 2 * len(SENTENCES) * (program[0] == "c")
    shown, piped = answers(run, name, lines, "--json")
    assert shown == piped and piped.isascii()
    found = [json.loads(line) for line in piped.splitlines()]
    assert len(found) == len(SENTENCES)
    if program[0] == "c":
        assert {each["label"] for each in found} <= set(LABELS)
        assert [each["words"] for each in found] == [
            split_words(sentence) for sentence in SENTENCES
        ]
    else:
        words = [[word.text for word in divide(sentence)] for sentence in SENTENCES]
        assert [each["tokens"] for each in found] == words
        assert {tag for each in found for tag in each["tags"]} <= set(tag_names(KINDS))


def test_all_words_are_suggested_on_lines_of_their_own(run):
    vocabulary = Model(run[0] / "next_word/next_word_int8.tflite").vocabulary["words"]
    known = {each[:1].upper() + each[1:] for each in vocabulary}
    shown, piped = answers(run, "suggest next_word int8", "the king of \nRome. \n")
    assert shown == piped
    check_lines(shown, 2)
    _, piped = answers(run, "suggest next_word int8", "Rome. \n", "-k1000", "--json")
    words = set(json.loads(piped)["words"])
    assert words < known and {"A\x1cforged", "2J\x1b"} <= words


def test_written_text_is_raw_in_a_pipe_alone(run):
    name, settings = "write char_rnn int8", ["--length=3000", "--temperature=2"]
    shown, piped = answers(run, name, "the king", *settings)
    _, line = answers(run, name, "the king", *settings, "--json")
    assert json.loads(line)["text"] == piped and {"\x1b", "\u202e"} < set(piped)
    end = "" if piped.endswith("\n") else "\n"
    assert shown == "\x1b[2mthe king\x1b[0m" + visible(piped, "\n\t") + end


@pytest.mark.parametrize("name", ["classifier", "tagger", "next_word", "char_rnn"])
def test_a_file_is_shown(run, name):
    code, shown = on_terminal(
        [*KERASSEQ, "show", run[0] / name / f"{name}_int8.tflite"], cwd=ROOT
    )
    assert code == 0
    check_lines(shown, shown.count("\n"))


REFUSED = {
    "labels": {
        "a tab": "a\tb\tc\n",
        "no label": "\u2028\tb\n",
        "a newline": "a\nb\tc\n",
        "NUL": "a\0b\tc\n",
        "too long": f"{'x' * 10_000}\tb\n",
        "one of each": "".join(f"{label}\tb c\n" for label in LABELS[:-2]),
    },
    "tags": {
        "a line separator": "a\tB-a\u2028b\n",
        "a next line": "a\tB-a\x85b\n",
        "an empty token": "\tB-a\n",
        "no kind": "a\tB-\n",
        "another mark": "a\t\x1b[2JB-x\n",
        "a broken order": f"a\tB-{KINDS[0]}\nb\tI-{KINDS[5]}\n",
        "too long": f"{'x' * 2000}\tO\n",
    },
    "words": {"too few": " ".join(PIECES), "no letter": "\x1b " * 2000},
}
PART = {"labels": "classifier", "tags": "tagger", "words": "next_word"}


@pytest.mark.parametrize(
    ("option", "name"),
    [(option, name) for option in REFUSED for name in REFUSED[option]],
)
def test_what_is_refused_is_one_line(option, name, tmp_path, capsys):
    path, out = tmp_path / f"{NAME}file", tmp_path / "out"
    path.write_text(REFUSED[option][name], newline="")
    arguments = ["train", f"--{option}", str(path), "--only", PART[option]]
    assert main([*arguments, "--out", str(out)]) == 2
    check_lines(capsys.readouterr().err, 1)
    assert not out.exists()
