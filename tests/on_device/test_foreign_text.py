"""Text from elsewhere can neither move a terminal's cursor nor forge lines."""

import contextlib
import io
import json
import os
import unicodedata
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kerasseq.on_device import classify, encode, generate, show, suggest, tag
from kerasseq.on_device.command import Command, visible
from kerasseq.on_device.words import lower_case, plain
from tests.support.terminals import COLOURS, check_lines, harmful

LENGTH = 5
# A quarter of the characters are such as can do harm.
HARMFUL = st.sampled_from(
    "\n\r\t\x00\x07\x08\x1b\x7f\x85\x9b\u2028\u2029\u202e\ud800\ufeff"
)
HOSTILE = st.text(st.one_of(HARMFUL, *[st.characters()] * 3), max_size=12)


def test_writing_of_every_language_stays_as_it_is():
    kept = "".join(
        character
        for character in map(chr, range(0x110000))
        if unicodedata.category(character)[0] in "LMNPS"
        or (
            unicodedata.category(character) in ("Zs", "Cn", "Co")
            and not 0xE0000 <= ord(character) < 0xE0080
        )
    )
    joiners = "می\u200cخواهم क्\u200dष 👩\u200d🔬 \u2066"[:-1]
    assert len(kept) > 1_000_000
    assert visible(kept + joiners) == kept + joiners


def test_each_harmful_character_is_shown_as_an_escape():
    for character in filter(harmful, map(chr, range(0x110000))):
        shown = visible(character)
        assert shown.isascii() and shown.isprintable()
        assert shown.encode().decode("unicode_escape") == character
    assert visible("a\x1b[2J\n\u202eb") == r"a\x1b[2J\n\u202eb"
    assert visible("a\n\tb\r\x1b", kept="\n\t") == "a\n\tb\\r\\x1b"


def opened(kind: str, vocabulary: dict, card: dict, **signatures: object) -> object:
    """An opened file whose model answers at once."""
    return SimpleNamespace(
        kind=kind,
        vocabulary=vocabulary,
        card=card,
        require=lambda kind: None,
        signatures=lambda: signatures,
        state_shapes=lambda: {},
    )


def output(program, file: object, *arguments: str, terminal: bool) -> str:
    """What a program writes; it must end well and say nothing."""
    stdout, stderr = io.StringIO(), io.StringIO()
    stdout.isatty = lambda: terminal
    with (
        mock.patch.object(program, "Model", lambda path: file),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        assert program.main(["m.tflite", *arguments]) == 0
    _, _, name = program.__name__.rpartition(".")
    said = stderr.getvalue().split("\n")[:-1]
    assert all(line.startswith(f"{name}.py: ") for line in said), said
    return stdout.getvalue()


@settings(max_examples=25)
@given(st.lists(HOSTILE.filter(len), min_size=2, max_size=3, unique=True), HOSTILE)
@example(["code 0.931\nforged\t1.000", "\x1b]0;title\x07"], "a\x1b[2J \u2028b")
def test_a_classifier(labels, text):
    scores = np.eye(1, len(labels), dtype=np.float32)
    file = opened(
        "classifier",
        {"words": ["", "<UNK>", "<MASK>", "x"]},
        {"labels": labels, "length": LENGTH, "num_letters": 3},
        classify=lambda token_ids, letters: {
            "probabilities": scores,
            "weights": np.full((1, LENGTH), 0.2, np.float32),
        },
    )
    text = f"x {text}"
    for terminal in (False, True):
        shown = output(classify, file, "--", text, terminal=terminal)
        check_lines(shown, 1, "\t")
        assert shown.count("\t") == 2
        assert shown.startswith(f"{visible(labels[0])}\t1.000\t")
    (line,) = output(classify, file, "--json", "--", text, terminal=True).splitlines()
    found, answer = json.loads(line), classify.Classifier(file).classify(text)
    words = zip(found["words"], found["offsets"], strict=True)
    assert all(word == lower_case(plain(text[slice(*span)])) for word, span in words)
    assert found["label"] == answer.label and found["words"] == answer.words
    assert found["weights"] == answer.weights.tolist()
    assert line.isascii()


@given(st.lists(HOSTILE.filter(len), min_size=1, max_size=3, unique=True), HOSTILE)
@example(["\x1b[2J", "a\nb c"], "\x1b[1m \u202ea")
def test_a_tagger(kinds, text):
    tags = ["O", *(f"B-{kind}" for kind in kinds)]
    file = opened(
        "tagger",
        {"words": ["", "<UNK>"]},
        {"tags": tags, "length": LENGTH, "num_letters": 3},
        tag=lambda word_ids, letters: {"tags": np.arange(LENGTH)[None] % len(tags)},
    )
    text = f"x y {text}"
    for terminal in (False, True):
        check_lines(output(tag, file, "--", text, terminal=terminal), 1)
    (line,) = output(tag, file, "--json", "--", text, terminal=True).splitlines()
    tagger, found = tag.Tagger(file), json.loads(line)
    assert [*zip(found["tokens"], found["tags"], strict=True)] == tagger.tag(text)
    words = zip(found["tokens"], found["offsets"], strict=True)
    assert all(word == plain(text[slice(*span)]) for word, span in words)
    assert found["entities"] == [each._asdict() for each in tagger.find(text)]
    for each in found["entities"]:
        assert each["text"] == text[each["start"] : each["end"]]
    assert line.isascii()


@given(st.lists(HOSTILE.filter(len), min_size=2, max_size=9, unique=True))
@example(["\n0.999 forged", "\r\x1b[A"])
def test_a_keyboard(words):
    logits = np.arange(len(words), dtype=np.float32)[None]
    file = opened(
        "next-word model",
        {"words": words},
        {"first_word": 0},
        step=lambda token: {"logits": logits},
    )
    expected = suggest.Keyboard(file).suggest("a ", 3)
    for terminal in (False, True):
        shown = output(suggest, file, "a ", terminal=terminal)
        check_lines(shown, len(expected))
    (line,) = output(suggest, file, "--json", "a ", terminal=True).splitlines()
    found = json.loads(line)
    pairs = zip(found["words"], found["probabilities"], strict=True)
    assert list(pairs) == expected
    assert line.isascii()


@given(HOSTILE)
@example("\x1b[2J \x85forged \u2028b")
def test_an_encoder(text):
    file = opened(
        "encoder",
        {"words": ["", "<UNK>"]},
        {"length": LENGTH},
        encode=lambda token_ids: {
            "embeddings": np.ones((1, LENGTH, 2), np.float32),
            "weights": np.ones((1, 2, 1, LENGTH, LENGTH), np.float32),
        },
    )
    text = f"x {text}"
    expected = encode.Encoder(file).encode(text)
    count = len(expected.tokens)
    for terminal in (False, True):
        shown = output(encode, file, "--", text, terminal=terminal)
        check_lines(shown, 1 + count + 2 * (2 + count))
    (line,) = output(encode, file, "--json", "--", text, terminal=True).splitlines()
    assert json.loads(line)["tokens"] == expected.tokens
    assert line.isascii()


@settings(max_examples=25)
@given(st.lists(st.characters(), min_size=1, max_size=9, unique=True), st.data())
def test_written_text_is_raw_in_a_pipe_and_safe_on_a_terminal(characters, data):
    ids = data.draw(
        st.lists(st.integers(0, len(characters) - 1), min_size=256, max_size=256)
    )
    file = opened(
        "character model",
        {"characters": characters},
        {"sampling_defaults": {"temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0}},
        generate=lambda **inputs: {"tokens": np.array(ids, np.int32)},
    )
    prompt = data.draw(HOSTILE)
    arguments = (f"--prompt={prompt}", "--length=40")
    text = "".join(characters[id] for id in ids[:40])
    assert output(generate, file, *arguments, terminal=False) == text
    shown = output(generate, file, *arguments, terminal=True)
    end = "" if text.endswith("\n") else "\n"
    whole = visible(prompt, "\n\t") + visible(text, "\n\t") + end
    assert COLOURS.sub("", shown) == whole
    assert shown.startswith("\x1b[2m") == bool(prompt)
    assert not [c for c in whole if harmful(c) and c not in "\n\t"]
    with mock.patch.dict(os.environ, NO_COLOR="1"):
        assert output(generate, file, *arguments, terminal=True) == whole
    (line,) = output(generate, file, "--json", *arguments, terminal=True).splitlines()
    assert json.loads(line) == {"text": text}
    assert line.isascii()


@given(st.dictionaries(HOSTILE, HOSTILE, max_size=3), st.lists(HOSTILE, max_size=3))
@example({"licence": "\x1b[2J\u2028\x9b"}, ["\x85", "\n", " "])
def test_what_a_file_says_is_shown_on_its_lines(card, words):
    file = SimpleNamespace(card=card, vocabulary={"words": words}, flatbuffer=b"")
    with (
        mock.patch.object(show, "_signatures", lambda model: {}),
        mock.patch.object(show, "list_operators", lambda flatbuffer: []),
    ):
        found = show.describe(file)
    lines = found.split("\n")
    check_lines(found + "\n", len(lines))
    assert lines.index("") == json.dumps(card, indent=1).count("\n") + 2
    assert lines[lines.index("") + 1] == f"vocabulary.json: {len(words)} words"


@given(HOSTILE, st.sampled_from(["say", "error", "raise"]))
def test_a_message_is_one_line_whatever_it_quotes(text, way):
    command = Command(prog="p")

    def refuse():
        raise ValueError(text)
        yield

    stderr = io.StringIO()
    with contextlib.redirect_stderr(stderr), contextlib.suppress(SystemExit):
        if way == "raise":
            assert command.run(refuse()) == 2
        else:
            getattr(command, way)(text)
    check_lines(stderr.getvalue(), 1)
    assert visible(text) in stderr.getvalue()


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_json_has_only_finite_numbers(number, capsys):
    file = opened(
        "next-word model",
        {"words": ["a", "b"]},
        {"first_word": 0},
        step=lambda token: {"logits": np.array([[float(number), 1]], np.float32)},
    )
    with mock.patch.object(suggest, "Model", lambda path: file):
        assert suggest.main(["m.tflite", "a ", "--json"]) == 2
    found = capsys.readouterr()
    assert (found.out, len(found.err.splitlines())) == ("", 1)
