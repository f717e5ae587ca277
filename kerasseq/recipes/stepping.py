"""A file that reads a text step by step: its logits, what they cost, what it keeps."""

import numpy as np

from kerasseq.files.runtimes import Signature

# How many nats a character, or a word, a file may lose against the Keras model.
ALLOWED_LOSS = {"float32": 1e-4, "float16": 1e-3, "int8": 1e-2, "int4": 1e-2}
# Bytes a parameter, beside what the graph itself takes.
ALLOWED_BYTES = {"float32": 4.1, "float16": 2.1, "int8": 1.1, "int4": 1.1}
GRAPH_BYTES = 50_000
ALLOWED_LOGITS_DIFFERENCE = 1e-4


def zeros(shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """The states at the start of a text."""
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


def step_logits(
    step: Signature, states: dict[str, np.ndarray], inputs: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A file's logits at every place of one text, float32 (N, V), and its states."""
    logits = []
    for token in inputs.astype(np.int32):
        states = dict(step(token=token[None], **states))
        logits.append(states.pop("logits")[0].copy())
    return np.stack(logits), states


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean of -log softmax(logits)[target] in nats; logits (N, V), targets (N,)."""
    total = 0.0
    for places in parts(len(targets)):
        part = logits[places].astype(np.float64)
        part -= part.max(axis=-1, keepdims=True)
        chosen = part[np.arange(len(part)), targets[places]]
        total += float(np.sum(np.log(np.exp(part).sum(axis=-1)) - chosen))
    return total / len(targets)


def parts(count: int) -> list[slice]:
    """Places to work on at a time."""
    return [slice(start, start + 1000) for start in range(0, count, 1000)]
