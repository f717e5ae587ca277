"""A killed and resumed run ends with an undisturbed run's weights, bit for bit."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasseq.training.checkpoint import Checkpoint

# One run as a program: it kills itself in the middle of an epoch if it is told to.
PROGRAM = textwrap.dedent(
    """
    import os, signal, sys
    import keras
    import numpy as np
    from kerasseq.models.stateful import build_stateful_model
    from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
    from kerasseq.models.char_transformer import (
        CharTransformerConfig, build_char_transformer)
    from kerasseq.training.checkpoint import Checkpoint
    from kerasseq.training.callbacks import HeldOutLoss
    from kerasseq.data.streams import next_character_streams, validation_shape
    from kerasseq.training.callbacks import HistoryFile
    from kerasseq.training.configuration import TrainingConfig
    from kerasseq.training.compiling import compile_for_training
    from kerasseq.training.fitting import fit

    folder, resume, kill_at = sys.argv[1], sys.argv[2] == "resume", int(sys.argv[3])
    keras.utils.set_random_seed(7)
    text = np.random.default_rng(0).integers(0, 13, 4000)
    if sys.argv[4] == "transformer":
        optimizer = "muon"
        model = build_char_transformer(CharTransformerConfig(
            13, model_size=24, num_heads=3, num_blocks=2, context=8, dropout=0.3))
    else:
        optimizer = "adam"
        model = build_char_rnn(CharRNNConfig(
            13, cell=sys.argv[4], units=17, num_layers=1 + (sys.argv[4] == "lstm"),
            embedding_size=5, dropout=0.3))
    config = TrainingConfig(
        3, 16, 37, 5, learning_rate=0.01, patience=2, optimizer=optimizer)
    learner = build_stateful_model(model, config.batch_size, config.length, 0.2, 7)
    compile_for_training(learner, config)
    validator = build_stateful_model(model, 2, 20)
    validator.compile(loss=learner.loss)

    class Kill(keras.callbacks.Callback):
        _count = 0
        def on_train_batch_end(self, batch, logs=None):
            self._count += 1
            if self._count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    class Counts(keras.callbacks.Callback):
        seen = 0
        def on_epoch_end(self, epoch, logs=None):
            self.seen += 1

    counts = Counts()
    history = HistoryFile(os.path.join(folder, "history.csv"))
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    fit(
        learner,
        next_character_streams(text, 3, 16),
        config,
        [HeldOutLoss(validator, next_character_streams(text[:401], 2, 20)),
         history, counts, stop, Kill()],
        Checkpoint(os.path.join(folder, "checkpoint.npz"), {"seed": 7}),
        resume,
    )
    assert stop.best_epoch >= 0
    np.savez(
        os.path.join(folder, "end.npz"),
        *model.get_weights(),
        *[np.asarray(v.value) for v in learner.optimizer.variables],
        seen=counts.seen,
        wait=stop.wait,
    )
    """
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gru", "lstm", "transformer"])
def test_killed_and_resumed_equals_undisturbed(tmp_path, kind):
    def run(folder, resume: str, kill_at: int = 0) -> int:
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        arguments = [str(folder), resume, str(kill_at), kind]
        command = [sys.executable, "-c", PROGRAM, *arguments]
        return subprocess.run(command, env=environment, capture_output=True).returncode

    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    whole.mkdir()
    stopped.mkdir()
    assert run(whole, "anew") == 0
    # In the middle of the second epoch, and in the middle of the third.
    assert run(stopped, "resume", kill_at=37 + 20) == -signal.SIGKILL
    assert run(stopped, "resume", kill_at=37 + 20) == -signal.SIGKILL
    assert not (stopped / "end.npz").exists()
    # The checkpoint after the second is damaged; the first one gives the same end.
    damaged = bytearray((stopped / "checkpoint.npz").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (stopped / "checkpoint.npz").write_bytes(damaged)
    assert run(stopped, "resume") == 0
    with np.load(whole / "end.npz") as one, np.load(stopped / "end.npz") as other:
        assert one.files == other.files
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    histories = [(folder / "history.csv").read_text() for folder in (whole, stopped)]
    assert histories[0] == histories[1]

    # Resuming a finished run trains no more and ends with the same.
    before = (stopped / "end.npz").read_bytes()
    assert run(stopped, "resume") == 0
    with np.load(stopped / "end.npz") as again, np.load(whole / "end.npz") as one:
        for name in one.files:
            np.testing.assert_array_equal(one[name], again[name], err_msg=name)
    assert len(before) == (stopped / "end.npz").stat().st_size


@pytest.fixture
def model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


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


def resumed(folder, model, one, other) -> None:
    """Save the state of one callback and restore it in another, as `fit` does."""
    path = folder / "checkpoint.npz"
    first, second = Checkpoint(path, {}), Checkpoint(path, {})
    first.others, second.others = [one], [other]
    for checkpoint in (first, second):
        checkpoint.set_model(model)
        checkpoint.set_params({"epochs": 9})
    first.on_train_begin()
    one.on_epoch_end(0, {"loss": 3.0})
    first.on_epoch_end(0)
    second.resume(model)
    other.on_train_begin()
    second.on_train_begin()


class Remembers(keras.callbacks.Callback):
    epochs = 0  # of the class, until the first epoch ends

    def __init__(self):
        super().__init__()
        self.count, self.least, self.text, self.seen = 0, float("inf"), "", False
        self.best, self._private = [np.zeros(2)], "not kept"

    def on_train_begin(self, logs=None):
        self.count = 0

    def on_epoch_end(self, epoch, logs=None):
        self.count, self.least, self.text, self.seen = 3, np.float32(0.5), "ab", True
        self.best, self._private = [np.arange(2.0), np.arange(3)], "changed"
        self.epochs, self.added_later = 1, 7


def test_a_users_callback_gets_its_numbers_and_arrays_back(tmp_path, model):
    """Not its texts, one of which could be a path, and no attribute that it lacks."""
    other = Remembers()
    resumed(tmp_path, model, Remembers(), other)
    assert (other.count, other.least, other.seen) == (3, 0.5, True)
    assert (other.epochs, Remembers.epochs) == (1, 0)
    assert (other.text, other._private) == ("", "not kept")
    assert not hasattr(other, "added_later")
    np.testing.assert_array_equal(other.best[1], [0, 1, 2])


class Decides(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self._words = []

    def on_epoch_end(self, epoch, logs=None):
        self._words = ["a", "b"]

    def get_state(self):
        return {"words": self._words, "arrays": [np.arange(3)]}

    def set_state(self, state):
        self._words, self._arrays = state["words"], state["arrays"]


def test_a_callback_can_decide_what_is_kept_of_it(tmp_path, model):
    other = Decides()
    resumed(tmp_path, model, Decides(), other)
    assert other._words == ["a", "b"]
    np.testing.assert_array_equal(other._arrays[0], [0, 1, 2])
    with pytest.raises(ValueError, match=r"Decides refuses its state \(KeyError"):
        resumed(tmp_path, model, keras.callbacks.Callback(), Decides())


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (
            lambda: keras.callbacks.EarlyStopping("loss", restore_best_weights=True),
            ["wait", "stopped_epoch", "best", "best_epoch"],
        ),
        (
            lambda: keras.callbacks.ReduceLROnPlateau("loss"),
            ["wait", "cooldown_counter", "best"],
        ),
        (
            lambda: keras.callbacks.ModelCheckpoint(
                "/nowhere/{epoch}.keras", "loss", save_best_only=True
            ),
            ["best"],
        ),
    ],
)
def test_keras_own_callbacks_get_what_they_change_back(tmp_path, model, make, names):
    one, other = make(), make()
    for callback in (one, other):
        callback.set_model(model)
        callback.on_train_begin()
    state = {name: 2 for name in names if name != "best"} | {"best": 0.25}
    if restores := getattr(one, "restore_best_weights", False):
        state["best_weights"] = [weight + 1 for weight in model.get_weights()]
    one.on_epoch_end = lambda epoch, logs: vars(one).update(state, mode="changed")
    mode = other.mode
    resumed(tmp_path, model, one, other)
    assert all(getattr(other, name) == state[name] for name in names)
    assert other.mode == mode != "changed"
    for found, weight in zip(
        other.best_weights if restores else [], model.get_weights(), strict=restores
    ):
        np.testing.assert_array_equal(found, weight + 1)
