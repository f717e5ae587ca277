"""Whatever a command prints, it prints on every screen, and in every service."""

import io
import os
import shlex
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.__main__ import PROGRAMS, main
from kerasseq.on_device.model_file import Model
from kerasseq.outcome import exit_code
from kerasseq.parts import export as export_run_again
from kerasseq.parts import how_to, train
from kerasseq.recipes.exporting import export as export_model
from kerasseq.runs.part_names import ALL_PARTS
from kerasseq.starting import open_streams
from tests.support.contract import check_card

ROOT = Path(__file__).parents[2]
KERASSEQ = [sys.executable, "-m", "kerasseq"]
# A name, a text and labels of which cp1252 has one character and ascii none.
NAME = "→ é 好"
ENCODINGS = "ascii", "cp1252", "latin-1", "cp437", "koi8-r", "shift_jis", "utf-8"
SCREENS = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "the locale C": {"LC_ALL": "C", "PYTHONUTF8": "0"},
}


@given(
    st.text(st.characters(), max_size=20),
    st.sampled_from(ENCODINGS),
    st.sampled_from(["strict", "surrogateescape"]),  # the latter in the locale C
)
def test_every_text_can_be_printed(text, encoding, errors):
    screen = io.TextIOWrapper(io.BytesIO(), encoding, errors, newline="")
    with mock.patch.object(sys, "stdout", screen):
        with open_streams():
            print(text, end="", flush=True)
        assert screen.errors == errors, "as it was"
    shown = screen.buffer.getvalue().decode(encoding)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        assert shown.isascii() or not text.isascii()
    else:
        assert shown == text


def test_streams_that_are_closed_have_a_place_to_go_and_are_closed_again():
    with mock.patch.multiple(sys, stdin=None, stdout=None, stderr=None):
        with open_streams():
            assert sys.stdin.read() == ""
            for stream in (sys.stdout, sys.stderr):
                stream.write(NAME)
                assert not stream.isatty()
        assert sys.stdin is sys.stdout is sys.stderr is None


def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess:
    done = subprocess.run(
        [*KERASSEQ, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        timeout=600,
    )
    assert b"Traceback" not in done.stderr and b"codec" not in done.stderr
    return done


@pytest.mark.parametrize("screen", ["cp1252", "the locale C"])
@pytest.mark.parametrize("command", ["--help", "runner {}", "cache"])
def test_a_command_on_every_screen(command, screen, tmp_path):
    folder = tmp_path / NAME
    arguments = [word.format(folder) for word in command.split()]
    done = run(*arguments, **SCREENS[screen], KERASSEQ_CACHE=str(folder))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout


@pytest.mark.parametrize(
    ("command", "code"), [("train toy --only attention --out {}", 0), ("export {}", 2)]
)
def test_python_without_streams(command, code, tmp_path):
    """As with pythonw, or in a service."""
    arguments = command.format(tmp_path).split()
    with mock.patch.multiple(sys, stdin=None, stdout=None, stderr=None):
        assert main(arguments) == code


@pytest.mark.slow
def test_another_backend_and_other_floats_change_no_command(tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "float16", "backend": "jax"}')
    settings = {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "jax"}
    done = run("export", tmp_path, **settings)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1), done.stderr
    assert b"holds no saved model" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("backend", "jax", "computes with jax; set the environment variable KERAS_BAC"),
        ("floatx", "float16", r"floatx is float16; call keras\.config"),
    ],
)
def test_python_is_told_what_keras_must_be_set_to(
    name, value, said, tmp_path, monkeypatch
):
    monkeypatch.setattr(f"keras.config.{name}", lambda: value)
    for work in (
        lambda: train("toy", tmp_path / "out", only=["attention"]),
        lambda: export_run_again(tmp_path),
        lambda: export_model(None, None, tmp_path),
    ):
        with pytest.raises(ValueError, match=said):
            work()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("part", ALL_PARTS)
@pytest.mark.parametrize(
    "name", ["a b/m.tflite", "it's $HOME; `x`.tflite", "-x.tflite"]
)
def test_a_printed_command_can_be_pasted(part, name):
    text = how_to(part, Path(name))
    lines = [line for line in text.splitlines() if line.startswith("  ")]
    assert bool(lines) == (part != "attention")
    for line in lines:
        program, command, file, *_ = shlex.split(line)
        assert (program, file) == ("kerasseq", name)
        assert command in (*PROGRAMS, "page")


def test_a_missing_package_is_one_line(capsys):
    def work():
        import ai_edge_litert_that_is_not_here  # noqa: F401

    assert exit_code("p", work, "again") == 2
    assert capsys.readouterr().err == (
        "p: error: ai_edge_litert_that_is_not_here is not installed; "
        "pip install kerasseq\n"
    )


def write_files(folder: Path) -> list[str]:
    """A small file for each part, whose every line has what other encodings lack."""
    words = ["ship", "sea", "king", "rose"]
    texts = {
        "--corpus": "".join(
            f"The {words[n % 4]} → {n % 7} is “great”.\n" for n in range(400)
        ),
        "--sentences": "".join(f"the {word} is {NAME} .\n" for word in words),
        "--words": "".join(f"The {words[n % 4]} of 好 .\n" for n in range(400)),
        "--labels": "".join(
            f"{NAME}{n % 2}\tthe {words[n % 2]} {NAME}\n" for n in range(60)
        ),
        "--tags": "".join(
            f"{words[n % 4]}\tO\nΆδα{n % 4}\tB-τόπος\n\n" for n in range(60)
        ),
        "--pairs": "".join(f"{words[n % 4]} {n}\t→ {n} 好\n" for n in range(60)),
    }
    arguments = []
    for option, text in texts.items():
        path = folder / f"{NAME}{option}"
        path.write_text(text, encoding="utf-8")
        arguments += [option, str(path)]
    return arguments


@pytest.mark.slow
# Minutes each; the locale C is ASCII too.
@pytest.mark.parametrize("screen", ["cp1252", "the locale C"])
def test_a_whole_run_on_every_screen(screen, tmp_path):
    # There, what is not ASCII in an argument is no text.
    out = tmp_path / ("out" if "locale" in screen else NAME)
    files = write_files(tmp_path)
    settings = ["--quick", "--units", "16", "--epochs", "1", "--out", out]
    done = run("train", *files, *settings, **SCREENS[screen])
    assert done.returncode == 0, done.stderr[-2000:]
    assert (out / "REPORT.md").exists()
    assert rb"\u2192" in done.stdout and "→".encode() not in done.stdout
    assert b"Config(" not in done.stdout
    for number, part in enumerate(ALL_PARTS, 1):
        assert (
            f"part {number} of {len(ALL_PARTS)}, {part}: about".encode() in done.stdout
        )
    files = list(out.rglob("*_int8.tflite"))
    assert len(files) == 6
    for path in files:
        check_card(Model(path).card)
