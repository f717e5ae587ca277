"""A checkpoint restores what callbacks declare of themselves, and nothing else."""

import keras
import numpy as np
import pytest

from kerasseq.training.checkpoint import Checkpoint


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
