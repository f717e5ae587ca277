"""Hostile labels, tags, words, texts and names of files through whole runs."""

import os
import re
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path

import pytest

from kerasseq.on_device.command import visible
from tests.support.terminals import COLOURS, harmful, on_terminal

ROOT = Path(__file__).parents[2]
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
        tokens = [BEGIN, "in", f"Name{index}", *islice(words, 3), "."]
        tags = ["O", "O", f"B-{kind}", f"I-{kind}", "O", f"B-{kind}", "O"]
        pairs = zip(tokens, tags, strict=True)
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
    files = {"labels": labelled(), "tags": tagged(), "words": written()}
    files |= {"corpus": written()}
    arguments = ["--only", "char_rnn", "--units", "16", "--epochs", "2"]
    for name, text in files.items():
        path = folder / f"{NAME}{name}"
        path.write_text(text, "utf-8-sig", newline="")
        arguments += [f"--{name}", str(path)]
        if name != "corpus":
            part = {"labels": "classifier", "tags": "tagger", "words": "next_word"}
            arguments += ["--only", part[name]]
    out = folder / f"{NAME.replace('[', '(')}out"
    arguments += ["--prompt", "".join(TOKENS), "--out", str(out)]
    code, shown = on_terminal(
        [*KERASSEQ, "train", "--quick", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "KERASSEQ_CACHE": str(folder / f"{NAME}cache")},
    )
    assert code == 0, shown[-2000:]
    return out, shown


def check_terminal(shown: str) -> None:
    """Nothing hostile is there, only what moves Keras's progress bar."""
    assert not re.findall("^forged|\rforged", shown, re.MULTILINE)
    assert "\x1b[5m" not in shown
    rest = COLOURS.sub("", shown)
    assert {each for each in rest if harmful(each)} <= set("\n\r\t\x08")
    assert "a\x08" not in rest and "\x7f" not in rest


@pytest.mark.slow
def test_the_terminal_of_a_run(run):
    out, shown = run
    check_terminal(shown)
    assert shown.rstrip().endswith(f"{visible(str(out / 'REPORT.md'))} sums it up.")
