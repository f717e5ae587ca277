"""`kerasseq page` finds models, and builds the page once if it is not built yet."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import kerasseq.page
from kerasseq.page import SOURCES, build_page, find_models

# A stand-in for npm: records how it was called and writes what a build writes.
NPM = f"""#!{sys.executable}
import sys
from pathlib import Path
with open(Path(__file__).parent / "calls", "a") as calls:
    print(*sys.argv[1:], file=calls)
if sys.argv[1] == "run":
    assert Path("src/index.html").is_file() and Path("package-lock.json").is_file()
    Path("dist").mkdir()
    Path("dist/index.html").write_text("built")
"""


@pytest.fixture
def sources(tmp_path, monkeypatch) -> Path:
    """The page's sources as in the installed package, and a stand-in for npm."""
    packaged = tmp_path / "web"
    for each in SOURCES:
        source = kerasseq.page.CHECKOUT / each
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        packaged.mkdir(exist_ok=True)
        copy(source, packaged / each)
    monkeypatch.setattr(kerasseq.page, "CHECKOUT", tmp_path / "none")
    monkeypatch.setattr(kerasseq.page, "PACKAGED", packaged)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "npm").write_text(NPM)
    (tmp_path / "bin" / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return packaged


def test_the_page_is_built_once_for_the_same_sources(sources, tmp_path, capsys):
    cache = tmp_path / "cache"
    built = build_page(cache)
    assert (built / "index.html").read_text() == "built"
    assert f"building the page, once, into {built}" in capsys.readouterr().out
    assert build_page(cache) == built
    assert capsys.readouterr().out == ""
    calls = tmp_path / "bin" / "calls"
    assert calls.read_text().split("\n") == ["ci", "run build", ""]
    with (sources / "src" / "page.js").open("a") as file:
        file.write("// changed")
    assert build_page(cache) != built
    assert sorted(path.name[:5] for path in cache.iterdir()) == ["page-", "page-"]


def test_without_npm_there_is_one_clear_error(sources, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"npm, which is not installed; install Node"):
        build_page(tmp_path / "cache")


def test_a_build_that_fails_says_why_and_leaves_nothing(sources, tmp_path):
    npm = tmp_path / "bin" / "npm"
    npm.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no such registry')\n")
    with pytest.raises(ValueError, match="npm ci failed: no such registry"):
        build_page(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_character_models_of_a_run_are_served(tmp_path):
    for name in ("char_rnn/b.tflite", "char_rnn/a.tflite", "tagger/c.tflite"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    a, b = (tmp_path / "char_rnn" / name for name in ("a.tflite", "b.tflite"))
    assert list(find_models([tmp_path, b])) == [a, b, b]
    with pytest.raises(ValueError, match="of a character model"):
        list(find_models([tmp_path / "tagger"]))
    for path in (tmp_path / "none", tmp_path / ("n" * 300), Path(os.devnull)):
        with pytest.raises(ValueError, match="cannot be served: "):
            list(find_models([path]))


def test_the_password_in_an_address_is_not_shown():
    with pytest.raises(ValueError, match="an address is no file") as caught:
        list(find_models([Path("https://user:secret@host/m.tflite")]))
    assert "secret" not in str(caught.value)


def test_what_cannot_be_served_is_one_line(tmp_path):
    command = [sys.executable, "-m", "kerasseq", "page", str(tmp_path)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"kerasseq page: error: {tmp_path} holds no .tflite")
    assert done.stderr.count("\n") == 1
