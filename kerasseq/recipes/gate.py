"""The gate that the `.tflite` of a character model passes where it is written.

It runs the file itself, through both of LiteRT's runtimes, beside the Keras model that
it was made from. What a file promises is in on_device/README.md.
"""

import time
from pathlib import Path
from statistics import median
from typing import Any, get_args

import keras
import numpy as np

from kerasseq.files.report import Check
from kerasseq.files.runtimes import Runtime, Signature, open_signatures
from kerasseq.files.tflite import Quantization
from kerasseq.models.stateful import build_stateful_model
from kerasseq.on_device.generate import (
    Model,
    uniform_numbers,
    write_tokens,
)
from kerasseq.on_device.sampling import choose_token
from kerasseq.recipes.device_command import run_command
from kerasseq.recipes.shipping import file_figures
from kerasseq.recipes.stepping import (
    ALLOWED_BYTES,
    ALLOWED_LOGITS_DIFFERENCE,
    ALLOWED_LOSS,
    GRAPH_BYTES,
    cross_entropy,
    parts,
    step_logits,
    zeros,
)
from kerasseq.signatures.characters import GeneratingModule, describe_sizes, generate
from kerasseq.text.characters import Vocabulary

# A Transformer's block is some fifty operations, written down in four graphs, as is
# what all its blocks need of a character's place.
BLOCK_BYTES = 30_000
# How many nats a character the two runtimes may be apart.
ALLOWED_PARTING = 1e-3
GATE_CHARACTERS = 20_000
TEXT_LENGTH = 500
SEED = 1
PROMPT_LENGTH = 100
READ_LENGTH = 2_000


class Gate:
    """A Keras character model on held-out text: what its files are compared with.

    Args:
        model: from `build_char_rnn` or `build_char_transformer`.
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
        self._model, self._parameters = model, model.count_params()
        blocks = describe_sizes(model).get("blocks", -1)
        self._graph_bytes = GRAPH_BYTES + BLOCK_BYTES * (blocks + 1)
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
        figures, checks = file_figures(path, device, self._parameters)
        limit = ALLOWED_BYTES[quantization] * self._parameters + self._graph_bytes
        size = len(device.flatbuffer)
        checks.append(Check(path.name, "bytes of the model", size, limit))
        losses = []
        for runtime in get_args(Runtime):
            signatures = open_signatures(device.flatbuffer, runtime)
            shapes = device.state_shapes()
            loss, difference = self._compare(signatures["step"], shapes)
            losses.append(loss)
            figures[f"loss, {runtime}"] = losses[-1]
            promise = f"held-out loss above Keras's, {runtime}"
            allowed = ALLOWED_LOSS[quantization]
            checks.append(Check(path.name, promise, losses[-1] - self.loss, allowed))
            for temperature, expected in self.texts.items():
                kind = "greedy" if temperature == 0 else f"seed {SEED}"
                written = self._write(signatures["generate"], shapes, temperature)
                same = common_length(written, expected)
                figures[f"characters like Keras's, {kind}, {runtime}"] = same
                if quantization == "float32":
                    promise = f"text parts from Keras's, {kind}, {runtime}"
                    parts = self.parts(written, expected, temperature)
                    checks.append(Check(path.name, promise, parts, expected="no"))
            if quantization == "float32":
                promise = f"largest difference of a logit from Keras's, {runtime}"
                checks.append(
                    Check(path.name, promise, difference, ALLOWED_LOGITS_DIFFERENCE)
                )
            figures |= self._speeds(signatures["generate"], shapes, runtime)
        parting = max(losses) - min(losses)
        promise = "held-out loss between the runtimes"
        checks.append(Check(path.name, promise, parting, ALLOWED_PARTING))
        run = run_command(
            path, self._vocabulary.decode(self._prompt), TEXT_LENGTH, SEED
        )
        figures["seconds from the command to the first character"] = run.seconds
        figures["megabytes of memory that the command held"] = run.peak_megabytes
        if quantization == "float32":
            promise = "text parts from Keras's, generate.py"
            parts = self.parts(run.text, self.texts[1.0], 1.0)
            checks.append(Check(path.name, promise, parts, expected="no"))
        return figures, checks

    def parts(self, written: str, expected: str, temperature: float) -> str:
        """Whether a text parts from Keras's where rounding cannot be why: no, or where.

        Runtimes add up in different orders, so their logits differ in the last digits.
        Where that moves a number across the border of two characters, what follows is
        another text, and no fault of the file.
        """
        same = common_length(written, expected)
        if same == len(expected):
            return "no"
        read = np.append(self._prompt, self._vocabulary.encode(expected[:same]))
        logits = keras_logits(self._model, read)[-1]
        uniform = uniform_numbers(SEED, same, 1)[0]
        possible = possible_tokens(logits, uniform, temperature=temperature)
        pair = written[same : same + 1] + expected[same]
        if len(pair) == 2 and possible >= set(self._vocabulary.encode(pair).tolist()):
            return "no"
        return f"at character {same}"

    def _compare(
        self, step: Signature, shapes: dict[str, list[int]]
    ) -> tuple[float, float]:
        """A file's loss, and the largest difference of a logit from Keras's."""
        total, differences = 0.0, []
        states = zeros(shapes)
        # In parts: of thousands of signs, the logits at all places take gigabytes.
        for places in parts(self.num_characters):
            logits, states = step_logits(step, states, self._inputs[places])
            targets = self._targets[places]
            total += cross_entropy(logits, targets) * len(targets)
            differences.append(float(np.abs(logits - self._logits[places]).max()))
        return total / self.num_characters, max(differences)

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

    def _speeds(
        self, signature: Signature, shapes: dict[str, list[int]], runtime: Runtime
    ) -> dict[str, int]:
        """Characters a second, read and written."""
        read, written = [], []
        ids = np.resize(self._prompt, READ_LENGTH).tolist()
        for _ in range(3):
            start = time.perf_counter()
            list(write_tokens(signature, shapes, ids, 1))
            after = time.perf_counter()
            list(write_tokens(signature, shapes, [0], TEXT_LENGTH, SEED))
            read.append(READ_LENGTH / (after - start))
            written.append(TEXT_LENGTH / (time.perf_counter() - after))
        return {
            f"characters read a second, {runtime}": round(median(read)),
            f"characters written a second, {runtime}": round(median(written)),
        }


def possible_tokens(logits: np.ndarray, uniform: float, **settings: Any) -> set[int]:
    """The tokens that are chosen with logits within rounding of these."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, ALLOWED_LOGITS_DIFFERENCE / 3, (100, len(logits)))
    nearby = (logits + noise).astype(np.float32)
    return {choose_token(row, uniform, **settings) for row in nearby}


def keras_logits(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """The Keras model's logits at every place of one text, float32 (N, V)."""
    length = min(1000, len(inputs))
    stateful = build_stateful_model(model, batch_size=1, length=length)
    # What fills the last part comes after the text and changes nothing in it.
    padded = np.pad(inputs, (0, -len(inputs) % length))
    # Filled in place: of thousands of signs, a second copy takes hundreds of megabytes.
    logits = np.empty((len(padded), model.output_shape[-1]), np.float32)
    for start in range(0, len(padded), length):
        places = slice(start, start + length)
        logits[places] = stateful.predict_on_batch(padded[None, places])[0]
    return logits[: len(inputs)]


def common_length(one: str, other: str) -> int:
    """How many characters two texts share before they part."""
    pairs = enumerate(zip(one, other, strict=False))
    shorter = min(len(one), len(other))
    return next((index for index, (a, b) in pairs if a != b), shorter)
