"""A checkpoint's arrays are taken for a model's variables only if they can be."""

import keras
import numpy as np
import pytest

from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.model_state import (
    assign_variables,
    check_variables,
    read_variables,
)


@pytest.fixture(scope="module", params=["adam", "muon"])
def model(request):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    compile_for_training(model, TrainingConfig(1, 1, 1, 1, optimizer=request.param))
    model.optimizer.build(model.trainable_variables)
    return model


# What a name ends in, with values that training never reaches.
IMPOSSIBLE = {
    "iteration": [-1, -(2**63), 2**63 - 1],
    "learning_rate_factor": [-1.0, 1.5, 1e30],
    "velocity": [-1e-9, -1e30],
    "": [np.nan, np.inf, -np.inf],
}


def test_an_impossible_value_in_any_variable_is_refused(model):
    before, tried = read_variables(model), set()
    paths = [each.path for each in (*model.variables, *model.optimizer.variables)]
    for path, (name, array) in zip(paths, before.items(), strict=True):
        for end, values in IMPOSSIBLE.items():
            if not path.endswith(end) or (array.dtype.kind == "i" and not end):
                continue
            tried.add(end)
            for value in values:
                forged = array.copy()
                forged.flat[-1] = value
                with pytest.raises(ValueError, match=f"its {name}") as error:
                    check_variables(model, {**before, name: forged})
                assert str(error.value).isprintable()
    assert tried == set(IMPOSSIBLE)


def test_what_was_read_fits_and_the_others_are_returned(model):
    arrays = {**read_variables(model), "other": np.zeros(3)}
    arrays["variable_0"] += 2
    assert list(check_variables(model, arrays)) == ["other"]
    assert list(assign_variables(model, arrays)) == ["other"]
    np.testing.assert_array_equal(model.variables[0].numpy(), arrays["variable_0"])
