"""The wheel, installed and used from another folder."""

import json
import os
import shutil
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from kerasseq.files.tflite import convert, write_tflite
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.on_device.card import CONTRACT_VERSION
from kerasseq.signatures.characters import build_generating_module
from kerasseq.signatures.steps import state_shapes
from kerasseq.text.characters import Vocabulary

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def install(wheel: Path, folder: Path, packages: Path) -> Path:
    """A new environment with the wheel, which also sees the packages in a folder."""
    venv.create(folder)
    python = folder / "bin" / "python"
    (own,) = folder.glob("lib/*/site-packages")
    (own / "others.pth").write_text(f"{packages}\n")
    command = [sys.executable, "-m", "pip", "--python", python, "install", "-q"]
    command += ["--no-deps", "--no-index", "--force-reinstall", wheel]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "bin" / "kerasseq"


def run(*command: object, folder: Path) -> subprocess.CompletedProcess:
    environment = {key: os.environ[key] for key in os.environ if key != "PYTHONPATH"}
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        page = "kerasseq/on_device/web/src/page.js"
        assert archive.read(page) == (ROOT / "export/web/src/page.js").read_bytes()
        assert b"# " in archive.read("kerasseq/on_device/README.md")
    modules = {
        str(path.relative_to(ROOT)) for path in (ROOT / "kerasseq").rglob("*.py")
    }
    assert modules | {"kerasseq/__init__.pyi"} <= names
    assert not any("node_modules" in name for name in names)
    assert {name.split("/")[0] for name in names} == {
        "kerasseq",
        "kerasseq-0.1.0.dist-info",
    }


@pytest.mark.slow
def test_the_wheel_has_the_page_and_needs_no_node(wheel, tmp_path):
    if not shutil.which("npm"):
        pytest.skip("npm is not installed, so the wheel has no page")
    kerasseq = install(wheel, tmp_path / "venv", Path(site.getsitepackages()[0]))
    (tmp_path / "m_int8.tflite").write_bytes(b"the model")
    command = ["page", "m_int8.tflite", "--save", "page"]
    alone = {"PATH": str(tmp_path), "HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [kerasseq, *command], cwd=tmp_path, env=alone, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    listing = json.loads((tmp_path / "page" / "models.json").read_text())
    for name in listing["files"]:
        assert (tmp_path / "page" / name).stat().st_size > 0
    assert {"index.html", "offline.js", "worker.js"} <= set(listing["files"])
    assert not (tmp_path / "home").exists(), "nothing was built"


@pytest.mark.slow
def test_with_numpy_and_litert_alone_the_command_writes(wheel, bare_python, tmp_path):
    (packages,) = bare_python.parents[1].glob("lib/*/site-packages")
    kerasseq = install(wheel, tmp_path / "venv", packages)
    model = build_char_rnn(CharRNNConfig(3, units=5, embedding_size=3))
    module = build_generating_module(model, Vocabulary.from_text("abc"))
    settings = {"length": 9, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
    card = {
        "contract": CONTRACT_VERSION,
        "kind": "character model",
        "state_shapes": state_shapes(model),
        "vocabulary_size": 3,
        "sampling_defaults": settings,
    }
    vocabulary = {"vocabulary.json": Vocabulary.from_text("abc").to_json()}
    flatbuffer = convert(module, module.device_signatures())
    path = write_tflite(tmp_path / "small.tflite", flatbuffer, card, vocabulary)
    done = run(kerasseq, "write", path, "--prompt", "a", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == 9 and set(done.stdout) <= set("abc")
    assert run(kerasseq, "show", path, folder=tmp_path).returncode == 0
    # A command that needs the other packages says so in one line.
    done = run(kerasseq, "train", folder=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "pip install kerasseq" in done.stderr


@pytest.mark.slow
def test_the_installed_command_trains_writes_and_exports(wheel, tmp_path):
    kerasseq = install(wheel, tmp_path / "venv", Path(site.getsitepackages()[0]))
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "story.txt").write_text("the cat sat on the mat.\n" * 300)
    train = "train story.txt --quick --only char_rnn --units 16 --epochs 2".split()
    done = run(kerasseq, *train, folder=folder)
    (note,) = done.stderr.splitlines()
    assert done.returncode == 0 and note.startswith("ids of story.txt")
    path = "out/char_rnn/char_rnn_int8.tflite"
    assert path in done.stdout
    first = run(kerasseq, "write", path, "--length", "50", folder=folder)
    assert (first.returncode, len(first.stdout)) == (0, 50)
    (folder / path).unlink()
    done = run(kerasseq, "export", "out", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    again = run(kerasseq, "write", path, "--length", "50", folder=folder)
    assert again.stdout == first.stdout
    done = run(kerasseq, "runner", "out/char_rnn", folder=folder)
    assert (folder / "out/char_rnn/CONTRACT.md").is_file(), done.stderr
