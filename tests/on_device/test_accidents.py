"""Whatever goes wrong around a program ends it in one line, without a traceback."""

import errno
import io
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import IO

import pytest

from kerasseq.on_device import classify, generate
from kerasseq.on_device.command import Command
from tests.fuzz import fuzz_commands
from tests.support.device_files import write_translator
from tests.support.programs import FOLDER, run_program

TEXTS = {
    "generate": ["--prompt=a bad cab"],
    "suggest": ["the k"],
    "classify": ["the cat"],
    "tag": ["the cat"],
    "encode": ["the cat"],
    "show": [],
}
# All programs share the code that meets these accidents, so one is enough each time.
FIRST, *OTHERS = *TEXTS, "serve"
EACH = [FIRST, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
NO_SPACE = f"standard output cannot be written: {os.strerror(errno.ENOSPC)}"


def closed_pipe() -> IO[bytes]:
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "wb")


@pytest.fixture
def paths(tmp_path) -> dict[str, str]:
    """Paths that are no file to read, by what is wrong with them."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    found = {
        "too long": "x" * 300,
        "too long a folder": f"{'y' * 300}/m.tflite",
        "missing": str(tmp_path / "none"),
        "folder": str(tmp_path),
        "pipe": str(tmp_path / "pipe"),
        "device without an end": "/dev/zero",
        "below a file": str(tmp_path / "file" / "m.tflite"),
        "NUL": "a\0b",
        "half a pair": "a\ud800b",
        "control characters": "a\n\x1b[2J\u202eb",
        "nothing": "",
        "empty": str(tmp_path / "file"),
    }
    if os.geteuid():
        (tmp_path / "locked").mkdir(mode=0)
        found["forbidden"] = str(tmp_path / "locked" / "m.tflite")
    return found


@pytest.mark.parametrize("name", TEXTS)
def test_a_path_that_cannot_be_read(name, paths, capsys):
    program = import_module(f"kerasseq.on_device.{name}")
    for wrong, path in paths.items():
        assert program.main([path, *TEXTS[name]]) == 2, wrong
        found = capsys.readouterr()
        assert found.out == ""
        (line,) = found.err.splitlines()
        assert line.startswith(f"{name}.py: ") and line.isprintable(), wrong


@pytest.mark.parametrize("name", EACH)
def test_help_that_cannot_be_written(name):
    with Path("/dev/full").open("wb") as full:
        done = run_program(
            name, "--help", capture_output=False, stdout=full, stderr=subprocess.PIPE
        )
    assert (done.returncode, done.stderr.decode()) == (1, f"{name}.py: {NO_SPACE}\n")
    done = run_program(name, "--help", preexec_fn=lambda: os.close(1))
    assert done.returncode == 1
    assert done.stderr.decode() == (
        f"{name}.py: standard output cannot be written: it is closed\n"
    )
    with closed_pipe() as pipe:
        done = run_program(
            name, "--help", capture_output=False, stdout=pipe, stderr=subprocess.PIPE
        )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("name", EACH)
def test_a_message_that_cannot_be_written(name):
    done = run_program(name, "--colour", preexec_fn=lambda: os.close(2))
    assert (done.returncode, done.stdout) == (2, b"")
    with Path("/dev/full").open("wb") as full, closed_pipe() as pipe:
        for stream in (full, pipe):
            done = run_program(
                name,
                "--colour",
                capture_output=False,
                stdout=subprocess.PIPE,
                stderr=stream,
            )
            assert (done.returncode, done.stdout) == (2, b"")


# Presses Ctrl-C when a module is imported, then runs a program.
INTERRUPTED = """
import os, runpy, signal, sys
from importlib.abc import MetaPathFinder
class Interrupt(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == wanted:
            os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupt())
wanted, *sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
if sys.argv[0].endswith(".py"):
    runpy.run_path(sys.argv[0], run_name="__main__")
else:
    runpy.run_module("kerasseq", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("name", EACH[:-2])
@pytest.mark.parametrize("module", ["numpy", "ai_edge_litert.interpreter"])
def test_ctrl_c_while_a_module_is_imported(name, module, files):
    program = [str(FOLDER / f"{name}.py"), files[name], *TEXTS[name]]
    done = subprocess.run(
        [sys.executable, "-E", "-s", "-c", INTERRUPTED, module, *program],
        capture_output=True,
        cwd="/",
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


@pytest.mark.parametrize("module", ["numpy", "ai_edge_litert.interpreter"])
def test_ctrl_c_while_the_command_imports_a_module(module, files):
    command = [f"{FOLDER.parents[1]}/", "write", files["generate"], "--prompt=a"]
    done = subprocess.run(
        [sys.executable, "-E", "-s", "-c", INTERRUPTED, module, *command],
        capture_output=True,
        cwd="/",
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"stopped\n")


@pytest.mark.parametrize("name", EACH[:-1])
def test_warnings_that_are_errors(name, files):
    program = [str(FOLDER / f"{name}.py"), files[name], *TEXTS[name]]
    done = subprocess.run(
        [sys.executable, "-E", "-s", "-W", "error", *program],
        capture_output=True,
        cwd="/",
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout


@pytest.mark.parametrize(
    ("accident", "code", "line"),
    [
        (MemoryError(), 1, "p: there is not enough memory\n"),
        (OSError(errno.EMFILE, "too many files"), 1, "p: [Errno 24] too many files\n"),
        (ValueError("bad\nfile"), 2, "p: bad\\nfile\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_a_program_may_raise(accident, code, line, capsys):
    def texts():
        yield "a text\n"
        raise accident

    assert Command(prog="p").run(texts()) == code
    assert capsys.readouterr() == ("a text\n", line)


def test_as_a_module_a_program_leaves_ctrl_c_to_python():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_line_or_a_prompt_beyond_all_measure_is_refused(files, monkeypatch, capsys):
    def answered(program, text: str) -> tuple[int, int, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        code = program.main([str(files[program.__name__.rpartition(".")[2]])])
        found = capsys.readouterr()
        return code, found.out.count("\n"), found.err

    line = "the " * 2**18
    assert answered(classify, f"the\n{line}x\n") == (
        2,
        1,  # the first line has its answer
        "classify.py: line 2 of standard input has more than 1,048,576 characters; "
        "give less\n",
    )
    assert answered(classify, f"{line}\nthe\n")[:2] == (0, 2)
    assert answered(generate, "a" * (2**24 + 1)) == (
        2,
        0,
        "generate.py: standard input has more than 16,777,216 characters; give less\n",
    )


@pytest.mark.slow  # a translator's file takes seconds to convert
def test_any_command_line_ends_in_answers_or_one_line(files, tmp_path):
    files = files | {"translate": write_translator(tmp_path)}
    assert sum(fuzz_commands.fuzz(files, 100).values()) == 100
