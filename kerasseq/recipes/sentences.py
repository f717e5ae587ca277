"""Shared by models that read one sentence at a time: running, splitting, comparing."""

import time
from statistics import median

import numpy as np

from kerasseq.files.report import Check
from kerasseq.files.runtimes import Signature
from kerasseq.text.words import WordVocabulary


def run_rows(
    signature: Signature, **inputs: np.ndarray
) -> tuple[dict[str, np.ndarray], int]:
    """Run a file's signature on one row of its inputs after the other.

    Args:
        signature: of the file, for a batch of 1.
        **inputs: (N, ...) by name.

    Returns:
        The outputs (N, ...) by name, and how many rows it runs in a second.
    """
    rows, seconds = [], []
    for values in zip(*inputs.values(), strict=True):
        row = {name: value[None] for name, value in zip(inputs, values, strict=True)}
        start = time.perf_counter()
        outputs = signature(**row)
        seconds.append(time.perf_counter() - start)
        rows.append({name: value[0].copy() for name, value in outputs.items()})
    stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return stacked, round(1 / median(seconds))


def check_words(
    tokens: np.ndarray, token_ids: np.ndarray, vocabulary: WordVocabulary
) -> Check:
    """A SavedModel's tokens, bytes (N, T), are the words of Python's ids (N, T)."""
    found = [[word.decode() for word in row] for row in tokens]
    same = found == np.array(vocabulary.words)[token_ids].tolist()
    return Check("saved_model", "divides as Python does", same, expected=True)


def largest_difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max())
