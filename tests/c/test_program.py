"""The C program writes the text of generate.py, and refuses what it refuses."""

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.files.formats import FORMATS
from kerasseq.files.tflite import convert_all, write_tflite
from kerasseq.on_device.card import CONTRACT_VERSION
from kerasseq.on_device.generate import Writer
from kerasseq.on_device.model_file import Model
from tests.c.conftest import FLAGS, SOURCES
from tests.fuzz import fuzz_runner
from tests.support import small_files

# LiteRT leaves memory behind at the end.
ENVIRONMENT = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}
VECTORS = SOURCES.parent / "test_vectors.json"


def run(program: Path, *arguments: object, text: str = "", **options):
    """Run the program on standard input."""
    return subprocess.run(
        [program, *map(str, arguments)],
        **{"input": text.encode(), "capture_output": True, "env": ENVIRONMENT}
        | options,
    )


def export(name: str, folder: Path, formats: Iterable[str]) -> dict[str, Path]:
    """A small character model, "gru", "lstm" or "transformer", in some formats."""
    _, module, signatures, card, vocabulary = next(
        each for each in small_files.modules() if each[0] == name
    )
    size = {"contract": CONTRACT_VERSION, "vocabulary_size": 54}
    attached = {"vocabulary.json": vocabulary.to_json()}
    return {
        each: write_tflite(
            folder / f"{name}_{each}.tflite", flatbuffer, size | card, attached
        )
        for each, flatbuffer in convert_all(module, signatures, formats)
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    return export("gru", tmp_path_factory.mktemp("gru"), ("float32", "int8"))


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
    others = {"another kind": encoder, "int8": files["int8"].read_bytes()}
    check_bad_input(program, tmp_path, whole, others, 36)


@pytest.mark.slow
def test_much_bad_input(program, tmp_path):
    check_bad_input(program, tmp_path, *fuzz_runner.sample_files(), 4500)


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
        (
            ("--prompt", "aé中"),
            0,
            "left out, since the model does not know them: U+00E9",
        ),
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


def test_sampling_is_that_of_the_vectors(program, tmp_path):
    vectors = json.loads(VECTORS.read_text())
    lines, wanted = [], []
    for case in vectors["uniforms"]:
        for index, numerator in enumerate(case["numerators"], case["start"]):
            lines.append(f"u {case['seed']} {index}")
            wanted.append(numerator)
    names = "uniform", "temperature", "top_k", "top_p", "min_p"
    for case in vectors["tokens"]:
        numbers = [case[name] for name in names] + [len(case["logits"])]
        numbers += map(float, case["logits"])
        lines.append(" ".join(map(str, ("t", *numbers))))
        wanted.append(case["token"])
    answers = tmp_path / "vectors"
    sources = [Path(__file__).parent / "vectors.c", SOURCES / "sampling.c"]
    command = ["gcc", "-std=c11", *FLAGS.split(), f"-I{SOURCES}", *sources]
    command += [SOURCES / "text.c", "-o", answers, "-lm"]
    subprocess.run(command, check=True)
    done = subprocess.run(
        [answers], input="\n".join(lines).encode(), capture_output=True
    )
    found = list(map(int, done.stdout.split()))
    assert found == wanted and len(wanted) > 270
