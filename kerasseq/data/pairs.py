"""Pairs of texts, a source and its target: reading, splitting and batching.

Shapes: B pairs, S source pieces, T target pieces.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kerasseq.files.reading import shortened
from kerasseq.text.reading import read_lines

# A longer line is not a pair of sentences: the file has another format.
MOST_CHARACTERS = 10_000
# More held-out sources would take minutes to translate and show nothing new.
MOST_HELD_OUT = 1_000
# XLA compiles a program for each shape of a batch, which takes seconds.
MOST_SHAPES = 6
# Another shape has to save this fraction of the padding and the pieces.
LEAST_SAVING = 0.02


class Pair(NamedTuple):
    """A text and what it becomes, such as a sentence and its translation."""

    source: str
    target: str


def read_pairs(path: str | os.PathLike) -> list[Pair]:
    """Read a UTF-8 file with a source, a tab and its target on each line.

    Whitespace around the two and blank lines are ignored; Windows line ends are
    allowed. So are stray tabs, at the end of a line or between double quotes, where
    they become a space; standard error says how many lines have one.

    Raises:
        ValueError: the file cannot be read as UTF-8, holds no pair, or a line does not
            have two columns, has an empty one, or is longer than 10,000 characters.
            The message gives file, line and reason.
    """
    pairs: list[Pair] = []
    stray: list[int] = []
    for number, text in read_lines(path):
        where = f"{path}:{number}"
        if not text.strip():
            continue
        if len(text) > MOST_CHARACTERS:
            raise ValueError(
                f"{where} has {len(text):,} characters, more than {MOST_CHARACTERS:,}; "
                "give one pair of sentences a line"
            )
        columns = [column.strip() for column in text.split("\t")]
        if len(columns) > 2:
            columns = _without_stray_tabs(columns)
            stray.append(number)
        if len(columns) != 2:
            raise ValueError(
                f"{where} has {len(columns)} columns; give two, a source and its "
                f"target, with one tab between them: {shortened(text)}"
            )
        for column, side in zip(columns, ("source", "target"), strict=True):
            if not column:
                raise ValueError(
                    f"{where} has no {side}; give both, with one tab between them, or "
                    f"take the line out: {shortened(text)}"
                )
        pairs.append(Pair(*columns))
    if not pairs:
        raise ValueError(f"{path} holds no pair; give a source, a tab and its target")
    if stray:
        print(
            f"{path}: ignored a stray tab in each of {len(stray):,} lines; the first "
            f"is line {stray[0]}",
            file=sys.stderr,
        )
    return pairs


def _without_stray_tabs(columns: Sequence[str]) -> list[str]:
    """Columns without empty ones at the end, or joined within double quotes."""
    columns = list(columns)
    while len(columns) > 2 and not columns[-1]:
        columns.pop()
    joined: list[str] = []
    inside = False
    for column in columns:
        if inside:
            joined[-1] += f" {column}"
        else:
            joined.append(column)
        inside ^= bool(column.count('"') % 2)
    return joined if len(joined) == 2 else columns


def split_by_source(
    pairs: Sequence[Pair], fraction: float = 0.1, seed: int = 0
) -> tuple[list[Pair], list[Pair]]:
    """Hold out a fraction of the sources with all their targets.

    Args:
        pairs: with at least two different sources.
        fraction: of the sources to hold out: at least one of them, at most 1,000 and
            never all.
        seed: decides which.

    Returns:
        The pairs to learn from and those held out, both in the order of `pairs`. No
        source is in both.

    Raises:
        ValueError: all pairs have the same source.
    """
    sources = list(dict.fromkeys(pair.source for pair in pairs))
    if len(sources) < 2:
        raise ValueError(
            f"all {len(pairs)} pairs have the source {shortened(sources[0])}; give at "
            "least two sources, one to learn from and one to hold out"
        )
    count = min(max(1, round(fraction * len(sources))), MOST_HELD_OUT, len(sources) - 1)
    order = np.random.default_rng(seed).permutation(len(sources))
    chosen = {sources[index] for index in order[:count]}
    return (
        [pair for pair in pairs if pair.source not in chosen],
        [pair for pair in pairs if pair.source in chosen],
    )


def choose_lengths(lengths: np.ndarray) -> np.ndarray:
    """A few lengths to pad sequences to, such that padding is least.

    Each sequence is padded to the shortest of them that it fits. There are at most six,
    and fewer where another one would save less than a fiftieth.

    Args:
        lengths: int (N,), of the sequences.

    Returns:
        The lengths, ascending; the last is the longest of all.

    Example:
        >>> choose_lengths(np.array([2, 3, 3, 9, 10])).tolist()
        [3, 10]
    """
    distinct, counts = np.unique(lengths, return_counts=True)
    total = np.concatenate([[0], np.cumsum(counts)])
    # cost[i] is the least sum of padded lengths of the first i distinct lengths, and
    # ends[i] the lengths that lead to it; each round allows one length more.
    cost = np.full(len(distinct) + 1, np.inf)
    cost[0] = 0.0
    ends: list[tuple[int, ...]] = [()] * (len(distinct) + 1)
    best: tuple[float, tuple[int, ...]] = np.inf, ()
    for _ in range(MOST_SHAPES):
        costs, paths = cost.copy(), list(ends)
        for last in range(1, len(distinct) + 1):
            sums = cost[:last] + (total[last] - total[:last]) * distinct[last - 1]
            first = int(sums.argmin())
            if sums[first] < costs[last]:
                costs[last] = sums[first]
                paths[last] = (*ends[first], int(distinct[last - 1]))
        cost, ends = costs, paths
        if cost[-1] > (1 - LEAST_SAVING) * best[0]:
            break
        best = cost[-1], ends[-1]
    return np.array(best[1], np.int32)


class PairBatches:
    """Pairs in batches of a few shapes, with little padding.

    Pairs of similar length share a batch, and batches hold about the same number of
    pieces, so that short pairs come in larger batches. The order of the pairs and of
    the batches follows from the seed and the number of the pass alone, so a training
    can continue at any batch.

    Args:
        sources: N arrays of ids (S_n,), without `eos`.
        targets: N arrays of ids (T_n,), without `sos` and `eos`.
        most_pieces: the most ids of the sources, and of the targets, in a batch,
            padding included. A longer pair has a batch of its own.
        sos: id that begins a target.
        eos: id that ends a source and a target.
        seed: of the order; None for the order of the lengths.

    Attributes:
        steps_per_pass: batches that hold every pair once.
    """

    def __init__(
        self,
        sources: Sequence[np.ndarray],
        targets: Sequence[np.ndarray],
        most_pieces: int,
        sos: int,
        eos: int,
        seed: int | None = None,
    ) -> None:
        self._sources = [np.append(ids, eos).astype(np.int32) for ids in sources]
        self._targets = [
            np.concatenate([[sos], ids, [eos]]).astype(np.int32) for ids in targets
        ]
        self._seed = seed
        source_lengths = np.array([len(ids) for ids in self._sources])
        target_lengths = np.array([len(ids) - 1 for ids in self._targets])
        lengths = np.maximum(source_lengths, target_lengths)
        limits = choose_lengths(lengths)
        groups = np.searchsorted(limits, lengths)
        # For each length, the pairs of a batch, S, T, and the indices of the pairs.
        self._groups = []
        for group, limit in enumerate(limits):
            members = np.flatnonzero(groups == group)
            members = members[np.argsort(lengths[members], kind="stable")]
            size = min(max(1, most_pieces // int(limit)), len(members))
            shape = size, source_lengths[members].max(), target_lengths[members].max()
            self._groups.append((shape, members))
        self.steps_per_pass = sum(
            -(-len(members) // shape[0]) for shape, members in self._groups
        )

    def dataset(self, passes: int = 1) -> tf.data.Dataset:
        """What `batches` yields, for `model.fit`, with a known cardinality."""
        ids, weights = (
            tf.TensorSpec((None, None), kind) for kind in (tf.int32, tf.float32)
        )
        dataset = tf.data.Dataset.from_generator(
            lambda: self.batches(passes),
            output_signature=({"source_ids": ids, "target_ids": ids}, ids, weights),
        )
        count = passes * self.steps_per_pass
        return dataset.apply(tf.data.experimental.assert_cardinality(count)).prefetch(2)

    def batches(self, passes: int = 1) -> Iterator[tuple]:
        """The batches of a number of passes.

        Yields:
            Inputs "source_ids" int32 (B, S) and "target_ids" int32 (B, T), targets
            int32 (B, T), which are the target ids one later, and weights float32
            (B, T), 0 at padding. Rows that fill up the last batch of a shape are all
            padding.
        """
        for number in range(passes):
            for shape, members in self._order(number):
                yield self._pad(shape, members)

    def _order(self, number: int) -> list[tuple[tuple[int, int, int], np.ndarray]]:
        """The shapes of a pass's batches, and the indices of their pairs."""
        generator = np.random.default_rng([self._seed or 0, number])
        batches = []
        for shape, members in self._groups:
            if self._seed is not None:
                members = generator.permutation(members)
            batches += [
                (shape, members[start : start + shape[0]])
                for start in range(0, len(members), shape[0])
            ]
        if self._seed is not None:
            batches = [batches[index] for index in generator.permutation(len(batches))]
        return batches

    def _pad(self, shape: tuple[int, int, int], members: np.ndarray) -> tuple:
        size, source_length, target_length = shape
        source_ids = np.zeros((size, source_length), np.int32)
        targets = np.zeros((size, target_length + 1), np.int32)
        for row, index in enumerate(members):
            source, target = self._sources[index], self._targets[index]
            source_ids[row, : len(source)] = source
            targets[row, : len(target)] = target
        labels = targets[:, 1:]
        # The last input would be `eos` of the longest target, which predicts nothing.
        inputs = np.where(labels > 0, targets[:, :-1], 0)
        weights = (labels > 0).astype(np.float32)
        return {"source_ids": source_ids, "target_ids": inputs}, labels, weights
