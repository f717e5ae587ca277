"""Counting the tables of a `NaiveBayes` layer.

Shapes: N sentences, T words, K classes, R rows of a table.
"""

from collections.abc import Sequence

import keras
import numpy as np

from kerasseq.layers.naive_bayes import NaiveBayes

# Counts that are looked at at once, which bounds the memory.
CHUNK = 1_000_000


def count_naive_bayes(
    layer: NaiveBayes, sequences: Sequence[np.ndarray], class_ids: np.ndarray
) -> np.ndarray:
    """Set the tables of a layer, and score each sentence by those of all others.

    A sentence's own counts would tell its class, and a model that learns from such
    scores would trust them too much. So they are taken away first.

    Args:
        layer: a built layer.
        sequences: N arrays of ids (T_n,), at least one word each.
        class_ids: int (N,), from 0 to K - 1.

    Returns:
        float32 (N, K, 2), what the layer would give for each sentence if it had
        counted only the others.
    """
    words = keras.utils.pad_sequences(sequences, padding="post")
    pairs = keras.ops.convert_to_numpy(layer.pair_ids(words))
    scores = []
    for table, rows in ((layer.words, words), (layer.pairs, pairs)):
        ratios, sums = _count(rows, class_ids, *table.shape)
        table.assign(ratios)
        scores.append(sums)
    lengths = np.count_nonzero(words, axis=1)[:, None, None]
    return (np.stack(scores, axis=-1) / np.sqrt(lengths)).astype(np.float32)


def score(layer: NaiveBayes, sequences: Sequence[np.ndarray]) -> np.ndarray:
    """What a layer gives for sentences that it has not counted, float32 (N, K, 2)."""
    words = keras.utils.pad_sequences(sequences, padding="post")
    chunks = [words[start : start + 256] for start in range(0, len(words), 256)]
    return np.concatenate([keras.ops.convert_to_numpy(layer(each)) for each in chunks])


def _count(
    rows: np.ndarray, class_ids: np.ndarray, num_rows: int, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """The ratios (R, K) of the rows (N, T), 0 at padding, and each sentence's sum.

    The sum is of the ratios that the other sentences have, (N, K).
    """
    sentences, _ = np.nonzero(rows)
    cells = sentences * num_rows + rows[rows != 0]
    cells, own = np.unique(cells, return_counts=True)
    sentences, rows = np.divmod(cells, num_rows)
    counts = np.zeros((num_rows, num_classes))
    np.add.at(counts, (rows, class_ids[sentences]), own)
    totals, seen = counts.sum(axis=0), int(counts.any(axis=1).sum())
    lengths = np.bincount(sentences, own, len(class_ids))
    only_here = counts[rows].sum(axis=1) == own
    seen_elsewhere = seen - np.bincount(sentences, only_here, len(class_ids))
    sums = np.zeros((len(class_ids), num_classes))
    step = max(1, CHUNK // num_classes)
    for start in range(0, len(cells), step):
        chunk = slice(start, start + step)
        sentence, times = sentences[chunk], own[chunk, None]
        owned = class_ids[sentence, None] == np.arange(num_classes)
        others = counts[rows[chunk]] - times * owned
        all_others = totals - lengths[sentence, None] * owned
        seen_by_others = seen_elsewhere[sentence, None]
        ratios = _ratios(others, all_others, seen_by_others)
        np.add.at(sums, sentence, times * ratios)
    return _ratios(counts, totals, seen), sums


def _ratios(
    counts: np.ndarray, totals: np.ndarray, seen: int | np.ndarray
) -> np.ndarray:
    """Log-probabilities less their mean over the classes; 0 where nothing was counted.

    One is added to each count (Laplace).

    Args:
        counts: (..., K).
        totals: of each class, (..., K).
        seen: the number of rows that were counted, or (..., 1).
    """
    logs = np.log(counts + 1) - np.log(totals + seen)
    logs -= logs.mean(axis=-1, keepdims=True)
    return np.where(counts.any(axis=-1, keepdims=True), logs, 0)
