"""The recipe of both kinds of character model: `char_rnn` and `char_transformer`.

Each file is compared with its Keras model in both of LiteRT's runtimes. The promises
of a file are in export/README.md.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np

from kerasseq.files.formats import FORMATS
from kerasseq.files.report import Check
from kerasseq.files.runtimes import Signature
from kerasseq.models.stateful import describe_sizes
from kerasseq.on_device.tokens import write_tokens
from kerasseq.recipes.device_command import run_command
from kerasseq.recipes.made_up import OWN_TEXT
from kerasseq.recipes.rounding import common_length, text_difference
from kerasseq.recipes.shipping import Measured, OpenFile, about, check_size, ship
from kerasseq.recipes.stepping import (
    check_logits,
    chunks,
    cross_entropy,
    graph_bytes,
    keras_logits,
    step_logits,
    zeros,
)
from kerasseq.signatures.characters import build_generating_module, generate
from kerasseq.signatures.states import Shapes
from kerasseq.signatures.steps import frozen_kind
from kerasseq.text.characters import Vocabulary

SAMPLING_DEFAULTS = {
    "length": 500,
    "temperature": 0.8,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
}
# The largest difference between the runtimes, in nats a character.
ALLOWED_BETWEEN_RUNTIMES = 1e-3
CHECKED_CHARACTERS = 20_000
# Characters that a model writes itself when no held-out text is given.
OWN_CHARACTERS = 2_000
TEXT_LENGTH = 500
SEED = 1
PROMPT_LENGTH = 100
READ_LENGTH = 2_000


def ship_character_model(
    stem: Path,
    model: keras.Model,
    vocabulary: Vocabulary,
    training: Mapping[str, Any],
    held_out: str | None = None,
) -> Measured:
    """Write and check the files of a character model; see `Recipe.ship`."""
    module = build_generating_module(model, vocabulary, frozen=True)
    figures = {} if held_out is not None else OWN_TEXT
    if held_out is None:
        held_out = generate(module, "", OWN_CHARACTERS, seed=SEED)
    expected = Expected(model, vocabulary, vocabulary.encode(held_out))
    signatures = module.device_signatures()
    recurrent = frozen_kind(model).multiplies_states
    return ship(
        stem,
        model,
        vocabulary.to_json(),
        describe(model, module.state_shapes, training),
        {
            **figures,
            "characters read by the checks": expected.num_characters,
            "loss of Keras on them": expected.loss,
        },
        on_text=module,
        text_signatures={"generate": module.generate, "step": signatures["step"]},
        on_ids=module,
        device_signatures=signatures,
        formats=[
            name for name, row in FORMATS.items() if recurrent or not row.recurrent
        ],
        check_saved_model=expected.check_saved_model,
        check_file=expected.check,
    )


def describe(
    model: keras.Model, state_shapes: Shapes, training: Mapping[str, Any]
) -> dict[str, Any]:
    """The card that travels inside the files."""
    return {
        **about("character model", model, training),
        **describe_sizes(model),
        "vocabulary_size": model.output_shape[-1],
        "state_shapes": state_shapes,
        "held_out_loss": training.get("held-out loss"),
        "sampling_defaults": SAMPLING_DEFAULTS,
    }


class Expected:
    """A Keras character model on held-out text: what its files are compared with.

    Args:
        model: from `build_char_rnn` or `build_char_transformer`.
        vocabulary: its characters.
        held_out: int32 (N,), text that it was not trained on; at most 20,001
            characters of it are read.

    Attributes:
        num_characters: how many characters of the held-out text are read.
        loss: of Keras on them, in nats a character.
        texts: what Keras writes, by temperature.

    Raises:
        ValueError: there are fewer than two characters.
    """

    def __init__(
        self, model: keras.Model, vocabulary: Vocabulary, held_out: np.ndarray
    ) -> None:
        held_out = held_out[: CHECKED_CHARACTERS + 1]
        if len(held_out) < 2:
            raise ValueError(
                f"the held-out text has {len(held_out)} characters; give at least 2"
            )
        self._inputs, self._targets = held_out[:-1], held_out[1:]
        self.num_characters = len(self._inputs)
        self._model, self._vocabulary = model, vocabulary
        self._logits = keras_logits(model, self._inputs)
        self.loss = cross_entropy(self._logits, self._targets)
        self._prompt = held_out[:PROMPT_LENGTH]
        module = build_generating_module(model, vocabulary)
        self.texts = {each: self.write(module, each) for each in (0.0, 1.0)}

    def write(self, module: Any, temperature: float) -> str:
        """The text that Keras's signatures, or a SavedModel's, write for the seed."""
        prompt = self._vocabulary.decode(self._prompt)
        return generate(module, prompt, TEXT_LENGTH, temperature=temperature, seed=SEED)

    def check_saved_model(self, loaded: Any) -> list[Check]:
        """The SavedModel, loaded again, writes the texts that Keras writes."""
        name, how = "saved_model", "temperature {:g}"
        return [
            self.check_text(name, how.format(each), self.write(loaded, each), each)
            for each in self.texts
        ]

    def check_text(
        self, name: str, how: str, written: str, temperature: float
    ) -> Check:
        """A written text differs from Keras's by rounding only."""
        difference = text_difference(
            written,
            self.texts[temperature],
            self._model,
            self._vocabulary,
            self._prompt,
            SEED,
            temperature=temperature,
        )
        promise = f"text differs from Keras's beyond rounding, {how}"
        return Check(name, promise, difference, expected="no")

    def check(self, file: OpenFile) -> Measured:
        """Compare one file with Keras in both runtimes, and run generate.py on it."""
        exact = file.number_format == "float32"
        checks = [check_size(file, self._model, graph_bytes(self._model))]
        figures: dict[str, Any] = {}
        losses = []
        shapes = file.model.state_shapes()
        for runtime, signatures in file.runtimes.items():
            loss, largest = self._compare(signatures["step"], shapes)
            losses.append(loss)
            figures[f"loss, {runtime}"] = loss
            promise = f"held-out loss above Keras's, {runtime}"
            allowed = FORMATS[file.number_format].loss
            checks.append(Check(file.name, promise, loss - self.loss, allowed))
            for temperature, expected in self.texts.items():
                kind = "greedy" if temperature == 0 else f"seed {SEED}"
                written = self._write(signatures["generate"], shapes, temperature)
                same = common_length(written, expected)
                figures[f"characters like Keras's, {kind}, {runtime}"] = same
                if exact:
                    how = f"{kind}, {runtime}"
                    checks.append(self.check_text(file.name, how, written, temperature))
            if exact:
                checks.append(check_logits(file.name, runtime, largest))
            figures |= self._speeds(signatures["generate"], shapes, runtime)
        promise = "held-out loss between the runtimes"
        between = max(losses) - min(losses)
        checks.append(Check(file.name, promise, between, ALLOWED_BETWEEN_RUNTIMES))
        prompt = self._vocabulary.decode(self._prompt)
        run = run_command(file.path, prompt, TEXT_LENGTH, SEED)
        figures["seconds from the command to the first character"] = run.seconds
        figures["megabytes of memory that the command held"] = run.peak_megabytes
        if exact:
            checks.append(self.check_text(file.name, "generate.py", run.text, 1.0))
        return figures, checks

    def _compare(
        self, step: Signature, shapes: dict[str, list[int]]
    ) -> tuple[float, float]:
        """A file's loss, and the largest difference of a logit from Keras's."""
        total, differences = 0.0, []
        states = zeros(shapes)
        for steps in chunks(self.num_characters):
            logits, states = step_logits(step, states, self._inputs[steps])
            targets = self._targets[steps]
            total += cross_entropy(logits, targets) * len(targets)
            differences.append(float(np.abs(logits - self._logits[steps]).max()))
        return total / self.num_characters, max(differences)

    def _write(
        self, signature: Signature, shapes: dict[str, list[int]], temperature: float
    ) -> str:
        ids = self._prompt.tolist()
        tokens = write_tokens(
            signature, shapes, ids, TEXT_LENGTH, SEED, temperature=temperature
        )
        return self._vocabulary.decode(np.concatenate(list(tokens)))

    def _speeds(
        self, signature: Signature, shapes: dict[str, list[int]], runtime: str
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
