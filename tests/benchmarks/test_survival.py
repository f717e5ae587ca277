"""Runs that were killed, damaged or out of disk space end like an undisturbed one."""

import json
import shutil
import zipfile

import numpy as np
import pytest

from benchmarks.survival import PARTS, survive
from benchmarks.survival_disks import why_not
from benchmarks.survival_runs import (
    EXPORTS,
    FIRST,
    SAVING,
    TRAINING,
    differences,
    phase,
)


@pytest.mark.slow
def test_accidents_change_nothing():
    counts = {**dict.fromkeys(PARTS, 1), "aimed": 2, "frozen": 2}
    for part, found in survive(counts).items():
        assert len(found) == counts[part]
        for ending in found:
            assert ending.resumed and not ending.differences, ending


def test_a_disk_that_cannot_be_mounted_is_a_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "'mount'" in why_not("full", tmp_path)
    for part in ("frozen", "read-only"):
        assert "'mkfs.ext4'" in why_not(part, tmp_path)
    assert not why_not("kills", tmp_path)


@pytest.fixture
def whole(tmp_path):
    """The files of a run's folder that are compared."""
    folder = tmp_path / "whole" / "char_rnn"
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text("epoch,loss\n1,2.5\n")
    with zipfile.ZipFile(folder / "char_rnn.keras", "w") as archive:
        archive.writestr("model.weights.h5", b"weights")
        archive.writestr("metadata.json", "yesterday")
    checks = [{"file": "a.tflite", "promise": "loss", "passed": True}]
    report = {"char_rnn_export": {"checks": checks}}
    (folder.parent / "report.json").write_text(json.dumps(report))
    return folder.parent


def rewrite(path, **members: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)


CHANGES = {
    "history.csv differs": lambda out: (out / "char_rnn/history.csv").write_text(""),
    "char_rnn.keras differs": lambda out: rewrite(
        out / "char_rnn/char_rnn.keras", model__weights__h5="W", metadata__json="today"
    ),
    "history.csv is missing": lambda out: (out / "char_rnn/history.csv").unlink(),
    ".partial-a is left over": lambda out: (out / "char_rnn/.partial-a").touch(),
    "a.tflite: loss fails": lambda out: (out / "report.json").write_text(
        (out / "report.json").read_text().replace("true", "false")
    ),
}


@pytest.mark.parametrize("said", CHANGES)
def test_what_differs_is_told(whole, tmp_path, said):
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    (out / "char_rnn" / "checkpoint_before.npz").touch()
    (out / "report.json").write_text((whole / "report.json").read_text() + "\n")
    weights = {"model__weights__h5": "weights", "metadata__json": "today"}
    rewrite(out / "char_rnn/char_rnn.keras", **weights)
    assert differences(whole, out) == []
    CHANGES[said](out)
    assert any(said in difference for difference in differences(whole, out))


def test_what_a_kill_left_says_where_it_fell(tmp_path):
    folder = tmp_path / "char_rnn"
    folder.mkdir()
    assert phase(tmp_path) == FIRST
    for ended, where in ((False, TRAINING), (True, SAVING)):
        done = np.array(json.dumps({"ended": ended}))
        np.savez(folder / "checkpoint.npz", done=done)
        assert phase(tmp_path) == where
    (tmp_path / "report.json").write_text('{"char_rnn": {}}')
    assert phase(tmp_path) == EXPORTS
    (folder / ".partial-0123abcd-checkpoint.npz").touch()
    assert phase(tmp_path) == "while checkpoint.npz was written"
