"""The command `kerasseq`: its help, suggestions and shell completion."""

import subprocess
import sys
from pathlib import Path

import pytest

import kerasseq
from kerasseq.__main__ import PROGRAMS, main
from kerasseq.commands import ON_DEVICE
from kerasseq.text.corpus import load_corpus

ROOT = Path(__file__).parents[2]


def test_the_help_has_every_command_in_a_group(capsys):
    assert main(["--help"]) == 0
    page = capsys.readouterr().out
    for name in ("train", "export", "cache", "page", "runner", *PROGRAMS):
        assert f" {name} " in page
    assert "Make models" in page and "Use files, on any device" in page
    assert max(map(len, page.splitlines())) <= 100
    assert main([]) == 0
    assert capsys.readouterr().out == page


def test_the_help_lists_the_programs_that_exist():
    assert ON_DEVICE.keys() == PROGRAMS.keys()


def test_it_says_its_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"kerasseq {kerasseq.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            "train --epochs 0",
            "train: error: --epochs: '0' is not a whole number from 1",
        ),
        ("train --temprature 1", "--temprature; did you mean --temperature?"),
        ("train --seed", "train: error: Option '--seed' requires an argument"),
        ("export", "kerasseq export: error: Missing argument 'OUT'"),
        ("export {0}", "kerasseq export: error: {0} holds no saved model"),
        ("export {0} tager", "'tager' is none of encoder, char_rnn"),
        ("page {0}/none", "kerasseq page: error: {0}/none cannot be served"),
        ("write {0}/none", "kerasseq write: "),
        ("show {0}/none", "kerasseq show: "),
    ],
)
def test_what_is_invalid_is_one_line(arguments, line, tmp_path, capsys):
    assert main(arguments.format(tmp_path).split()) == 2
    error = capsys.readouterr().err
    assert line.format(tmp_path) in error
    assert error.startswith(f"kerasseq {arguments.split()[0]}: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("kerasseq trai", ["train"]),
        ("kerasseq train --preset b", ["best"]),
        ("kerasseq train --top", ["--top-p"]),
        ("kerasseq export {0} c", ["char_rnn", "classifier"]),
    ],
)
def test_the_shell_completes(words, completions, tmp_path, capsys, monkeypatch):
    for name in ("char_rnn", "classifier", "encoder"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.keras").touch()
    words = words.format(tmp_path)
    monkeypatch.setenv("_KERASSEQ_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    with pytest.raises(SystemExit):
        main([])
    assert sorted(capsys.readouterr().out.split()) == completions


@pytest.mark.parametrize("name", ["writ", "sugest", "trian", "exprot"])
def test_a_misspelt_command_gets_a_suggestion(name, capsys):
    wanted = {"writ": "write", "sugest": "suggest", "trian": "train"}
    assert main([name]) == 2
    error = capsys.readouterr().err
    assert f"'{name}'" in error and error.count("\n") == 1
    assert f"'{wanted.get(name, 'export')}'" in error


def test_the_cache_is_listed_and_emptied(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KERASSEQ_CACHE", str(tmp_path / "cache"))
    assert main(["cache"]) == 0
    assert capsys.readouterr().out == f"{0:15} bytes of 0 texts in {tmp_path}/cache\n"
    path = tmp_path / "story.txt"
    path.write_text("abc" * 1000)
    sha256 = load_corpus(path).sha256
    capsys.readouterr()
    assert main(["cache"]) == 0
    text, total = capsys.readouterr().out.splitlines()
    assert sha256 in text and "3,032 bytes" in text and "3,032 bytes of 1" in total
    assert "story" not in text, "names of private texts stay private"
    assert main(["cache", "--empty"]) == 0
    assert capsys.readouterr().out.startswith("removed 3,032 bytes from")
    assert not list((tmp_path / "cache").iterdir())


def test_the_cache_is_listed_without_tensorflow():
    code = (
        "import sys; from kerasseq.__main__ import main; code = main(['cache']); "
        "sys.exit(code or any('tensorflow' in name for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
