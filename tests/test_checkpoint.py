"""A run that was killed ends with the weights of one that was not, bit for bit."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

from kerasseq.checkpoint import Checkpoint

# One run as a program: it kills itself in the middle of an epoch where it is told to.
PROGRAM = textwrap.dedent(
    """
    import os, signal, sys
    import keras
    import numpy as np
    from kerasseq.char_rnn import CharRNNConfig, build_char_rnn, build_stateful_model
    from kerasseq.checkpoint import Checkpoint
    from kerasseq.text import next_character_streams, validation_shape
    from kerasseq.training import (
        HeldOutLoss, HistoryFile, TrainingConfig, compile_for_training, fit)

    folder, resume, kill_at = sys.argv[1], sys.argv[2] == "resume", int(sys.argv[3])
    keras.utils.set_random_seed(7)
    text = np.random.default_rng(0).integers(0, 13, 4000)
    config = TrainingConfig(3, 16, 37, 5, learning_rate=0.01, patience=2)
    model = build_char_rnn(CharRNNConfig(
        13, cell="lstm", units=17, num_layers=2, embedding_size=5, dropout=0.3))
    learner = build_stateful_model(model, config.batch_size, config.length)
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


def run(folder, resume: str, kill_at: int = 0) -> int:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", PROGRAM, str(folder), resume, str(kill_at)]
    return subprocess.run(command, env=environment, capture_output=True).returncode


def test_killed_and_resumed_is_never_stopped(tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    whole.mkdir()
    stopped.mkdir()
    assert run(whole, "anew") == 0
    # In the middle of the second epoch.
    assert run(stopped, "resume", kill_at=37 + 20) == -signal.SIGKILL
    assert not (stopped / "end.npz").exists()
    assert run(stopped, "resume") == 0
    with np.load(whole / "end.npz") as one, np.load(stopped / "end.npz") as other:
        assert one.files == other.files
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    histories = [(folder / "history.csv").read_text() for folder in (whole, stopped)]
    assert histories[0] == histories[1]

    # To resume what has ended trains no more and ends alike.
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
    assert Checkpoint(tmp_path / "none.npz", {}).resume(model) == (0, False)


def test_weights_and_the_number_of_epochs_come_back(tmp_path, model):
    path = tmp_path / "checkpoint.npz"
    saved(path, model, {"units": 3})
    weights = model.get_weights()
    model.set_weights([weight + 1 for weight in weights])
    assert Checkpoint(path, {"units": 3}).resume(model) == (5, False)
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_run_is_refused_by_the_setting_that_differs(tmp_path, model):
    path = tmp_path / "checkpoint.npz"
    saved(path, model, {"units": 3, "cell": "gru"})
    with pytest.raises(ValueError, match="cell='gru', this one has 'lstm'; resume"):
        Checkpoint(path, {"units": 3, "cell": "lstm"}).read()


def test_a_damaged_file_is_refused_and_stays(tmp_path, model):
    path = tmp_path / "checkpoint.npz"
    saved(path, model, {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="is not a whole checkpoint"):
        Checkpoint(path, {}).resume(model)
    assert path.exists()


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


def test_a_users_callback_gets_its_numbers_texts_and_arrays_back(tmp_path, model):
    class Remembers(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.count, self.text, self.best = 0, "", [np.zeros(2)]
            self._private = "not kept"

        def on_train_begin(self, logs=None):
            self.count = 0

    path = tmp_path / "checkpoint.npz"
    one, other = Remembers(), Remembers()
    one.count, one.text, one.best = 3, "ab", [np.arange(2.0), np.arange(3)]
    one._private = "changed"
    first, second = Checkpoint(path, {}), Checkpoint(path, {})
    first.others, second.others = [one], [other]
    first.set_model(model)
    first.set_params({"epochs": 9})
    first.on_epoch_end(0)
    second.resume(model)
    other.on_train_begin()
    second.on_train_begin()
    assert (other.count, other.text, other._private) == (3, "ab", "not kept")
    np.testing.assert_array_equal(other.best[1], [0, 1, 2])
