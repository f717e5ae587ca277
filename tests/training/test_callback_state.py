"""What a checkpoint writes of a callback it can read again, or it says so at once."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.training.callback_state import (
    from_arrays,
    restore,
    to_arrays,
)
from kerasseq.training.callbacks import HistoryFile
from kerasseq.training.checkpoint import Checkpoint

NAMES = st.text("ab/\n\0é𝄞", max_size=3) | st.just("plain")
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | NAMES
ARRAYS = st.lists(st.just(np.arange(3)), min_size=1, max_size=3)
VALUES = PLAIN | ARRAYS | st.lists(PLAIN, max_size=2) | st.dictionaries(NAMES, PLAIN)


@given(states=st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=2))
def test_states_come_back_as_they_were(states):
    try:
        arrays = to_arrays(states)
    except ValueError as error:
        assert "cannot be kept in a checkpoint" in str(error)
        names = [name for state in states for name in state]
        assert "" in names or "/" in "".join(names)
        return
    for state, found in zip(states, from_arrays(arrays, len(states)), strict=True):
        assert state.keys() == found.keys()
        for name, value in state.items():
            if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
                np.testing.assert_array_equal(found[name], value)
            else:
                assert found[name] == value


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [{1, 2}, np.float32(1), np.zeros(3), "\ud800", nested(40), nested(9999)],
    ids=["set", "scalar", "array", "surrogate", "deep", "deeper"],
)
def test_a_state_that_could_not_be_read_is_refused_before_the_training(tmp_path, value):
    class Keeps(keras.callbacks.Callback):
        def get_state(self):
            return {"value": value}

        def set_state(self, state):
            pass

    checkpoint = Checkpoint(tmp_path / "checkpoint.npz", {})
    checkpoint.others = [Keeps()]
    with pytest.raises(ValueError, match="cannot be kept in a checkpoint") as error:
        checkpoint.on_train_begin()
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("name", ["wait", "stopped_epoch", "best_epoch"])
@pytest.mark.parametrize("value", [None, -1, 0.5, True, "1", [np.zeros(1)], 2**60])
def test_a_count_of_keras_callbacks_is_a_count(name, value):
    """EarlyStopping adds to them, which fails for None in the middle of an epoch."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    callback = keras.callbacks.EarlyStopping()
    callback.on_train_begin()
    restore([callback], [{name: 2}], model)
    assert getattr(callback, name) == 2
    with pytest.raises(ValueError, match=f"'{name}', .* does not fit the callback Ear"):
        restore([callback], [{name: value}], model)


@pytest.mark.parametrize(
    "rows",
    [
        [{"epoch": 2, "loss": 1.0}],
        [{"epoch": 1, "loss": 1.0}, {"epoch": 1, "loss": 1.0}],
        [{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": 1.0, "more": 1.0}],
        [{"epoch": 1, "loss": float("nan")}],
        [{"epoch": 1}],
        [],
    ],
)
def test_rows_that_no_history_has_are_refused(tmp_path, rows):
    with pytest.raises(ValueError, match=r"is not row|is not a list of rows"):
        HistoryFile(tmp_path / "history.csv").set_state({"rows": rows})
