"""A model from a file is of the kind that its name says, or refused in one line."""

from pathlib import Path

import keras
import numpy as np
import pytest

from kerasseq.files.keras_models import load_model
from kerasseq.models.forms import FORMS, check_form

SAVED = Path(__file__).parents[1] / "saved"
layers, V = keras.layers, 7


@pytest.mark.parametrize(
    "name",
    ["char_rnn_lstm", "char_transformer", "encoder", "classifier_letters", "tagger"],
)
def test_a_saved_model_is_of_its_own_kind_alone(name):
    model = load_model(SAVED / f"{name}.keras")
    check_form(model, model.name)
    like = FORMS[model.name]
    for name in (name for name, form in FORMS.items() if form != like):
        with pytest.raises(ValueError, match=f"the {name} is not one that") as error:
            check_form(model, name)
        assert str(error.value).isprintable()


def ids(*shape):
    return keras.Input(shape or (None,), dtype="int32")


def embedded(x, size=V):
    return layers.Embedding(size, 4)(x)


def ending(make, *, size=V, read=None):
    """A model of an embedding, another layer and logits."""
    x = ids() if read is None else read
    return keras.Model(x, layers.Dense(V)(make(embedded(x, size))))


def gru(**settings):
    return layers.GRU(5, **{"return_sequences": True, **settings})


def reading_nothing():
    x = keras.Input((4,))
    return keras.Model(x, layers.Dense(V)(x))


def with_two_inputs():
    one, two = ids(), ids()
    sums = layers.Add()([embedded(one), embedded(two)])
    return keras.Model([one, two], layers.Dense(V)(gru()(sums)))


def with_outputs(outputs):
    x = ids()
    y = layers.Dense(V)(gru()(embedded(x)))
    return keras.Model(x, outputs(y))


def with_weights(value):
    model = ending(gru())
    model.set_weights([np.full_like(each, value) for each in model.get_weights()])
    return model


OTHERS = {
    "nothing to read": reading_nothing,
    "two inputs": with_two_inputs,
    "two outputs": lambda: with_outputs(lambda y: [y, y]),
    "a named output": lambda: with_outputs(lambda y: {"a": y}),
    "one answer": lambda: ending(gru(return_sequences=False)),
    "no state": lambda: ending(layers.Dense(3)),
    "two directions": lambda: ending(layers.Bidirectional(gru())),
    "backwards": lambda: ending(gru(go_backwards=True)),
    "fewer ids than logits": lambda: ending(gru(), size=3),
    "more axes": lambda: ending(layers.TimeDistributed(gru()), read=ids(3, 2)),
    "NaN": lambda: with_weights(np.nan),
    "a look ahead": lambda: ending(
        lambda x: gru()(layers.Conv1D(4, 3, padding="same")(x))
    ),
}


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_another_model_is_refused_in_one_line(make):
    model = make()
    for name in FORMS:
        with pytest.raises(ValueError, match=f"the {name} is not one that") as error:
            check_form(model, name)
        assert str(error.value).isprintable() and len(str(error.value)) < 400
