"""Accidents with names, streams and Ctrl-C end in one line, never in a traceback."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kerasseq.__main__ import main

ROOT = Path(__file__).parents[2]
KERASSEQ = [sys.executable, "-m", "kerasseq"]

NAMES = {
    "long": "x" * 300,
    "with long parts": "x/" * 3000,
    "a whole text": "to be or not to be\n" * 10_000,
    "with NUL": "a\0b",
    "with an escape sequence": "a\x1b[31mb\nforged: line",
    "not UTF-8": os.fsdecode(b"a\xff"),
    "turned round": "a\u202eb",
}
USES = {
    "text": "train {}",
    "--corpus": "train --corpus {}",
    "--sentences": "train --only encoder --sentences {}",
    "--words": "train --only next_word --words {}",
    "--labels": "train --only classifier --labels {}",
    "--tags": "train --only tagger --tags {}",
    "--pairs": "train --only translation --pairs {}",
    "--from": "train toy --only char_rnn --from {}",
    "--out": "train toy --only attention --out {blocked}{}",
    "export": "export {}",
    "export of a part": "export . {}",
    "runner": "runner {blocked}{}",
    "--preset": "train --preset {}",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("use", USES)
def test_a_name_that_no_file_has_is_one_line(use, name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocked = tmp_path / "file"
    blocked.touch()
    arguments = [
        word.format(NAMES[name], blocked=f"{blocked}/") for word in USES[use].split()
    ]
    # A folder that cannot be made may have any name, and then the disk is at fault.
    assert main(arguments) in ((1, 2) if use == "runner" else (2,))
    line = capsys.readouterr().err
    assert re.fullmatch(rf"kerasseq {arguments[0]}: [ -~…]{{20,560}}\n", line), line
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def run(command: list[str], ending: str = "", **variables: str):
    """A command in a shell of its own, with redirections at its end."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {ending}', "sh", *command],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )


CHEAP = {"--help": 0, "cache": 0, "train --epochs 0": 2}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this is not Linux")
@pytest.mark.parametrize("arguments", CHEAP)
def test_a_full_standard_output_is_one_line(arguments):
    done = run([*KERASSEQ, *arguments.split()], ">/dev/full")
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("kerasseq")
    if CHEAP[arguments] == 0:
        assert "No space left on device" in done.stderr
    assert done.returncode == CHEAP[arguments] or 1


@pytest.mark.parametrize("arguments", CHEAP)
@pytest.mark.parametrize(
    "ending", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"]
)
def test_closed_streams_do_no_harm(arguments, ending):
    done = run([*KERASSEQ, *arguments.split()], ending)
    assert done.returncode == CHEAP[arguments], done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.count("\n") == (CHEAP[arguments] != 0 and "2>" not in ending)


def test_no_file_takes_the_number_of_a_closed_stream(tmp_path):
    code = (
        "import os, sys; from kerasseq.starting import *; own_process(); "
        f"file = open({str(tmp_path / 'file')!r}, 'w')\nwith open_streams(): "
        "print('lost'); os.write(1, b'lost'); os.write(2, b'lost'); "
        "print(file.fileno(), file=file)"
    )
    run([sys.executable, "-c", code], "<&- >&- 2>&-")
    assert int((tmp_path / "file").read_text()) > 2


@pytest.mark.parametrize("arguments", CHEAP)
def test_warnings_as_errors_change_nothing(arguments):
    done = run([sys.executable, "-W", "error", "-m", "kerasseq", *arguments.split()])
    assert done.returncode == CHEAP[arguments], done.stderr
    assert "Warning" not in done.stderr


@pytest.mark.parametrize("home", ["/dev/null/home", "/proc/home"])
def test_a_home_that_cannot_be_used_holds_a_text_in_memory(home, tmp_path):
    (tmp_path / "story.txt").write_text("abc" * 100)
    code = (
        "from kerasseq.text.corpus import *; print(len(load_corpus('story.txt').ids))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "HOME": home, "KERASSEQ_CACHE": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "300\n"), done.stderr
    assert done.stderr.startswith("story.txt is held in memory")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_announced_and_ctrl_c_ends_the_wait(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = (
        "import sys; from kerasseq.outcome import exit_code; "
        "from kerasseq.starting import own_process; own_process(); "
        "from kerasseq.text.corpus import load_corpus; "
        "sys.exit(exit_code('test', lambda: load_corpus(sys.argv[1]), 'again'))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, pipe], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr.readline() == f"reading the pipe {pipe} until it is closed\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1] == "test: stopped; again\n"
    assert process.returncode == 130


def test_ctrl_c_while_importing_is_one_line():
    code = (
        "import time; from kerasseq.starting import *; own_process()\n"
        "with interruptible():\n"
        "    with importing():\n"
        "        print('ready', flush=True)\n"
        "        try: time.sleep(60)\n"
        "        except BaseException: print('a library caught it')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "stopped\n")
    assert process.returncode == 130


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_of_what_has_trained_is_told_so(tmp_path, monkeypatch):
    from kerasseq import parts

    monkeypatch.setattr(parts, "_TRAINED_IN", {os.getppid()})
    with pytest.raises(RuntimeError, match="spawn"):
        parts.train("toy", tmp_path / "out", only=["attention"])
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_of_what_has_trained_does_not_wait(tmp_path):
    code = (
        "import os, sys, kerasseq\n"
        "def train(out): kerasseq.train('toy', out, only=['encoder'], preset='fast')\n"
        "train(sys.argv[1])\n"
        "if not os.fork():\n"
        "    try: train(sys.argv[1] + '-2')\n"
        "    except RuntimeError as error: os._exit(7)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))"
    )
    assert run([sys.executable, "-c", code, str(tmp_path / "out")]).returncode == 7


# The command as in a process of its own, which says when it begins: before that,
# Python itself is being started.
BEGUN = """
import runpy, sys
from kerasseq.starting import own_process
own_process()
print("begun", flush=True)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


# Presses Ctrl-C when a module is imported, or a process started.
AT_AN_EVENT = """
import os, runpy, signal, sys
event, name, *sys.argv[1:] = sys.argv[1:]
def press(found, values):
    global event
    if found == event and name in str(values[0]):
        event = ""
        os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(press)
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("kerasseq", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(
    ("event", "name", "arguments"),
    [
        ("import", "typer", "cache"),
        ("import", "kerasseq.text.cache_folder", "cache"),
        ("subprocess.Popen", "python", "train toy"),
    ],
)
def test_ctrl_c_before_the_work_is_one_line(event, name, arguments):
    done = run([sys.executable, "-c", AT_AN_EVENT, event, name, *arguments.split()])
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


DROPPED = """
import os, signal, time
from kerasseq import starting
from kerasseq.outcome import exit_code
starting.own_process()
starting.AGAIN = 0.05
class Dropped:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
def work():
    Dropped()
    time.sleep(10)
raise SystemExit(exit_code("program", work, "run this again"))
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer")
def test_ctrl_c_that_python_drops_ends_the_work_all_the_same():
    done = subprocess.run(
        [sys.executable, "-c", DROPPED], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 130
    assert "Exception ignored in" in done.stderr
    assert done.stderr.endswith("program: stopped; run this again\n")


@pytest.mark.slow
@pytest.mark.parametrize("program", ["kerasseq/__main__.py train", "train_all.py"])
def test_ctrl_c_at_any_moment_is_one_line(program, tmp_path):
    path, *arguments = program.split()
    command = [sys.executable, "-c", BEGUN, path, *arguments, "toy", "--only"]
    command += ["encoder", "--out", str(tmp_path)]
    for half in range(20):
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "begun\n"
        time.sleep(half / 2)
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130, (half, errors)
        stopped = r"(\S+( train)?: )?stopped(; continue with --resume)?\n"
        assert re.fullmatch(stopped, errors), (half, errors)


@pytest.mark.slow
def test_a_training_with_warnings_as_errors(tmp_path):
    """The libraries' own warnings do not end it."""
    arguments = ["train", "toy", "--quick", "--out", str(tmp_path)]
    done = run([sys.executable, "-W", "error", "-m", "kerasseq", *arguments])
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("ending", [">/dev/full", "<&- >&- 2>&-", "2>/dev/full"])
def test_a_training_with_odd_streams(ending, tmp_path):
    command = [*KERASSEQ, "train", "toy", "--only", "attention", "--out", str(tmp_path)]
    done = run(command, ending)
    full = ending == ">/dev/full"
    assert (done.returncode, done.stderr.count("\n")) == (full, full), done.stderr
    assert full or (tmp_path / "REPORT.md").exists()
