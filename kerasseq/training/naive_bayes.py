"""Counting the tables of the layers `NaiveBayes` and `SpellingBayes`.

Shapes: N sentences, T words, L bytes of a word, K classes, R rows of a table, M times
that a row is counted.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from kerasseq.layers.naive_bayes import NaiveBayes, SpellingBayes
from kerasseq.models.classifier import Sentence, pad

# Counts that are looked at at once, which bounds the memory.
CHUNK = 1_000_000
BATCH_SIZE = 64


def count_naive_bayes(
    words: NaiveBayes,
    spelling: SpellingBayes,
    sentences: Sequence[Sentence],
    class_ids: np.ndarray,
) -> np.ndarray:
    """Set the tables of two layers, and score each sentence by those of all others.

    A sentence's own counts would tell its class, and a model that learns from such
    scores would trust them too much. So they are taken away first.

    Args:
        words: a built layer.
        spelling: another.
        sentences: N, at least one word each.
        class_ids: int (N,), from 0 to K - 1.

    Returns:
        float32 (N, K, 3), what the layers would give for each sentence if they had
        counted only the others.
    """
    found: list[list[np.ndarray]] = [[], [], []]
    starts = range(0, len(sentences), BATCH_SIZE)
    for start, (ids, letters) in zip(starts, _batches(sentences), strict=True):
        ngrams = [np.asarray(each) for each in spelling.ngram_ids(letters)]
        rows_of_tables = (
            ids,
            np.asarray(words.pair_ids(ids)),
            np.concatenate([each.reshape(len(ids), -1) for each in ngrams], axis=1),
        )
        for cells, rows in zip(found, rows_of_tables, strict=True):
            row, column = np.nonzero(rows)
            cells.append(np.stack([start + row, rows[row, column]]).astype(np.int32))
    scores = []
    for table, cells in zip(
        (words.words, words.pairs, spelling.ngrams), found, strict=True
    ):
        counted = np.concatenate(cells, axis=1)
        sentence_ids, rows = counted
        ratios, sums = _count(sentence_ids, rows, class_ids, *table.shape)
        table.assign(ratios)
        scores.append(sums)
    lengths = np.array([len(ids) for ids, _ in sentences])
    ngrams_of = np.bincount(sentence_ids, minlength=len(sentences))
    counts = np.stack([lengths, lengths, np.maximum(ngrams_of, 1)], axis=-1)
    return (np.stack(scores, axis=-1) / np.sqrt(counts[:, None])).astype(np.float32)


def score(
    words: NaiveBayes,
    spelling: SpellingBayes,
    sentences: Sequence[Sentence],
) -> np.ndarray:
    """What layers give for sentences that they have not counted, float32 (N, K, 3)."""
    return np.concatenate(
        [
            np.concatenate([words(ids), spelling(letters)], axis=-1)
            for ids, letters in _batches(sentences)
        ]
    )


def _batches(
    sentences: Sequence[Sentence],
) -> Iterator[list[np.ndarray]]:
    for start in range(0, len(sentences), BATCH_SIZE):
        yield pad(sentences[start : start + BATCH_SIZE])


def _count(
    sentences: np.ndarray,
    rows: np.ndarray,
    class_ids: np.ndarray,
    num_rows: int,
    num_classes: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The ratios (R, K) of rows in sentences, both int (M,), and each sentence's sum.

    The sum is of the ratios that the other sentences have, (N, K).
    """
    cells = sentences.astype(np.int64) * num_rows + rows
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
        first = np.flatnonzero(np.diff(sentence, prepend=-1))
        sums[sentence[first]] += np.add.reduceat(times * ratios, first)
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
