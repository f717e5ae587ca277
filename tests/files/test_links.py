"""A link in a run's folder never makes a run change what it leads to."""

from pathlib import Path

import keras
import pytest

from kerasseq.commands import train
from kerasseq.files.keras_models import save_model
from kerasseq.files.labels import write_labels
from kerasseq.files.lock import locked
from kerasseq.files.report import record
from kerasseq.files.writing import recover_directory, replace_directory, write_file
from kerasseq.text.characters import Vocabulary
from kerasseq.training.callbacks import HistoryFile
from kerasseq.training.checkpoint import Checkpoint


def a_model():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])


def write_checkpoint(path):
    model = a_model()
    model.compile("sgd", "mse")
    checkpoint = Checkpoint(path, {})
    checkpoint.set_model(model)
    checkpoint.set_params({"epochs": 2})
    checkpoint.on_epoch_end(0)
    checkpoint.on_epoch_end(1)


def fill(folder):
    folder.mkdir()
    (folder / "new.txt").write_text("new")


WRITERS = {
    "a.txt": lambda path: write_file(path, "new"),
    "model.keras": lambda path: save_model(a_model(), path),
    "history.csv": lambda path: HistoryFile(path).on_epoch_end(0, {"loss": 1.0}),
    "checkpoint.npz": write_checkpoint,
    "checkpoint_before.npz": lambda path: write_checkpoint(
        path.with_name("checkpoint.npz")
    ),
    "report.json": lambda path: record(path.parent, "a", {"b": 1}),
    "REPORT.md": lambda path: record(path.parent, "a", {"b": 1}),
    "labels.json": lambda path: write_labels(["a", "b"], path),
    "vocabulary.json": Vocabulary.from_text("ab").save,
    "saved_model": lambda path: replace_directory(path, fill),
    ".old-saved_model": lambda path: replace_directory(
        path.with_name("saved_model"), fill
    ),
}


@pytest.mark.parametrize("leads_to", ["a file", "a folder", "nothing"])
@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_replaces_a_link_and_leaves_its_end(name, leads_to, tmp_path):
    run, victim = tmp_path / "run", tmp_path / "victim"
    run.mkdir()
    if leads_to == "a file":
        victim.write_text("innocent")
    elif leads_to == "a folder":
        victim.mkdir()
        (victim / "a.txt").write_text("innocent")
    (run / name).symlink_to(victim)
    for _ in range(2):
        WRITERS[name](run / name)
    left = {path: path.read_text() for path in tmp_path.glob("victim/*")}
    if leads_to == "a file":
        assert victim.read_text() == "innocent"
    assert victim.exists() == (leads_to != "nothing")
    assert list(left.values()) == ["innocent"] * (leads_to == "a folder")
    assert not (run / name).is_symlink()


def test_what_is_cleaned_up_is_in_the_folder_itself(tmp_path):
    run, victim = tmp_path / "run", tmp_path / "victim"
    (victim / ".partial-01234567-a").mkdir(parents=True)
    run.mkdir()
    (run / "linked").symlink_to(victim)
    (run / ".partial-01234567-b").symlink_to(victim)
    (run / ".old-c").symlink_to(victim)
    (run / "c").mkdir()
    with locked(run):
        recover_directory(run / "c")
    assert [path.name for path in victim.iterdir()] == [".partial-01234567-a"]
    assert sorted(path.name for path in run.iterdir()) == ["c", "linked"]


@pytest.mark.parametrize("name", ["char_rnn", "attention", "tagger"])
@pytest.mark.parametrize("leads_to", ["a folder", "nothing", "no link but a file"])
def test_a_folder_that_is_a_link_is_refused_first(name, leads_to, tmp_path, capsys):
    out, victim = tmp_path / "out", tmp_path / "victim"
    out.mkdir()
    if leads_to == "no link but a file":
        (out / name).touch()
    else:
        (out / name).symlink_to(victim)
    if leads_to == "a folder":
        victim.mkdir()
    assert train(["toy", "--only", "attention", "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{out / name} is a link or a file" in line
    assert [path.name for path in out.iterdir()] == [name]
    assert list(tmp_path.glob("victim/*")) == []


def test_the_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    assert train(["toy", "--only", "attention", "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "real" / "REPORT.md").exists()
    assert (tmp_path / "real" / "attention" / "weights.png").exists()


@pytest.mark.slow
def test_a_run_changes_nothing_where_links_lead(tmp_path):
    """Each file of a run becomes a link to a copy elsewhere; a second run follows."""
    out, victims = tmp_path / "out", tmp_path / "victims"
    small = ["--quick", "--epochs", "1", "--units", "8"]
    arguments = ["toy", *small, "--only", "char_rnn", "--out", str(out)]
    assert train(arguments) == 0
    victims.mkdir()
    kept: dict[Path, bytes] = {}
    for number, path in enumerate(sorted(out.rglob("*"))):
        if path.is_file():
            victim = path.replace(victims / str(number))
            path.symlink_to(victim)
            kept[victim] = victim.read_bytes()
    assert len(kept) > 15
    assert train(arguments) == 0
    assert {path: path.read_bytes() for path in victims.iterdir()} == kept
    assert not any(path.is_symlink() for path in out.rglob("*"))
