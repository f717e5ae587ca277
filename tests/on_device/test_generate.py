"""generate.py, as a command and as functions."""

import functools
import json
import math
import os
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kerasseq.files.tflite import convert, write_tflite
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.on_device.card import CONTRACT_VERSION
from kerasseq.on_device.generate import (
    RANGES,
    main,
    out_of_range,
    parse_arguments,
    until_stop,
)
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.tokens import (
    CHUNK,
    encode_prompt,
    unknown_characters,
    write_tokens,
)
from kerasseq.signatures.characters import build_generating_module, generate
from kerasseq.signatures.steps import state_shapes
from kerasseq.text.characters import Vocabulary
from tests.support.programs import FOLDER, run_program
from tests.support.weights import with_random_weights

CHARACTERS = "\n abcdé"
DEFAULTS = {"length": 37, "temperature": 0.9, "top_k": 6, "top_p": 0.95, "min_p": 0.01}


@pytest.fixture(scope="module")
def module():
    model = build_char_rnn(CharRNNConfig(7, units=5, embedding_size=3))
    model = with_random_weights(model, seed=17, scale=0.7)
    module = build_generating_module(model, Vocabulary.from_text(CHARACTERS))
    module.shapes = state_shapes(model)
    return module


@pytest.fixture(scope="module")
def exported(module, tmp_path_factory):
    """A complete file, made by hand like the recipe's."""
    card = {
        "contract": CONTRACT_VERSION,
        "kind": "character model",
        "state_shapes": module.shapes,
        "vocabulary_size": len(CHARACTERS),
        "sampling_defaults": DEFAULTS,
    }
    return write_tflite(
        tmp_path_factory.mktemp("exported") / "model.tflite",
        convert(module, module.device_signatures()),
        card,
        {"vocabulary.json": Vocabulary.from_text(CHARACTERS).to_json()},
    )


run = functools.partial(run_program, "generate")


def expected_text(module, prompt, **changes):
    values = DEFAULTS | changes
    return generate(module, prompt, values.pop("length"), **values)


def test_the_command_writes_the_text_of_keras(exported, module):
    result = run(exported, "--prompt", "a bad cab", "--seed", 5)
    assert result.stdout.decode() == expected_text(module, "a bad cab", seed=5)
    assert (result.returncode, result.stderr) == (0, b"")


def test_every_option_reaches_the_sampler(exported, module):
    prompt = "dé" * (CHUNK - 50)
    text = expected_text(
        module, prompt, length=283, temperature=1.5, top_k=4, top_p=0.8, min_p=0.1
    )
    options = "--length 283 --temperature 1.5 --top-k 4 --top-p 0.8 --min-p 0.1"
    result = run(exported, *options.split(), input=prompt.encode())
    assert result.stdout.decode() == text


def test_unknown_characters_are_left_out_and_named_on_standard_error(exported, module):
    result = run(exported, "--prompt", "Xa é𝄞baX")
    assert result.stdout.decode() == expected_text(module, "a éba")
    assert result.stderr.decode() == (
        "generate.py: left out, since the model does not know them: 'X𝄞'\n"
    )
    assert result.returncode == 0


def test_the_text_ends_before_the_first_stop(exported, module):
    text = expected_text(module, "a", length=300)
    stops = (text[201:204], text[161:164])
    result = run(
        exported, "--prompt=a", "--length=300", *(f"--stop={s}" for s in stops)
    )
    assert result.stdout.decode() == text[: min(map(text.index, stops))]


def test_two_hyphens_are_a_value_like_others():
    _, options = parse_arguments(["m.tflite", "--prompt=--", "--stop=--", "--stop=a"])
    assert (options.prompt, options.stop) == ("--", ["--", "a"])


def main_in_process(arguments, capsys):
    """The command line in this process: its exit code and output."""
    try:
        code = main(list(map(str, arguments)))
    except SystemExit as stopped:
        code = stopped.code
    return code, capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--length", "-1"], "--length -1: give 0 to 2147483647"),
        (["--length", "many"], "invalid int value: 'many'"),
        (["--temperature", "-0.5"], "--temperature -0.5: give 0 up"),
        (["--temperature", "nan"], "--temperature nan: give 0 up"),
        (["--temperature", "inf"], "--temperature inf: give 0 up"),
        (["--top-k", "-1"], "--top-k -1: give 0 to"),
        (["--top-p", "1.5"], "--top-p 1.5: give 0 to 1"),
        (["--min-p", "nan"], "--min-p nan: give 0 to 1"),
        (["--seed", "2147483648"], "--seed 2147483648: give 0 to 2147483647"),
        (["--stop", ""], "--stop '': give a text"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_bad_arguments_exit_with_2_and_one_line(exported, capsys, arguments, complaint):
    code, output = main_in_process([exported, *arguments], capsys)
    assert (code, output.out) == (2, "")
    (line,) = output.err.splitlines()
    assert complaint in line
    assert line.startswith("generate.py: error: ")


@given(
    st.sampled_from(sorted(RANGES)),
    st.one_of(st.floats(), st.integers(), st.text(max_size=3), st.none()),
)
@example("temperature", math.nan)
@example("top_p", math.inf)
@example("length", 2.0)
@example("temperature", 10**400)
def test_a_setting_must_be_a_number_within_its_range(name, value):
    ends = {"temperature": sys.float_info.max, "top_p": 1, "min_p": 1}
    whole = name not in ends
    good = (
        isinstance(value, int if whole else int | float)
        and not (isinstance(value, float) and not math.isfinite(value))
        and 0 <= value <= ends.get(name, 2**31 - 1)
    )
    assert (out_of_range(name, value) is None) == good


def test_a_missing_argument_exits_with_2(capsys):
    code, output = main_in_process([], capsys)
    assert (code, output.out) == (2, "")
    assert output.err == (
        "generate.py: error: the following arguments are required: file; "
        "--help explains\n"
    )


def test_arguments_at_the_ends_of_their_ranges_pass():
    line = (
        "m --length 0 --temperature 0 --top-k 0 --top-p 0 --min-p 1 --seed 2147483647"
    )
    _, options = parse_arguments(line.split())
    assert (options.length, options.seed, options.stop) == (0, 2**31 - 1, [])


def damaged_files(exported, folder):
    """Copies of a file, each broken in another way, and the message for each."""
    content = exported.read_bytes()
    flipped = bytearray(content)
    flipped[1009] ^= 16
    yield "cut.tflite", content[:-7], "is not a whole .tflite of this project"
    yield "half.tflite", content[: len(content) // 2], "is not a whole .tflite"
    yield "empty.tflite", b"", "is not a whole .tflite"
    yield "flipped.tflite", bytes(flipped), "is damaged: SHA-256"
    with zipfile.ZipFile(exported) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    card = json.loads(files["card.json"])
    flatbuffer = Model(exported).flatbuffer
    for name, changes, complaint in (
        ("new.tflite", {"contract": 4}, "speaks contract 4, this program 3"),
        (
            "words.tflite",
            {"kind": "word encoder"},
            "kind is 'word encoder', not one of character model",
        ),
    ):
        attached = {"vocabulary.json": files["vocabulary.json"].decode()}
        path = write_tflite(folder / name, flatbuffer, card | changes, attached)
        yield name, path.read_bytes(), complaint
    path = write_tflite(folder / "bare.tflite", flatbuffer, card, {})
    yield "bare.tflite", path.read_bytes(), "is not a whole .tflite"


def test_a_file_that_is_not_whole_exits_with_2_and_one_line(exported, tmp_path, capsys):
    for name, content, complaint in damaged_files(exported, tmp_path):
        (tmp_path / name).write_bytes(content)
        code, output = main_in_process([tmp_path / name, "--prompt=a"], capsys)
        assert (code, output.out) == (2, ""), name
        (line,) = output.err.splitlines()
        assert name in line and complaint in line


def test_a_missing_file_exits_with_2_and_one_line(tmp_path, capsys):
    for path in (tmp_path, tmp_path / "missing.tflite"):
        code, output = main_in_process([path, "--prompt=a"], capsys)
        assert (code, output.out) == (2, "")
        (line,) = output.err.splitlines()
        assert "cannot be read: " in line


def test_a_cut_file_given_to_the_command(exported, tmp_path):
    path = tmp_path / "cut.tflite"
    path.write_bytes(exported.read_bytes()[:-7])
    result = run(path, "--prompt=a")
    assert (result.returncode, result.stdout) == (2, b"")
    assert len(result.stderr.splitlines()) == 1


def test_a_flipped_bit_is_detected_or_changes_nothing(tmp_path):
    path, flatbuffer = tmp_path / "m.tflite", b"FLATBUFFER" * 7
    card = {
        "contract": CONTRACT_VERSION,
        "kind": "character model",
        "vocabulary_size": 2,
        "state_shapes": [[1, 5]],
        "sampling_defaults": DEFAULTS,
    }
    files = {"vocabulary.json": '{"characters": ["a", "b"]}'}
    content = write_tflite(path, flatbuffer, card, files).read_bytes()
    whole = Model(path)
    seen = 0
    for position in range(len(content)):
        flipped = bytearray(content)
        flipped[position] ^= 1 << position % 8
        path.write_bytes(flipped)
        try:
            model = Model(path)
        except ValueError:
            seen += 1
            continue
        assert vars(model) == vars(whole)
    assert seen > len(content) / 2


def test_a_closed_pipe_ends_the_command(exported):
    program = str(FOLDER / "generate.py")
    command = [sys.executable, program, str(exported), "--length=99999999"]
    with subprocess.Popen(
        [*command, "--prompt=a"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        first = os.read(process.stdout.fileno(), 8192)
        assert 0 < len(first) < 1000, "text is flushed as it is written"
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == b""


def plain_stop(text, stops):
    ends = [text.index(stop) for stop in stops if stop in text]
    return text[: min(ends, default=len(text))]


PIECES = st.lists(st.text("ab", max_size=5), max_size=7)
STOPS = st.lists(st.text("ab", min_size=1, max_size=4), max_size=3)


@given(PIECES, STOPS)
def test_a_stop_is_found_in_chunks_of_any_size(pieces, stops):
    found = "".join(until_stop(iter(pieces), stops))
    assert found == plain_stop("".join(pieces), stops)


def test_what_cannot_begin_a_stop_is_passed_on_at_once():
    texts = until_stop(iter(["abc", "def", "gh"]), ["xyz"])
    assert [next(texts), next(texts)] == ["a", "bcd"]
    assert "".join(until_stop(iter(["abc", "def"]), [])) == "abcdef"
    assert next(until_stop(iter(["abc", "def"]), [])) == "abc"


def test_nothing_is_written_after_a_stop():
    def endless():
        while True:
            yield "ab"

    assert "".join(until_stop(endless(), ["ba"])) == "a"


@given(st.text("\nabé𝄞 X"), st.sampled_from(["\t\nab", "abé", "\tab"]))
def test_a_prompt_is_encoded_without_its_unknown_characters(prompt, characters):
    vocabulary = Vocabulary.from_text(characters)
    kept = [characters.index(c) for c in prompt if c in characters]
    # An empty prompt stands for a newline, or else for the first character.
    stand_in = characters.index("\n") if "\n" in characters else 0
    ids = encode_prompt(prompt, vocabulary.characters)
    assert ids.tolist() == (kept or [stand_in])
    unknown = unknown_characters(prompt, vocabulary.characters)
    assert list(unknown) == vocabulary.unknown(prompt)


class Recorded:
    """A `generate` signature that records what it was given."""

    def __init__(self):
        self.read, self.calls = [], []

    def __call__(self, prompt, prompt_length, length, uniforms, **rest):
        self.calls.append((int(prompt_length[0]), int(length[0])))
        assert prompt.shape == uniforms.shape == (256,)
        self.read += prompt[: prompt_length[0] - 1].tolist()
        tokens = np.zeros(256, np.int32)
        for index in range(length[0]):
            self.read.append(int(prompt[prompt_length[0] - 1]) if not index else 9)
            tokens[index] = 9
        return {"tokens": tokens, "state_0": rest["state_0"] + 1}


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 512, 1021])
def test_a_prompt_of_any_length_is_read_whole_in_calls_of_256(size):
    signature, prompt = Recorded(), list(range(1000, 1000 + size))
    list(write_tokens(signature, {"state_0": [1, 1]}, prompt, 1))
    assert signature.read == prompt
    assert all(length == 0 for _, length in signature.calls[:-1])
    assert signature.calls[-1][1] == 1
    assert all(count <= 256 for count, _ in signature.calls)
    assert len(signature.calls) == max(1, -(-(size - 1) // 255))


def test_the_time_of_a_prompt_grows_as_its_length():
    outputs = {"tokens": np.zeros(256, np.int32), "state_0": np.zeros((1, 1))}
    calls = []

    def signature(**inputs):
        calls.append(inputs["prompt_length"])
        return outputs

    start = time.process_time()
    list(write_tokens(signature, {"state_0": [1, 1]}, range(1_000_000), 1))
    # A copy of what is left at each call took seven seconds.
    assert time.process_time() - start < 4
    assert len(calls) == 1_000_000 // 255 + 1


def test_tokens_are_yielded_as_they_are_computed():
    parts = write_tokens(Recorded(), {"state_0": [1, 1]}, [3], 23, tokens_a_call=10)
    assert [len(part) for part in parts] == [10, 10, 3]
    assert not list(write_tokens(Recorded(), {"state_0": [1, 1]}, [3], 0))
