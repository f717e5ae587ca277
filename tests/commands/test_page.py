"""`kerasseq page` finds models, builds the page once, and saves it with models."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest
import segno

import kerasseq.page
from kerasseq.files.writing import WriteError
from kerasseq.page import SOURCES, build_page, draw, find_models, save_page
from tests.support.serving import FILES, sample_page

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


def test_all_models_of_a_run_are_served(tmp_path):
    names = "char_rnn/b", "char_rnn/a", "tagger/c", ".old-tagger/c", "tagger/.partial-c"
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.tflite").touch()
    b, a, c = (tmp_path / f"{name}.tflite" for name in names[:3])
    assert list(find_models([tmp_path, b])) == [a, b, c, b]
    assert list(find_models([tmp_path / "tagger"])) == [c]
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match=r"none holds no \.tflite of a model"):
        list(find_models([tmp_path / "none"]))
    for path in (tmp_path / "gone", tmp_path / ("n" * 300), Path(os.devnull)):
        with pytest.raises(ValueError, match="cannot be served: "):
            list(find_models([path]))


def test_the_qr_code_is_black_on_white_on_every_terminal(monkeypatch):
    address = "http://192.168.178.23:8000/?model=model/a%2520b.tflite"
    assert draw(address) == "", "nobody sees it in a pipe"
    monkeypatch.setattr(kerasseq.page, "is_terminal", lambda stream: True)
    rows = []
    for line in draw(address).splitlines():
        (blocks,) = re.fullmatch(r"\x1b\[97;40m(.+)\x1b\[0m", line).groups()
        # A block is white, and what is left of the cell black.
        rows.append([block in " ▄" for block in blocks])
        rows.append([block in " ▀" for block in blocks])
    wanted = segno.make(address, micro=False).matrix_iter(border=4)
    wanted = [[bool(dark) for dark in row] for row in wanted]
    assert rows[: len(wanted)] == wanted


@pytest.fixture
def saved(tmp_path) -> tuple[Path, list[Path], Path]:
    """A page in small, models with odd names, and where they are saved."""
    (tmp_path / "dist").mkdir()
    models = [
        tmp_path / os.fsdecode(name) for name in (b"a b", b"\xff#?%41", b"x" * 99)
    ]
    for model in models:
        model.write_bytes(os.fsencode(model.name))
    return sample_page(tmp_path / "dist"), models, tmp_path / "to" / "folder"


def test_a_saved_page_has_all_files_that_it_lists(saved):
    dist, models, folder = saved
    said = save_page(dist, models, folder)
    assert said.startswith("saved the page and 3 model files, ") and str(folder) in said
    listing = json.loads((folder / "models.json").read_text())
    for name in FILES:
        assert (folder / name).read_bytes() == (dist / name).read_bytes()
    for model, each in zip(models, listing["models"], strict=True):
        path = folder / os.fsdecode(urllib.parse.unquote_to_bytes(each["path"]))
        assert path.read_bytes() == model.read_bytes()
        assert each["size"] == len(model.read_bytes())
    # It replaces one of another version, and nothing of that is left.
    save_page(dist, models[:1], folder)
    assert [path.name for path in (folder / "model").iterdir()] == ["a b"]
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


@pytest.mark.parametrize("name", ["CNAME", "model/mine.txt", "models.json", "a/b/c"])
def test_a_folder_with_something_else_stays_as_it_is(saved, name):
    dist, models, folder = saved
    if name != "models.json":
        save_page(dist, models, folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text('{"files": 3}')
    before = sorted(folder.rglob("*"))
    with pytest.raises(ValueError, match="is in the way, which is no file"):
        save_page(dist, models, folder)
    assert sorted(folder.rglob("*")) == before


def test_a_page_that_cannot_be_saved_whole_leaves_the_one_before(saved, monkeypatch):
    dist, models, folder = saved
    save_page(dist, models[:1], folder)

    def files():
        return {
            path: (path.stat().st_ino, path.stat().st_mtime_ns)
            for path in sorted(folder.rglob("*"))
        }

    before = files()

    def full(source, copy):
        if source == models[1]:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(WriteError, match="No space left"):
        save_page(dist, models, folder)
    assert files() == before
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]


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
