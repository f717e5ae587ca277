"""What all programs for devices share: streams, errors, exit codes, ways to run."""

import contextlib
import doctest
import errno
import io
import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from kerasseq.files.tflite import write_tflite
from kerasseq.models.classifier import predict
from kerasseq.on_device import encode
from kerasseq.on_device.card import CONTRACT_VERSION
from kerasseq.on_device.command import LONGEST_LINE, read_lines
from kerasseq.on_device.opening import open_tflite
from kerasseq.signatures.characters import generate
from kerasseq.signatures.next_word import NextWordOnText, suggest
from kerasseq.signatures.tagger import tag_sentences
from tests.support.device_files import DEFAULTS, KEYBOARD, LABELS, WORDS
from tests.support.programs import FOLDER, run_program

ROOT = FOLDER.parents[1]
SEED = 3
TEXT = "The ΟΔΟΣ cat"
COMMANDS = {
    "generate": ("write", ["--prompt=a bad cab", "--seed=5"]),
    "suggest": ("suggest", ["the k"]),
    "classify": ("classify", [TEXT]),
    "tag": ("tag", [TEXT]),
    "encode": ("encode", [TEXT]),
    "show": ("show", []),
}
LINES = ("suggest", "classify", "tag", "encode")
# They share one frame, so two stand for all where each needs new processes.
OTHERS = ("suggest", "tag", "encode")


def fewer(names):
    """The names; tests of the others are slow ones."""
    slow = pytest.mark.slow
    return [pytest.param(n, marks=slow if n in OTHERS else ()) for n in names]


# Runs a program as a user does, then checks what it has imported.
WATCHED = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    if sys.argv[0].endswith(".py"):
        sys.path.insert(0, sys.argv[0].rpartition("/")[0])
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
except SystemExit as ended:
    assert not ended.code, ended.code
heavy = {"tensorflow", "keras", "typer", "h5py", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
assert "numpy" in sys.modules
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_three_ways_to_run_a_program_with_numpy_and_litert_alone(
    name, files, bare_python
):
    command, arguments = COMMANDS[name]
    outputs = set()
    for program in (
        [str(FOLDER / f"{name}.py"), files[name]],
        [f"kerasseq.on_device.{name}", files[name]],
        ["kerasseq", command, files[name]],
    ):
        copied = program[0].endswith(".py")
        done = subprocess.run(
            [bare_python, "-s", "-c", WATCHED, *program, *arguments],
            capture_output=True,
            cwd="/",
            env={} if copied else {"PYTHONPATH": str(ROOT)},
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        outputs.add(done.stdout)
    (output,) = outputs
    assert output.strip()


@pytest.mark.parametrize("name", fewer(COMMANDS))
def test_messages_have_the_name_that_was_typed(name, files):
    command, _ = COMMANDS[name]
    for program, said in (
        ([str(FOLDER / f"{name}.py")], f"{name}.py"),
        (["-m", "kerasseq", command], f"kerasseq {command}"),
    ):
        for arguments, complaint in (
            (["none.tflite"], f"{said}: none.tflite cannot be read: "),
            ([], f"{said}: error: the following arguments are required: file"),
        ):
            done = subprocess.run(
                [sys.executable, *program, *arguments],
                capture_output=True,
                cwd=ROOT,
                timeout=120,
            )
            assert (done.returncode, done.stdout) == (2, b"")
            (line,) = done.stderr.decode().splitlines()
            assert line.startswith(complaint)


@pytest.mark.parametrize("name", fewer(COMMANDS))
def test_output_that_cannot_be_written_ends_a_program_in_a_line(name, files):
    _, arguments = COMMANDS[name]
    with Path("/dev/full").open("wb") as full:
        done = run_program(
            name,
            files[name],
            *arguments,
            capture_output=False,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == 1
    assert done.stderr.decode() == (
        f"{name}.py: standard output cannot be written: {os.strerror(errno.ENOSPC)}\n"
    )


@pytest.mark.parametrize("name", fewer(COMMANDS))
def test_output_that_is_closed(name, files):
    _, arguments = COMMANDS[name]
    done = run_program(name, files[name], *arguments, preexec_fn=lambda: os.close(1))
    assert done.returncode == 1
    assert done.stderr.decode() == (
        f"{name}.py: standard output cannot be written: it is closed\n"
    )
    reading, writing = os.pipe()
    os.close(reading)
    done = run_program(
        name,
        files[name],
        *arguments,
        capture_output=False,
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b""), "a closed pipe is no error"


@pytest.mark.parametrize("name", fewer(COMMANDS))
def test_messages_do_not_reach_the_output_if_standard_error_is_closed(name, files):
    _, arguments = COMMANDS[name]
    done = run_program(name, "none.tflite", preexec_fn=lambda: os.close(2))
    assert (done.returncode, done.stdout) == (2, b"")
    whole = run_program(name, files[name], *arguments)
    closed = run_program(name, files[name], *arguments, preexec_fn=lambda: os.close(2))
    assert (closed.returncode, closed.stdout) == (0, whole.stdout)


@pytest.mark.parametrize("name", fewer(LINES))
def test_unreadable_input_is_one_line(name, files):
    done = run_program(name, files[name], preexec_fn=lambda: os.close(0))
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == (
        f"{name}.py: standard input is closed; give the text as an argument\n"
    )
    done = run_program(name, files[name], input=b"the\nna\xefve\n")
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"{name}.py: standard input is not UTF-8 (byte 0xef)")


def test_without_standard_input_a_text_starts_as_after_a_newline(files, modules):
    done = run_program("generate", files["generate"], preexec_fn=lambda: os.close(0))
    expected = generate(modules["generate"], "\n", **DEFAULTS)
    assert (done.stdout.decode(), done.returncode) == (expected, 0)


@pytest.mark.parametrize("name", fewer(LINES))
def test_lines_are_answered_one_by_one_and_ctrl_c_ends(name, files):
    program = [sys.executable, "-E", "-s", str(FOLDER / f"{name}.py"), str(files[name])]
    with subprocess.Popen(
        program,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        for _ in range(2):
            process.stdin.write(f"{TEXT}\n".encode())
            process.stdin.flush()
            assert process.stdout.readline(), "an answer before the next line"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr.read() == b""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_program_without_litert_says_so(name, files, monkeypatch, capsys):
    for module in ("", ".interpreter", ".schema_py_generated"):
        monkeypatch.setitem(sys.modules, f"ai_edge_litert{module}", None)
    program = import_module(f"kerasseq.on_device.{name}")
    assert program.main([str(files[name]), *COMMANDS[name][1]]) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"{name}.py: LiteRT cannot be loaded (")
    assert line.endswith("run `pip install ai-edge-litert`\n") and line.count("\n") == 1


def answers_of(name: str, file: Path, content: bytes) -> str:
    """What a program answers to standard input, in this process."""
    program = import_module(f"kerasseq.on_device.{name}")
    output = io.StringIO()
    with (
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(content))),
        contextlib.redirect_stdout(output),
    ):
        assert program.main([str(file)]) == 0
    return output.getvalue()


@pytest.mark.parametrize("name", ["generate", *LINES])
def test_windows_line_ends_and_marks_in_the_input_are_nothing(name, files, capsys):
    plain = "the k\na bad cab\n\nthe cat"
    wanted = answers_of(name, files[name], plain.encode())
    for text in (f"\ufeff{plain}", plain.replace("\n", "\r\n")):
        assert answers_of(name, files[name], text.encode()) == wanted
    if name != "generate":
        assert answers_of(name, files[name], "\ufeff".encode()) == ""
        assert "\r" not in capsys.readouterr().err


def test_a_longest_line_may_end_in_any_way():
    line = "x" * LONGEST_LINE
    for content in (f"\ufeff{line}\r\ny\r\n", f"{line}\ny"):
        stream = io.TextIOWrapper(io.BytesIO(content.encode()))
        with mock.patch.object(sys, "stdin", stream):
            assert list(read_lines()) == [line, "y"]
    with (
        mock.patch.object(sys, "stdin", io.StringIO(f"{line}x\n")),
        pytest.raises(ValueError, match="line 1 of standard input has more"),
    ):
        list(read_lines())


def test_each_file_opens_as_its_kind(files, models, modules):
    writer = open_tflite(files["generate"])
    expected = generate(modules["generate"], "a bad", **DEFAULTS, seed=SEED)
    assert writer.write("Xa bad", seed=SEED) == expected
    assert "".join(writer.stream("a bad", seed=SEED)) == expected
    changed = DEFAULTS | {"length": 283, "temperature": 1.5, "top_k": 4}
    assert writer.write("a bad", seed=SEED, **changed) == generate(
        modules["generate"], "a bad", **changed, seed=SEED
    )
    assert (
        writer.write("a", 300, stop=["b"]) == (writer.write("a", 300).partition("b")[0])
    )

    found = open_tflite(files["suggest"]).suggest("the k", 2)
    wanted = suggest(NextWordOnText(modules["suggest"], KEYBOARD), "the k", 2)
    assert [word for word, _ in found] == [word for word, _ in wanted]

    answer = open_tflite(files["classify"]).classify(TEXT)
    [prediction] = predict(models["classify"], [WORDS.encode_spelled(TEXT, 5, 7)])
    assert answer.label == LABELS[prediction.probabilities.argmax()]
    assert answer.words == ["the", "οδοσ", "cat"]
    np.testing.assert_allclose(answer.weights, prediction.weights, atol=1e-5)

    [tags] = tag_sentences(modules["tag"], [TEXT.split()], WORDS)
    pairs = list(zip(TEXT.split(), tags, strict=True))
    assert open_tflite(files["tag"]).tag(TEXT) == pairs

    encoding = open_tflite(files["encode"]).encode(TEXT)
    outputs = models["encode"].predict_on_batch(WORDS.encode(TEXT)[None])
    assert encoding.tokens == ["the", "οδοσ", "cat"]
    np.testing.assert_allclose(encoding.embeddings, outputs["embeddings"][0], atol=1e-5)
    for block in range(2):
        np.testing.assert_allclose(
            encoding.weights[block], outputs[f"attention_{block}"][0], atol=1e-5
        )


def test_what_cannot_be_opened_is_named(files, tmp_path):
    path = tmp_path / "m.tflite"
    card = {"contract": CONTRACT_VERSION, "kind": "seer", "vocabulary_size": 1}
    write_tflite(path, b"FLATBUFFER", card, {"vocabulary.json": '{"words": ["a"]}'})
    with pytest.raises(ValueError, match="kind is 'seer', not one of"):
        open_tflite(path)
    with pytest.raises(ValueError, match="cannot be read"):
        open_tflite(tmp_path / "none.tflite")
    writer = open_tflite(files["generate"])
    with pytest.raises(ValueError, match=r"temperature=-1: give 0 up"):
        writer.write("a", temperature=-1)
    with pytest.raises(ValueError, match="seed=-1: give 0 to 2147483647"):
        writer.write("a", seed=-1)


def test_the_example_of_opening_runs(files, tmp_path, monkeypatch):
    (tmp_path / "char_rnn_int8.tflite").write_bytes(files["generate"].read_bytes())
    monkeypatch.chdir(tmp_path)
    tests = doctest.DocTestFinder().find(
        open_tflite, globs={"open_tflite": open_tflite}
    )
    results = [doctest.DocTestRunner().run(test) for test in tests]
    assert [(each.failed, each.attempted) for each in results] == [(0, 3)]


def test_an_option_may_stand_before_or_after_the_file(files):
    for name, option in (("suggest", "-k=1"), ("classify", "--json")):
        before = run_program(name, option, files[name], "the k")
        between = run_program(name, files[name], option, "the k")
        assert before.stdout and before.stdout == between.stdout


def test_json_has_all_that_keras_computes_for_a_sentence(files, models):
    sentences = [TEXT, "", "dog zebra"]
    done = run_program(
        "encode", files["encode"], "--json", input="\n".join(sentences).encode()
    )
    assert (done.returncode, done.stderr) == (0, b"")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["tokens"] for each in found] == [
        sentence.lower().replace("ς", "σ").split() for sentence in sentences
    ]
    assert found[2]["offsets"] == [[0, 3], [4, 9]]
    assert found[1] == {
        "tokens": [],
        "offsets": [],
        "embeddings": [],
        "weights": [[[], [], []], [[], [], []]],
    }
    for sentence, each in zip(sentences, found, strict=True):
        if not sentence:
            continue
        outputs = models["encode"].predict_on_batch(WORDS.encode(sentence)[None])
        np.testing.assert_allclose(
            each["embeddings"], outputs["embeddings"][0], atol=1e-5
        )
        weights = [outputs["attention_0"][0], outputs["attention_1"][0]]
        np.testing.assert_allclose(each["weights"], weights, atol=1e-5)


def test_the_table_of_a_sentence_worked_by_hand():
    weights = np.zeros((1, 2, 3, 3), np.float32)
    weights[0, 0] = np.eye(3)
    weights[0, 1] = [[0, 1, 0], [0, 0.25, 0.75], [0.5, 0, 0.5]]
    vectors = np.arange(21, dtype=np.float32).reshape(3, 7) - 10
    found = encode.table(encode.Encoding(["the", "οδοσ", "the"], [], vectors, weights))
    assert found == (
        "vectors of 7 numbers\n"
        "  1 the  -10.00  -9.00  -8.00  -7.00  -6.00  -5.00 ...\n"
        "  2 οδοσ  -3.00  -2.00  -1.00   0.00   1.00   2.00 ...\n"
        "  3 the    4.00   5.00   6.00   7.00   8.00   9.00 ...\n"
        "\n"
        "attention in block 1 of 1, mean of 2 heads\n"
        "  1 the  ->  0.50   1 the   0.50   2 οδοσ  0.00   3 the\n"
        "  2 οδοσ ->  0.62   2 οδοσ  0.38   3 the   0.00   1 the\n"
        "  3 the  ->  0.75   3 the   0.25   1 the   0.00   2 οδοσ\n"
    )


def test_words_that_an_encoder_does_not_read_are_reported(files):
    done = run_program("encode", files["encode"], "cat " * 9)
    assert done.stderr == b"encode.py: read the first 7 of 9 words\n"
    done = run_program("encode", files["encode"], " ")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"encode.py: there is no word in ' '; give a sentence\n"
