"""The C program writes the text of generate.py, and refuses what it refuses."""

import hashlib
import io
import json
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.files.formats import FORMATS
from kerasseq.on_device.generate import Writer
from kerasseq.on_device.model_file import Model
from tests.fuzz import fuzz_runner
from tests.support.c_program import ENVIRONMENT, export, run

# What may stand in JSON, or may not.
WRONG = (
    *(b"", b'"', b"\\", b"\\u0000", b"\\ud83d\\ude00", b"\\ud800", b"\\x", b"\xff"),
    *(b"\xc0\x80", b"\xed\xa0\x80", "é".encode(), b"\x1f", b"\x7f", b"\0", b"0", b"1"),
    *(b"-", b".0", b"e9", b"NaN", b"true", b"null", b" ", b"\n", b","),
    *(
        b":",
        b"[",
        b"]",
        b"{",
        b"}",
        b"[" * 7 + b"]" * 7,
        b'"a":1,',
        b'"a":1,"\\u0061":2,',
    ),
    b"\xef\xbb\xbf",
)


def compare(program: Path, files: dict[str, Path], count: int) -> None:
    """Compare texts of both programs, of any prompts, seeds and settings."""
    writers = {name: Writer(Model(path)) for name, path in files.items()}
    known = "\n abcxyz"

    @settings(max_examples=count, deadline=None)
    @given(
        st.sampled_from(sorted(files)),
        st.text(known + "é中\u202e", max_size=9) | st.text("ab", min_size=255),
        st.fixed_dictionaries(
            {"length": st.integers(0, 150), "seed": st.integers(0, 2**31 - 1)},
            optional={
                "temperature": st.just(0) | st.floats(0, 3) | st.just(1e300),
                "top_k": st.integers(0, 60),
                "top_p": st.floats(0, 1),
                "min_p": st.floats(0, 1),
            },
        ),
        st.lists(st.text(known, min_size=1, max_size=3), max_size=2),
        st.booleans(),
    )
    def equal(number_format, prompt, options, stops, step):
        wanted = writers[number_format].write(prompt, **options, stop=stops)
        arguments = [
            f"--{name.replace('_', '-')}={value}" for name, value in options.items()
        ]
        arguments += [f"--stop={stop}" for stop in stops]
        if step and number_format == "float32":
            arguments.append("--step")
        done = run(program, files[number_format], f"--prompt={prompt}", *arguments)
        assert (done.returncode, done.stdout.decode()) == (0, wanted), done.stderr

    equal()


def test_the_text_is_that_of_generate(program, files):
    compare(program, files, 20)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gru", "lstm", "transformer"])
def test_the_text_is_that_of_generate_for_any_model(program, tmp_path, name):
    # Four bits are for matrices that multiply a state.
    formats = [each for each in FORMATS if each != "int4" or name != "transformer"]
    compare(program, export(name, tmp_path, formats), 200)


def test_defaults_are_those_of_the_card(program, files):
    done = run(program, files["float32"], text="\ufeffa\r\nb")
    writer = Writer(Model(files["float32"]))
    assert done.stdout.decode() == writer.write("a\nb")
    assert not done.stderr


def check_bad_input(
    program: Path, folder: Path, whole: bytes, others: dict[str, bytes], count: int
) -> None:
    """Give both programs the same random cases."""
    path, length = folder / "model.tflite", f"--length={fuzz_runner.LENGTH}"
    expected = fuzz_runner.run(whole, "ab", (length,), path).text
    for index, case in enumerate(fuzz_runner.cases(whole, others, count)):
        # A pipe has no halves of surrogate pairs.
        prompt = case.prompt.encode("utf-8", "replace").decode()
        arguments = (length, *case.arguments)
        python = fuzz_runner.run(case.content, prompt, arguments, path)
        done = run(program, path, *arguments, text=prompt)
        said = done.stderr.decode().replace("kerasseq: ", "generate.py: ")
        outcome = fuzz_runner.Outcome(
            done.returncode, done.stdout.decode(), said.splitlines()
        )
        verdict = fuzz_runner.judge(case, outcome, expected)
        assert verdict in ("refused", "written"), f"case {index}: {verdict}"
        if python.code == 0 and outcome.code == 0:
            assert outcome.text == python.text, f"case {index}, {case.kind}"
        assert python.code == outcome.code or case.kind in ("tail", "flipped"), (
            f"case {index}, {case.kind}: {python} {outcome}"
        )


def test_bad_input(program, files, tmp_path):
    whole = files["float32"].read_bytes()
    flatbuffer, attached = fuzz_runner.parts(whole)
    card, vocabulary = map(
        json.loads, (attached["card.json"], attached["vocabulary.json"])
    )
    encoder = fuzz_runner.assemble(
        flatbuffer, card | {"kind": "encoder"}, vocabulary, hashes=True
    )
    others = {"another kind": encoder}
    check_bad_input(program, tmp_path, whole, others, 36)


@pytest.mark.slow
def test_much_bad_input(program, tmp_path):
    check_bad_input(program, tmp_path, *fuzz_runner.sample_files(), 1800)


def check_json(program: Path, folder: Path, whole: bytes, count: int) -> None:
    """Edit the JSON of a file, with right hashes, and give it to both programs."""
    path = folder / "edited.tflite"
    flatbuffer, attached = fuzz_runner.parts(whole)
    edits = st.tuples(st.floats(0, 1), st.integers(0, 3), st.sampled_from(WRONG))

    @settings(max_examples=count, deadline=None)
    @given(
        st.sampled_from(("card.json", "vocabulary.json")),
        st.lists(edits, max_size=3),
    )
    def agree(name, changes):
        files = dict(attached)
        for where, length, text in changes:
            at = int(where * len(files[name]))
            files[name] = files[name][:at] + text + files[name][at + length :]
        if name == "vocabulary.json":
            card = json.loads(files["card.json"])
            digest = hashlib.sha256(files[name]).hexdigest()
            card["attachments"]["vocabulary.json"] = digest
            files["card.json"] = json.dumps(card).encode()
        files["card.sha256"] = hashlib.sha256(files["card.json"]).hexdigest().encode()
        content = io.BytesIO(flatbuffer)
        with zipfile.ZipFile(content, "a") as archive:
            for each, text in files.items():
                archive.writestr(each, text)
        arguments = ("--prompt=a", "--length=9")
        python = fuzz_runner.run(content.getvalue(), "", arguments, path)
        done = run(program, path, *arguments)
        assert (done.returncode, done.stdout.decode()) == (python.code, python.text), (
            f"{done.stderr} {python.errors}"
        )
        assert len(done.stderr.splitlines()) == len(python.errors)

    agree()


def test_json_is_read_as_strictly(program, files, tmp_path):
    check_json(program, tmp_path, files["float32"].read_bytes(), 40)


@pytest.mark.slow
def test_much_json_is_read_as_strictly(program, files, tmp_path):
    check_json(program, tmp_path, files["float32"].read_bytes(), 2000)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--seed", -1), 2, "--seed -1: give 0 to 2147483647"),
        (("--top-p", "nan"), 2, "--top-p nan: give 0 to 1"),
        (("--temperature=0x1",), 2, "--temperature 0x1: give 0 up"),
        (("--stop", ""), 2, "--stop ''"),
        (("--length",), 2, "--length needs a value"),
        (("--prompt", b"a\xff"), 2, "--prompt is not UTF-8 (byte 0xff)"),
        (("a\x1b[2J\u202e",), 2, r"unknown argument a\x1b[2J\u202e"),
        (("--prompt", "aé中"), 0, "the model does not know them: U+00E9 U+4E2D"),
    ],
)
def test_what_it_says(program, files, arguments, code, said):
    command = [program, files["float32"], "--length=0", *arguments]
    command = [each if isinstance(each, bytes) else str(each) for each in command]
    done = subprocess.run(command, capture_output=True, env=ENVIRONMENT)
    (line,) = done.stderr.decode().splitlines()
    assert done.returncode == code and said in line and line.startswith("kerasseq: ")


def test_a_text_comes_as_it_is_made(program, files):
    command = [program, files["float32"], "--prompt=a", "--length=2147483647"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert len(process.stdout.read(100)) == 100
        process.stdout.close()  # the reader has enough
        assert process.wait(20) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_told(program, files):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [program, files["float32"], "--prompt=a"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        )
    assert done.returncode == 1
    assert b"standard output cannot be written: No space left" in done.stderr
