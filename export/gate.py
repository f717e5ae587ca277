"""The gate that every generating `.tflite` passes where it is written.

It runs the file itself, through both of LiteRT's runtimes, beside the Keras model that
it was made from. What a file promises is in on_device/README.md.
"""

import time
from pathlib import Path
from statistics import median
from typing import Any, get_args

import keras
import numpy as np
import tensorflow as tf

import kerasseq
from export.on_device.generate import CONTRACT_VERSION, Model, write_tokens
from export.report import Check
from kerasseq.char_rnn import build_stateful_model, generate
from kerasseq.convert import (
    Quantization,
    Runtime,
    Signature,
    open_signatures,
)
from kerasseq.flatbuffer import list_operators
from kerasseq.generation import GeneratingModule
from kerasseq.text import Vocabulary

# How many nats a character a file may lose against the Keras model.
ALLOWED_LOSS = {"float32": 1e-4, "float16": 1e-3, "int8": 1e-2}
ALLOWED_LOGITS_DIFFERENCE = 1e-4
GATE_CHARACTERS = 20_000
TEXT_LENGTH = 500
SEED = 1
PROMPT_LENGTH = 100


class Gate:
    """A Keras character model on held-out text: what its files are compared with.

    Args:
        model: from `build_char_rnn`.
        module: the same model's signatures.
        vocabulary: its characters.
        held_out: int32 (N,), text that it was not trained on; at most 20,001
            characters of it are read.
    """

    def __init__(
        self,
        model: keras.Model,
        module: GeneratingModule,
        vocabulary: Vocabulary,
        held_out: np.ndarray,
    ) -> None:
        held_out = held_out[: GATE_CHARACTERS + 1]
        self._inputs, self._targets = held_out[:-1], held_out[1:]
        self._vocabulary = vocabulary
        self._parameters = model.count_params()
        self._logits = keras_logits(model, self._inputs)
        self._prompt = held_out[:PROMPT_LENGTH]
        self.texts = {
            temperature: self.write(module, temperature) for temperature in (0.0, 1.0)
        }
        self.loss = cross_entropy(self._logits, self._targets)

    @property
    def num_characters(self) -> int:
        """How many characters of the held-out text are read."""
        return len(self._inputs)

    def write(self, module: GeneratingModule, temperature: float) -> str:
        """The text that Keras's signatures, or a SavedModel's, write for the seed."""
        prompt = self._vocabulary.decode(self._prompt)
        return generate(module, prompt, TEXT_LENGTH, temperature=temperature, seed=SEED)

    def check(
        self, path: Path, quantization: Quantization
    ) -> tuple[dict[str, Any], list[Check]]:
        """Measure one file.

        Returns:
            What was measured, by name, and the checks.
        """
        device = Model(path)
        figures, check = file_figures(path, device, self._parameters)
        checks = [check]
        for runtime in get_args(Runtime):
            signatures = open_signatures(device.flatbuffer, runtime)
            shapes = device.state_shapes()
            logits = step_logits(signatures["step"], shapes, self._inputs)
            loss = cross_entropy(logits, self._targets)
            figures[f"loss, {runtime}"] = loss
            checks.append(
                Check(
                    path.name,
                    f"held-out loss above Keras's, {runtime}",
                    loss - self.loss,
                    ALLOWED_LOSS[quantization],
                )
            )
            for temperature, expected in self.texts.items():
                kind = "greedy" if temperature == 0 else f"seed {SEED}"
                written = self._write(signatures["generate"], shapes, temperature)
                same = common_length(written, expected)
                figures[f"characters like Keras's, {kind}, {runtime}"] = same
                if quantization == "float32":
                    promise = f"characters equal to Keras's, {kind}, {runtime}"
                    checks.append(Check(path.name, promise, same, expected=TEXT_LENGTH))
            if quantization == "float32":
                promise = f"largest difference of a logit from Keras's, {runtime}"
                difference = float(np.abs(logits - self._logits).max())
                checks.append(
                    Check(path.name, promise, difference, ALLOWED_LOGITS_DIFFERENCE)
                )
            speed = self._characters_a_second(signatures["generate"], shapes)
            figures[f"characters a second, {runtime}"] = speed
        return figures, checks

    def _write(
        self, signature: Signature, shapes: dict[str, list[int]], temperature: float
    ) -> str:
        tokens = write_tokens(
            signature,
            shapes,
            self._prompt.tolist(),
            TEXT_LENGTH,
            SEED,
            temperature=temperature,
        )
        return self._vocabulary.decode(np.concatenate(list(tokens)))

    def _characters_a_second(
        self, signature: Signature, shapes: dict[str, list[int]]
    ) -> int:
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            self._write(signature, shapes, 1.0)
            seconds.append(time.perf_counter() - start)
        return round((len(self._prompt) + TEXT_LENGTH) / median(seconds))


def file_figures(
    path: Path, device: Model, parameters: int
) -> tuple[dict[str, Any], Check]:
    """What holds of any file: its size, its operations, and that all are built in."""
    operators = list_operators(device.flatbuffer)
    custom = [name for name in operators if name.startswith("CUSTOM")]
    figures = {
        "bytes": path.stat().st_size,
        "bytes a parameter": len(device.flatbuffer) / parameters,
        "operations": ", ".join(operators),
    }
    return figures, Check(path.name, "operations not built in", custom, expected=[])


def about(kind: str, model: keras.Model) -> dict[str, Any]:
    """What the card of any model says."""
    return {
        "contract": CONTRACT_VERSION,
        "kind": kind,
        "parameters": model.count_params(),
        "versions": {
            "kerasseq": kerasseq.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
        "licence": "the model is its maker's; check the rights to the text it learned",
    }


def keras_logits(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """The Keras model's logits at every place of one text, float32 (N, V)."""
    length = min(1000, len(inputs))
    stateful = build_stateful_model(model, batch_size=1, length=length)
    # What fills the last part comes after the text and changes nothing in it.
    padded = np.pad(inputs, (0, -len(inputs) % length))
    logits = [
        stateful.predict_on_batch(part[None])[0] for part in padded.reshape(-1, length)
    ]
    return np.concatenate(logits)[: len(inputs)]


def step_logits(
    step: Signature, shapes: dict[str, list[int]], inputs: np.ndarray
) -> np.ndarray:
    """A file's logits at every place of one text, float32 (N, V)."""
    states = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    logits = []
    for token in inputs.astype(np.int32):
        outputs = step(token=token[None], **states)
        logits.append(outputs.pop("logits")[0])
        states = outputs
    return np.stack(logits)


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean of -log softmax(logits)[target] in nats; logits (N, V), targets (N,)."""
    logits = logits.astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    chosen = logits[np.arange(len(targets)), targets]
    return float(np.mean(np.log(np.exp(logits).sum(axis=-1)) - chosen))


def common_length(one: str, other: str) -> int:
    """How many characters two texts share before they part."""
    pairs = enumerate(zip(one, other, strict=False))
    shorter = min(len(one), len(other))
    return next((index for index, (a, b) in pairs if a != b), shorter)
