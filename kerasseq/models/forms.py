"""What a model of each kind reads and answers, checked for models from files."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn

import keras
import numpy as np

from kerasseq.models.stateful import build_stateful_model, stateful_layers
from kerasseq.models.translation import build_translation, read_translation_config

# Of the text to try a model on.
LENGTH = 4


class Form(NamedTuple):
    """The inputs and outputs of a kind of model.

    Attributes:
        inputs: the number of axes of each input of ids.
        outputs: the number of axes of each output by name; "" if there is only one.
        has_state: whether it reads a text step by step, and so carries a state.
        rebuild: builds a model of the same sizes anew, where an export takes the model
            apart.
    """

    inputs: list[int]
    outputs: Mapping[str, int]
    has_state: bool = False
    rebuild: Callable[[keras.Model], keras.Model] | None = None


READS_ON = Form([2], {"": 3}, has_state=True)
# By the name that the builder gives a model.
FORMS = {
    "char_rnn": READS_ON,
    "char_transformer": READS_ON,
    "next_word": READS_ON,
    "encoder": Form([2], {"embeddings": 3}),
    "classifier": Form([2, 3], {"logits": 2, "weights": 2}),
    "tagger": Form([2, 3], {"": 3}),
    "translation": Form(
        [2, 2],
        {"logits": 3},
        rebuild=lambda model: build_translation(read_translation_config(model)),
    ),
}


def check_form(model: keras.Model, name: str) -> None:
    """Check that a model is of a kind; a file can hold any model under any name.

    Args:
        model: from a file.
        name: of the kind; one that has no form here is not checked.

    Raises:
        ValueError: it has other inputs, outputs or states, or it cannot be run.
    """
    if name not in FORMS:
        return
    form = FORMS[name]
    outputs = model.output if isinstance(model.output, dict) else {"": model.output}
    found = Form(
        [len(each.shape) for each in model.inputs],
        {name: len(getattr(each, "shape", ())) for name, each in outputs.items()},
    )
    if found.inputs != form.inputs or not form.outputs.items() <= found.outputs.items():
        _refuse(name, f"it has the axes {found[:2]}, not {form[:2]}")
    ids = [np.zeros([size or LENGTH for size in x.shape], int) for x in model.inputs]
    try:
        if form.has_state:
            _check_steps(model, ids[0])
        inputs = keras.tree.pack_sequence_as(model.input, ids)
        answers = keras.tree.flatten(model(inputs))
        if form.rebuild:
            twin = form.rebuild(model)
            twin.set_weights(model.get_weights())
            others = keras.tree.flatten(twin(inputs))
            for one, other in zip(answers, others, strict=True):
                if not np.allclose(one, other, atol=1e-3):
                    raise ValueError("built anew, it answers otherwise")
        if not all(np.isfinite(answer).all() for answer in answers):
            raise ValueError("it answers with NaN or infinity")
    except Exception as error:  # layers and runtimes raise any
        _refuse(name, str(error))


def _check_steps(model: keras.Model, ids: np.ndarray) -> None:
    """Check that a model reads a text in steps as it reads the whole."""
    if not stateful_layers(model):
        raise ValueError("no layer carries a state")
    ids[:, 1:] = model.output_shape[-1] - 1  # the last id must be known, too
    twin = build_stateful_model(model, len(ids), 1)
    steps = [twin(ids[:, [step]]) for step in range(ids.shape[1])]
    if not np.allclose(np.concatenate(steps, 1), model(ids), atol=1e-3):
        raise ValueError("in steps it answers otherwise than to the whole text")


def _refuse(name: str, reason: str) -> NoReturn:
    raise ValueError(
        f"the {name} is not one that kerasseq builds "
        f"({' '.join(reason.split())[:200]!r}); train one, or build it in Python"
    )
