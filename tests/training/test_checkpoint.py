"""A checkpoint is whole, or the one before it is used, or it is refused."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from kerasseq.training.checkpoint import Checkpoint
from tests.fuzz.forgeries import sign


def saved(path, model, run) -> Checkpoint:
    checkpoint = Checkpoint(path, run)
    checkpoint.set_model(model)
    checkpoint.set_params({"epochs": 9})
    checkpoint.on_epoch_end(4)
    return checkpoint


def test_no_file_is_a_new_run(tmp_path, model):
    saved = Checkpoint(tmp_path / "none.npz", {}).resume(model)
    assert (saved.epochs, saved.ended, saved.damage) == (0, False, "")


def test_weights_and_the_number_of_epochs_come_back(tmp_path, model):
    path = tmp_path / "checkpoint.npz"
    saved(path, model, {"units": 3})
    weights = model.get_weights()
    model.set_weights([weight + 1 for weight in weights])
    found = Checkpoint(path, {"units": 3}).resume(model)
    assert (found.epochs, found.ended) == (5, False)
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_run_is_refused_by_the_setting_that_differs(tmp_path, model):
    path = tmp_path / "checkpoint.npz"
    saved(path, model, {"units": 3, "cell": "gru"})
    with pytest.raises(ValueError, match=r"cell has changed: .*'gru', this .*'lstm'; "):
        Checkpoint(path, {"units": 3, "cell": "lstm"}).read()


@pytest.mark.parametrize("epochs", [0, -1, 10, True, 5.0, "5", None])
def test_a_forged_number_of_epochs_is_refused(tmp_path, model, epochs):
    path, run = tmp_path / "checkpoint.npz", {"epochs": 9}
    saved(path, model, run)
    with np.load(path) as arrays:
        content = sign(arrays, lambda done: json.dumps({**done, "epochs": epochs}))
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{epochs!r} epochs are done in it"):
        Checkpoint(path, run).resume(model)


def two_saved(folder, model) -> tuple[Path, Path]:
    """Checkpoints after the fifth epoch and, with other weights, after the sixth."""
    path = folder / "checkpoint.npz"
    checkpoint = saved(path, model, {})
    model.set_weights([weight + 1 for weight in model.get_weights()])
    checkpoint.on_epoch_end(5)
    return path, folder / "checkpoint_before.npz"


def test_the_one_before_is_kept(tmp_path, model):
    for path, epochs in zip(two_saved(tmp_path, model), (6, 5), strict=True):
        assert Checkpoint(path, {}).read().epochs == epochs
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.slow
def test_damage_anywhere_is_detected(tmp_path, model):
    """Cut at any byte, any bit flipped, any 16 bytes zero: detected or harmless."""
    path, _ = two_saved(tmp_path, model)
    whole, arrays = path.read_bytes(), Checkpoint(path, {}).read().arrays
    rng = np.random.default_rng(0)
    damages = [whole[:length] for length in range(0, len(whole), 37)]
    for position in range(0, len(whole), 3):
        flipped, zeros = bytearray(whole), bytearray(whole)
        flipped[position] ^= 1 << rng.integers(8)
        zeros[position : position + 16] = bytes(len(zeros[position : position + 16]))
        damages += [bytes(flipped), bytes(zeros)]
    seen = 0
    for content in damages:
        path.write_bytes(content)
        found = Checkpoint(path, {}).read()
        if found.damage:
            assert found.epochs == 5
            assert found.damage.startswith(f"{path} is not a whole checkpoint (")
            assert "\n" not in found.damage
        else:  # for example a date in the archive's directory
            assert found.epochs == 6 and found.arrays.keys() == arrays.keys()
            for name, array in found.arrays.items():
                np.testing.assert_array_equal(array, arrays[name])
        seen += bool(found.damage)
    assert seen > 0.8 * len(damages)


def test_the_one_before_replaces_a_damaged_one(tmp_path, model, capsys):
    path, before = two_saved(tmp_path, model)
    path.write_bytes(path.read_bytes()[:-100])
    weights = [weight - 1 for weight in model.get_weights()]
    checkpoint = Checkpoint(path, {})
    assert checkpoint.read().epochs == 5
    assert not capsys.readouterr().out
    assert checkpoint.resume(model).epochs == 5
    (line,) = capsys.readouterr().out.splitlines()
    assert str(path) in line and line.endswith("continuing from the one before it")
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)
    # The damaged one must not be the one that is kept when the next is written.
    checkpoint.set_model(model)
    checkpoint.set_params({"epochs": 9})
    checkpoint.on_epoch_end(5)
    assert Checkpoint(before, {}).read().epochs == 5
    assert Checkpoint(path, {}).read().epochs == 6


def test_two_damaged_files_are_refused_and_stay(tmp_path, model):
    files = two_saved(tmp_path, model)
    for path in files:
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"checkpoint\.npz is not a whole checkpoint"):
        Checkpoint(files[0], {}).resume(model)
    assert all(path.exists() for path in files)


class Killed(BaseException):
    """Stands in for a kill: nothing is cleaned up after it."""


def test_a_kill_at_any_rename_leaves_a_good_one(tmp_path, model, monkeypatch):
    path, _ = two_saved(tmp_path, model)
    checkpoint = Checkpoint(path, {})
    checkpoint.resume(model)
    checkpoint.set_model(model)
    checkpoint.set_params({"epochs": 9})
    rename, left_to_do = Path.replace, 0

    def dying(source, target):
        nonlocal left_to_do
        left_to_do -= 1
        if left_to_do < 0:
            raise Killed
        return rename(source, target)

    found = []
    for renames in range(3):
        left_to_do = renames
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", dying)
            patch.setattr(Path, "unlink", lambda path, missing_ok=False: None)
            try:
                checkpoint.on_epoch_end(6)
            except Killed:
                pass
        left = Checkpoint(path, {}).read()
        found.append((left.epochs, left.damage))
    assert found == [(6, ""), (6, f"{path} is missing"), (7, "")]


def test_another_runs_file_is_never_the_one_before(tmp_path, model):
    path, _ = two_saved(tmp_path, model)
    saved(path, model, {"cell": "lstm"})
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.npz"]
    assert Checkpoint(path, {"cell": "lstm"}).read().epochs == 5


def test_a_file_with_pickled_objects_is_refused_and_runs_nothing(tmp_path, model):
    path, marker = tmp_path / "checkpoint.npz", tmp_path / "ran"

    class Runs:
        def __reduce__(self):
            return os.mkdir, (str(marker),)

    done = json.dumps({"epochs": 1, "ended": False, "run": {}})
    variable = np.array([Runs()], dtype=object)
    np.savez(path, allow_pickle=True, done=np.array(done), variable_0=variable)
    with pytest.raises(ValueError, match="is not a whole checkpoint"):
        Checkpoint(path, {}).resume(model)
    assert not marker.exists()
