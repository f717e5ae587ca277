"""The ways of writing text that need only this project's own requirements.

They are the exported files, the SavedModel, the stateful Keras model, and the one-step
model of TensorFlow's text generation tutorial, reimplemented.
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, get_args

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from kerasseq.files.formats import FORMATS
from kerasseq.files.runtimes import Runtime, Signature, open_signatures
from kerasseq.files.saved_model import write_saved_model
from kerasseq.files.tflite import convert, write_tflite
from kerasseq.models.char_rnn import CELLS, CharRNNConfig, build_char_rnn
from kerasseq.models.stateful import build_stateful_model
from kerasseq.on_device.sampling import choose_token
from kerasseq.on_device.tokens import uniform_numbers, write_tokens
from kerasseq.recipes.characters import describe
from kerasseq.recipes.stepping import step_logits, zeros
from kerasseq.signatures.characters import build_generating_module, generate
from kerasseq.signatures.steps import state_shapes
from kerasseq.text.characters import Vocabulary

VOCABULARY_SIZE, EMBEDDING_SIZE = 65, 64
TEMPERATURE, SEED = 0.8, 1
FIRST_TOKEN = 1
RUNTIMES = {"interpreter": "Interpreter", "compiled_model": "CompiledModel"}
# Characters in code point order; the tutorial's layer reserves the first id.
CHARACTERS = [chr(ord(" ") + index) for index in range(VOCABULARY_SIZE)]

Logits: TypeAlias = Callable[[np.ndarray], np.ndarray]


class Writer(NamedTuple):
    """One way of writing text.

    Attributes:
        runtime: what computes.
        form: which of several forms of the same; the tables show the fastest.
        weights: how they are stored: float32, float16 or int8.
        way: "step" where Python asks for each character, "loop" where one call writes
            them all.
        ours: whether it is a file that this project writes.
        write: writes this many characters and returns their ids or the text.
        logits: from ids (N,) to the logits (N, V) after each of them, by the same step
            that writes.
    """

    runtime: str
    form: str
    weights: str
    way: str
    ours: bool
    write: Callable[[int], Any]
    logits: Logits

    @property
    def name(self) -> str:
        """All that distinguishes it from the others."""
        form = f", {self.form}" if self.form else ""
        return f"{self.runtime}{form}, {self.weights}, {self.way}"


def build_model(cell: str, units: int) -> keras.Model:
    """A model of random weights whose logits are neither flat nor peaked."""
    keras.utils.set_random_seed(SEED)
    model = build_char_rnn(
        CharRNNConfig(VOCABULARY_SIZE, cell, units, embedding_size=EMBEDDING_SIZE)
    )
    ids = np.random.default_rng(SEED).integers(0, VOCABULARY_SIZE, (1, 200))
    spread = float(np.std(model.predict(ids, verbose=0)))
    dense = model.get_layer("logits")
    kernel, bias = dense.get_weights()
    dense.set_weights([2 / spread * kernel, bias])
    return model


def write_files(model: keras.Model, directory: Path) -> dict[str, Path]:
    """Export a model as `python -m export.char_rnn` does.

    Returns:
        The paths of the SavedModel, "saved_model", and of the `.tflite` files, by
        their weights.
    """
    vocabulary = Vocabulary(tuple(CHARACTERS))
    module = build_generating_module(model, vocabulary, frozen=True)
    signatures = module.device_signatures()
    card = describe(model, module.state_shapes, {})
    paths = {
        "saved_model": write_saved_model(
            module,
            directory / "saved_model",
            {"generate": module.generate, "step": signatures["step"]},
        )
    }
    for quantization in FORMATS:
        paths[quantization] = write_tflite(
            directory / f"char_rnn_{quantization}.tflite",
            convert(module, signatures, quantization),
            {**card, "weights": quantization},
            {"vocabulary.json": vocabulary.to_json()},
        )
    return paths


def our_writers(model: keras.Model, paths: dict[str, Path]) -> Iterator[Writer]:
    """The exported files, and the SavedModel."""
    shapes = {
        f"state_{index}": list(shape) for index, shape in enumerate(state_shapes(model))
    }
    for weights, runtime in itertools.product(FORMATS, get_args(Runtime)):
        signatures = open_signatures(paths[weights].read_bytes(), runtime)
        step, loop = signatures["step"], signatures["generate"]

        def logits(ids: np.ndarray, step: Signature = step) -> np.ndarray:
            return step_logits(step, zeros(shapes), ids)[0]

        name = f"kerasseq .tflite, {RUNTIMES[runtime]}"
        yield Writer(name, "", weights, "step", True, stepping(step, shapes), logits)
        yield Writer(name, "", weights, "loop", True, looping(loop, shapes), logits)
        if runtime == "interpreter":
            yield in_place_writer(name, weights, paths[weights].read_bytes())
    loaded = tf.saved_model.load(str(paths["saved_model"]))

    def write(count: int) -> str:
        return generate(
            loaded, CHARACTERS[FIRST_TOKEN], count, temperature=TEMPERATURE, seed=SEED
        )

    def saved_logits(ids: np.ndarray) -> np.ndarray:
        def step(**arrays: np.ndarray) -> dict[str, np.ndarray]:
            tensors = {name: tf.constant(array) for name, array in arrays.items()}
            outputs = loaded.signatures["step"](**tensors)
            return {name: output.numpy() for name, output in outputs.items()}

        return step_logits(step, zeros(shapes), ids)[0]

    yield Writer(
        "kerasseq SavedModel", "", "float32", "loop", True, write, saved_logits
    )


def stepping(
    step: Signature, shapes: dict[str, list[int]]
) -> Callable[[int], list[int]]:
    """Write by calling the `step` signature and sampling in numpy."""

    def write(count: int) -> list[int]:
        states = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        token, tokens = np.array([FIRST_TOKEN], np.int32), []
        for uniform in uniform_numbers(SEED, 0, count):
            states = step(token=token, **states)
            logits = states.pop("logits")[0]
            token[0] = choose_token(logits, uniform, temperature=TEMPERATURE)
            tokens.append(int(token[0]))
        return tokens

    return write


def in_place_writer(name: str, weights: str, flatbuffer: bytes) -> Writer:
    """Write by running the file's first graph, `step`, on the runtime's own tensors."""
    interpreter = Interpreter(model_content=flatbuffer, num_threads=1)
    interpreter.allocate_tensors()
    inputs, outputs = (
        {each["name"]: interpreter.tensor(each["index"]) for each in details}
        for details in (
            interpreter.get_input_details(),
            interpreter.get_output_details(),
        )
    )
    token, logits = inputs.pop("token"), outputs.pop("logits")
    states = [(inputs[key], outputs[key]) for key in inputs]

    def begin() -> None:
        for before, _ in states:
            before()[:] = 0

    def step(token_id: int) -> None:
        token()[0] = token_id
        interpreter.invoke()
        for before, after in states:
            before()[:] = after()

    def write(count: int) -> list[int]:
        begin()
        token_id, tokens = FIRST_TOKEN, []
        for uniform in uniform_numbers(SEED, 0, count):
            step(token_id)
            token_id = choose_token(logits()[0], uniform, temperature=TEMPERATURE)
            tokens.append(token_id)
        return tokens

    def logits_of(ids: np.ndarray) -> np.ndarray:
        begin()
        rows = []
        for token_id in ids:
            step(token_id)
            rows.append(logits()[0].copy())
        return np.stack(rows)

    return Writer(name, "tensors in place", weights, "step", True, write, logits_of)


def looping(
    loop: Signature, shapes: dict[str, list[int]]
) -> Callable[[int], np.ndarray]:
    """Write by calling the `generate` signature."""

    def write(count: int) -> np.ndarray:
        parts = write_tokens(
            loop, shapes, [FIRST_TOKEN], count, SEED, temperature=TEMPERATURE
        )
        return np.concatenate(list(parts))

    return write


def keras_writers(model: keras.Model) -> Iterator[Writer]:
    """The stateful Keras model: compiled with sampling, called, and predicting."""
    sampling_model = build_stateful_model(model, batch_size=1, length=1)

    def reset() -> None:
        for layer in sampling_model.layers:
            if getattr(layer, "stateful", False):
                layer.reset_state()

    @tf.function
    def next_token(token: tf.Tensor) -> tf.Tensor:
        logits = sampling_model(token)[:, 0] / TEMPERATURE
        return tf.random.categorical(logits, 1, dtype=tf.int32)

    def compiled(count: int) -> np.ndarray:
        token, tokens = tf.constant([[FIRST_TOKEN]]), []
        for _ in range(count):
            token = next_token(token)
            tokens.append(token)
        return tf.concat(tokens, 0).numpy()[:, 0]

    def asking(call: Callable[[np.ndarray], Any]) -> Callable[[int], list[int]]:
        def write(count: int) -> list[int]:
            token, tokens = np.array([[FIRST_TOKEN]], np.int32), []
            for uniform in uniform_numbers(SEED, 0, count):
                logits = np.asarray(call(token))[0, 0]
                token[0, 0] = choose_token(logits, uniform, temperature=TEMPERATURE)
                tokens.append(int(token[0, 0]))
            return tokens

        return write

    def predict(token: np.ndarray) -> np.ndarray:
        return sampling_model.predict(token, verbose=0)

    def logits(ids: np.ndarray) -> np.ndarray:
        reset()
        rows = [np.asarray(sampling_model(token.reshape(1, 1))) for token in ids]
        return np.concatenate(rows)[:, 0]

    for name, write in (
        ("Keras stateful model in a tf.function", compiled),
        ("Keras stateful model, called", asking(sampling_model)),
        ("Keras stateful model, predict", asking(predict)),
    ):
        yield Writer(name, "", "float32", "step", False, write, logits)


class TutorialModel(keras.Model):
    """Embedding, recurrent layer and Dense; the caller passes the states on.

    Args:
        cell: the kind of recurrent layer.
        units: its size.
    """

    def __init__(self, cell: str, units: int) -> None:
        super().__init__()
        self.embedding = keras.layers.Embedding(VOCABULARY_SIZE, EMBEDDING_SIZE)
        self.recurrent = CELLS[cell](units, return_sequences=True, return_state=True)
        self.dense = keras.layers.Dense(VOCABULARY_SIZE)

    def call(self, ids: tf.Tensor, states: Any = None) -> tuple[tf.Tensor, list]:
        """Logits (B, T, V) after ids (B, T), and the states after the last."""
        x, *states = self.recurrent(self.embedding(ids), initial_state=states)
        return self.dense(x), states


class OneStepModel(keras.Model):
    """From texts and states to one more character each, as strings."""

    def __init__(self, model: TutorialModel) -> None:
        super().__init__()
        self.model = model
        known = CHARACTERS[1:]
        self.ids_of = keras.layers.StringLookup(vocabulary=known)
        self.characters_of = keras.layers.StringLookup(vocabulary=known, invert=True)
        unknown = self.ids_of(["[UNK]"])
        self.mask = tf.scatter_nd(unknown[:, None], [-np.inf], (VOCABULARY_SIZE,))

    @tf.function
    def next_characters(
        self, texts: tf.Tensor, states: Any = None
    ) -> tuple[tf.Tensor, list]:
        """The character after each text (B,), and the next states."""
        ids = self.ids_of(tf.strings.unicode_split(texts, "UTF-8").to_tensor())
        logits, states = self.model(ids, states=states)
        logits = logits[:, -1] / TEMPERATURE + self.mask
        return self.characters_of(tf.random.categorical(logits, 1)[:, 0]), states


def tutorial_writers(model: keras.Model) -> Iterator[Writer]:
    """The one-step model of the tutorial, with a model's weights."""
    recurrent = model.layers[2]
    cell = next(name for name, kind in CELLS.items() if type(recurrent) is kind)
    copy = TutorialModel(cell, recurrent.units)
    copy(np.zeros((1, 1), np.int32))
    copy.set_weights(model.get_weights())
    one_step = OneStepModel(copy)

    def write(count: int) -> str:
        character, states = tf.constant([CHARACTERS[FIRST_TOKEN]]), None
        characters = []
        for _ in range(count):
            character, states = one_step.next_characters(character, states=states)
            characters.append(character)
        return tf.strings.join(characters)[0].numpy().decode()

    def logits(ids: np.ndarray) -> np.ndarray:
        return np.asarray(copy(ids[None])[0])[0]

    name = "TensorFlow tutorial's one-step model"
    yield Writer(name, "", "float32", "step", False, write, logits)
