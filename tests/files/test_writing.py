"""Files appear whole or not at all; models load without running code."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasseq.files.keras_models import load_model, save_model
from kerasseq.files.lock import locked
from kerasseq.files.writing import (
    recover_directory,
    replace_directory,
    replacing,
    write_file,
)
from kerasseq.layers.recurrent import FusedRNN

ROOT = Path(__file__).parents[2]

# Child processes repeat each action; the n-th child is killed before its n-th change to
# the file system, until one child finishes. Python reports such changes to audit hooks,
# so nothing here depends on the code under test.
# A limit on the size of files simulates a full disk: one write is short, the next one
# fails. With the signal's default action the process dies in the middle of writing.
ACCIDENTS = """
import os, resource, shutil, signal, sys
from pathlib import Path
from kerasseq.files.writing import replace_directory, write_file

CHANGES = ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir")

def kill_before(change):
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        if event in CHANGES:
            seen += 1
            if seen > change:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

def die_at_the_limit():
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    fail_at_the_limit()

def fail_at_the_limit():
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

def write():
    write_file("kept.txt", "new" * 2347)

def replace():
    replace_directory("kept", fill)

def fill(directory):
    directory.mkdir()
    for name in "abc":
        (directory / name).write_text("new")

def succeeds(folder, accident, action):
    folder.mkdir()
    os.chdir(folder)
    Path("kept.txt").write_text("old")
    Path("kept").mkdir()
    for name in "abcde":
        Path("kept", name).write_text("old")
    child = os.fork()
    if child == 0:
        try:
            accident()
            action()
        except OSError as error:
            Path("error").write_text(str(error))
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] == 0

top = Path(sys.argv[1])
for action in (write, replace):
    for change in range(100):
        folder = top / f"{action.__name__}, killed before change {change:02}"
        if succeeds(folder, lambda: kill_before(change), action):
            break
for accident in (die_at_the_limit, fail_at_the_limit):
    succeeds(top / accident.__name__, accident, write)
"""


@pytest.fixture(scope="module")
def accidents(tmp_path_factory):
    """The folders that the accidents left, each with `kept.txt` and `kept`."""
    top = tmp_path_factory.mktemp("accidents")
    command = [sys.executable, "-c", ACCIDENTS, str(top)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return top


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_write_file_writes_the_bytes_it_is_given(tmp_path):
    path = write_file(tmp_path / "new" / "folder" / "a.bin", b"\x00\r\n\xff")
    assert path.read_bytes() == b"\x00\r\n\xff"
    assert names(path.parent) == ["a.bin"]


def test_write_file_writes_text_as_utf_8_with_its_line_ends(tmp_path):
    path = write_file(str(tmp_path / "a.txt"), "é\r\n𝄞\n")
    assert path.read_bytes() == b"\xc3\xa9\r\n\xf0\x9d\x84\x9e\n"


def test_a_kill_at_any_moment_leaves_the_old_file_or_the_new(accidents):
    folders = sorted(accidents.glob("write, *"))
    assert len(folders) >= 3, "before opening, before renaming, not at all"
    found = [(folder / "kept.txt").read_text() for folder in folders]
    assert set(found) == {"old", "new" * 2347}
    assert found == sorted(found, reverse=True), "new, then old again"
    for folder in folders:  # the next run in the folder removes what the kill left
        with locked(folder):
            assert names(folder) == [".lock", "kept", "kept.txt"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(accidents):
    folder = accidents / "fail_at_the_limit"
    error = (folder / "error").read_text()
    assert error == "kept.txt cannot be written (File too large)"
    assert (folder / "kept.txt").read_text() == "old"
    assert names(folder) == ["error", "kept", "kept.txt"]


def test_a_kill_in_the_middle_of_writing_leaves_the_old_file(accidents):
    folder = accidents / "die_at_the_limit"
    (part,) = set(names(folder)) - {"kept", "kept.txt"}
    assert (folder / part).stat().st_size == 5000
    assert (folder / "kept.txt").read_text() == "old"


def write_beside(path: Path) -> None:
    with replacing(path) as beside:
        beside.write_bytes(b"n" * 13)


@pytest.mark.parametrize(
    "write", [lambda path: write_file(path, b"n" * 13), write_beside]
)
def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch, write):
    happened = []
    sync, rename = os.fsync, Path.replace

    def recording_sync(descriptor):
        happened.append(("sync", os.fstat(descriptor).st_size))
        sync(descriptor)

    def recording_rename(path, target):
        happened.append(("rename", path.stat().st_size))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", recording_sync)
    monkeypatch.setattr(Path, "replace", recording_rename)
    write(tmp_path / "a.bin")
    assert happened == [("sync", 13), ("rename", 13)]


def test_a_block_that_raises_leaves_the_old_file(tmp_path):
    path = write_file(tmp_path / "figure.png", "old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as partial:
        assert (partial.parent, partial.suffix) == (path.parent, ".png")
        partial.write_text("half of the new")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert names(tmp_path) == ["figure.png"]


def fill_directory(directory: Path, content: str, files: str) -> None:
    directory.mkdir()
    for name in files:
        (directory / name).write_text(content)


def is_whole(directory: Path, content: str, files: str) -> bool:
    return names(directory) == list(files) and all(
        (directory / name).read_text() == content for name in files
    )


def test_replace_directory_replaces_what_was_there(tmp_path):
    path = tmp_path / "deep" / "kept"
    replace_directory(path, lambda new: fill_directory(new, "old", "abcde"))
    assert is_whole(path, "old", "abcde")
    replace_directory(path, lambda new: fill_directory(new, "new", "abc"))
    assert is_whole(path, "new", "abc")
    assert names(path.parent) == ["kept"]


def test_a_writer_that_raises_leaves_the_old_directory(tmp_path):
    path = tmp_path / "kept"
    fill_directory(path, "old", "abcde")

    def fail(new):
        fill_directory(new, "new", "ab")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_directory(path, fail)
    assert is_whole(path, "old", "abcde")
    assert names(tmp_path) == ["kept"]


def test_after_a_kill_at_any_moment_one_whole_directory_is_recovered(accidents):
    folders = sorted(accidents.glob("replace, *"))
    missing, kept_old = 0, []
    for folder in folders:
        missing += not (folder / "kept").exists()
        recover_directory(folder / "kept")
        assert names(folder) == ["kept", "kept.txt"], folder.name
        old = is_whole(folder / "kept", "old", "abcde")
        assert old or is_whole(folder / "kept", "new", "abc"), folder.name
        kept_old.append(old)
    assert set(kept_old) == {False, True}
    assert kept_old == sorted(kept_old, reverse=True), "new, then old again"
    assert missing == 1, "no directory has the name only between the two renames"


def test_the_next_replace_directory_recovers_first(tmp_path):
    path = tmp_path / "kept"
    fill_directory(tmp_path / ".old-kept", "old", "abcde")
    fill_directory(tmp_path / ".partial-0123abcd-kept", "new", "ab")

    def fail(new):
        assert not new.exists()
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        replace_directory(path, fail)
    assert is_whole(path, "old", "abcde")
    assert names(tmp_path) == ["kept"]


def test_a_directory_s_bytes_are_on_the_disk_before_its_name_is(tmp_path, monkeypatch):
    happened, path = [], tmp_path / "kept"

    def sync(descriptor):
        assert not path.exists()
        happened.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", sync)
    replace_directory(path, lambda new: fill_directory(new, "n" * 13, "ab"))
    assert happened == [13, 13]


def test_recover_directory_leaves_a_whole_directory_alone(tmp_path):
    fill_directory(tmp_path / "kept", "new", "abc")
    recover_directory(tmp_path / "kept")
    assert is_whole(tmp_path / "kept", "new", "abc")
    recover_directory(tmp_path / "never there")
    assert names(tmp_path) == ["kept"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model of Keras's own layers, and the file that it was saved to."""
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(5, "tanh"), keras.layers.Dense(2)]
    )
    return model, save_model(model, tmp_path_factory.mktemp("saved") / "model.keras")


def with_config(source: Path, target: Path, config: str) -> Path:
    """Copy a `.keras` file with another configuration."""
    with zipfile.ZipFile(source) as read, zipfile.ZipFile(target, "w") as write:
        for name in read.namelist():
            write.writestr(name, config if name == "config.json" else read.read(name))
    return target


def with_last_layer(source: Path, target: Path, **changes: object) -> Path:
    """Copy a `.keras` file with another configuration of its last layer."""
    with zipfile.ZipFile(source) as archive:
        config = json.loads(archive.read("config.json"))
    config["config"]["layers"][-1].update(changes)
    return with_config(source, target, json.dumps(config))


def test_a_saved_model_computes_the_same_when_it_is_loaded(saved):
    model, path = saved
    inputs = np.linspace(-1, 1, 21, dtype=np.float32).reshape(7, 3)
    np.testing.assert_array_equal(load_model(path)(inputs), model(inputs))
    assert names(path.parent) == ["model.keras"]


def test_a_loaded_model_is_not_compiled(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    path = save_model(model, tmp_path / "model.keras")
    assert keras.models.load_model(path).compiled
    assert not load_model(path).compiled


def test_a_save_that_fails_leaves_the_old_model(saved, tmp_path, monkeypatch):
    model, path = saved
    kept = tmp_path / "model.keras"
    kept.write_bytes(path.read_bytes())

    def fail(self, filepath):
        Path(filepath).write_bytes(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(keras.Sequential, "save", fail)
    with pytest.raises(OSError, match="full"):
        save_model(model, kept)
    assert kept.read_bytes() == path.read_bytes()
    assert names(tmp_path) == ["model.keras"]


def test_a_missing_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist; train a model first"):
        load_model(tmp_path / "model.keras")


@pytest.mark.parametrize("tenths", range(10))
def test_a_model_that_was_cut_short_is_refused(saved, tmp_path, tenths):
    content = saved[1].read_bytes()
    cut = tmp_path / "model.keras"
    cut.write_bytes(content[: len(content) * tenths // 10])
    with pytest.raises(ValueError, match=r"not a whole \.keras file"):
        load_model(cut)


def test_a_model_with_a_flipped_bit_among_its_weights_is_refused(saved, tmp_path):
    content = bytearray(saved[1].read_bytes())
    kernel = saved[0].layers[0].kernel.numpy().tobytes()
    content[content.index(kernel) + 17] ^= 4
    flipped = tmp_path / "model.keras"
    flipped.write_bytes(content)
    with pytest.raises(ValueError, match=r"CRC-32 for file 'model\.weights\.h5'"):
        load_model(flipped)


@pytest.mark.parametrize("content", [b"", b"not a ZIP", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_keras_file_is_refused(tmp_path, content):
    path = write_file(tmp_path / "model.keras", content)
    with pytest.raises(ValueError, match=r"not a whole \.keras file"):
        load_model(path)


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"not a whole \.keras file"):
        load_model(tmp_path)


@pytest.mark.parametrize("config", ["[1, 2", "{}", '{"class_name": "Sequential"}'])
def test_a_configuration_that_is_no_model_is_refused(saved, tmp_path, config):
    path = with_config(saved[1], tmp_path / "model.keras", config)
    with pytest.raises(ValueError, match=r"model\.keras"):
        load_model(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"module": "stranger"},
        {"module": "stranger.layers"},
        {"module": "kerasplus.layers"},
        {"module": None, "registered_name": "stranger>Dense"},
    ],
)
def test_a_foreign_class_is_refused_and_not_imported(
    saved, tmp_path, monkeypatch, changes
):
    marker = tmp_path / "imported"
    code = f"open({str(marker)!r}, 'w').close()\nfrom keras.layers import Dense\n"
    for package in ("stranger", "kerasplus"):
        write_file(tmp_path / package / "__init__.py", code)
        write_file(tmp_path / package / "layers.py", code)
    monkeypatch.syspath_prepend(tmp_path)
    path = with_last_layer(saved[1], tmp_path / "model.keras", **changes)
    with pytest.raises(ValueError, match="only layers of keras and kerasseq"):
        load_model(path)
    assert not marker.exists()


def test_a_class_that_is_not_a_layer_is_refused(saved, tmp_path):
    path = tmp_path / "model.keras"
    with_last_layer(saved[1], path, module="builtins", class_name="eval")
    with pytest.raises(ValueError, match="only layers of keras and kerasseq"):
        load_model(path)


def test_a_lambda_is_refused_and_its_code_does_not_run(tmp_path):
    marker = tmp_path / "ran"
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    code = f"lambda x: open({str(marker)!r}, 'w').close() or x"
    model.add(keras.layers.Lambda(eval(code), output_shape=(2,)))
    path = tmp_path / "model.keras"
    model.save(path)
    marker.unlink(missing_ok=True)
    keras.models.load_model(path, safe_mode=False)(np.ones((1, 3)))
    assert marker.exists(), "this file would run code in other hands"
    marker.unlink()
    with pytest.raises(ValueError, match="code or files of their own are not loaded"):
        load_model(path)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["Lambda", "function", "__lambda__"])
def test_code_deep_inside_a_configuration_is_found(saved, tmp_path, name):
    hidden = {"module": "keras.layers", "class_name": name, "config": "tanh"}
    path = tmp_path / "model.keras"
    with_last_layer(saved[1], path, config={"activation": [{"deep": hidden}]})
    with pytest.raises(ValueError, match=f"'{name}', which is code"):
        load_model(path)


@pytest.mark.parametrize("changes", [{}, {"module": None}])
def test_a_class_of_this_package_is_loaded(tmp_path, changes):
    model = keras.Sequential(
        [keras.Input((5, 3)), FusedRNN(keras.layers.GRUCell(2), name="last")]
    )
    path = with_last_layer(
        save_model(model, tmp_path / "saved.keras"), tmp_path / "model.keras", **changes
    )
    inputs = np.linspace(-1, 1, 105, dtype=np.float32).reshape(7, 5, 3)
    np.testing.assert_array_equal(load_model(path)(inputs), model(inputs))
