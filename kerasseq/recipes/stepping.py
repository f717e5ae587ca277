"""Shared by models that read a text step by step: logits, their loss, limits."""

from collections.abc import Iterator

import keras
import numpy as np

from kerasseq.files.report import Check
from kerasseq.files.runtimes import Signature
from kerasseq.models.stateful import logits_along, stateful_layers
from kerasseq.signatures.steps import frozen_kind

ALLOWED_LOGITS_DIFFERENCE = 1e-4
# Steps to process at a time: with a large vocabulary, the logits at all steps of a text
# take gigabytes.
STEPS_AT_ONCE = 1000


def zeros(shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """The states at the start of a text."""
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


def step_logits(
    step: Signature, states: dict[str, np.ndarray], inputs: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A file's logits at each step of one text, float32 (N, V), and its states."""
    logits = []
    for token in inputs.astype(np.int32):
        states = dict(step(token=token[None], **states))
        logits.append(states.pop("logits")[0].copy())
    return np.stack(logits), states


def keras_logits(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """The Keras model's logits at each step of one text, float32 (N, V)."""
    # Filled in place, since a second copy could take hundreds of megabytes.
    logits = np.empty((len(inputs), model.output_shape[-1]), np.float32)
    start = 0
    for some in logits_along(model, inputs):
        logits[start : start + len(some)] = some
        start += len(some)
    return logits


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean of -log softmax(logits)[target] in nats; logits (N, V), targets (N,)."""
    total = 0.0
    for steps in chunks(len(targets)):
        shifted = logits[steps].astype(np.float64)
        shifted -= shifted.max(axis=-1, keepdims=True)
        chosen = shifted[np.arange(len(shifted)), targets[steps]]
        total += float(np.sum(np.log(np.exp(shifted).sum(axis=-1)) - chosen))
    return total / len(targets)


def chunks(count: int) -> Iterator[slice]:
    """Slices of at most `STEPS_AT_ONCE` steps."""
    for start in range(0, count, STEPS_AT_ONCE):
        yield slice(start, start + STEPS_AT_ONCE)


def check_logits(name: str, runtime: str, largest: float) -> Check:
    """The logits of a float32 file differ from Keras's by rounding only."""
    promise = f"largest difference of a logit from Keras's, {runtime}"
    return Check(name, promise, largest, ALLOWED_LOGITS_DIFFERENCE)


def graph_bytes(model: keras.Model) -> int:
    """The most bytes that a file takes besides the weights."""
    return frozen_kind(model).graph_bytes(len(stateful_layers(model)))
