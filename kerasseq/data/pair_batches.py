"""Batches of sources and targets of similar length.

Shapes: B pairs, S source pieces, T target pieces.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from kerasseq.text.subwords import END, START

# XLA compiles a program for each shape of a batch, which takes seconds.
MOST_SHAPES = 6
# Another shape has to save this fraction of the padding and the pieces.
LEAST_SAVING = 0.03


def choose_lengths(lengths: np.ndarray) -> np.ndarray:
    """A few lengths to pad sequences to, such that padding is least.

    Each sequence is padded to the shortest of them that it fits. There are at most six,
    and fewer where another one would save less than 3 %.

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
        sources: N arrays of ids (S_n,), without `START` and `END`.
        targets: N arrays of ids (T_n,), as these.
        most_pieces: the most ids of the sources, and of the targets, in a batch,
            padding included. A longer pair has a batch of its own.
        seed: of the order; None for the order of the lengths.

    Attributes:
        most_pieces: as given.
        shapes: B, S and T of the batches, the shortest first.
        steps_per_pass: batches that hold every pair once.
    """

    def __init__(
        self,
        sources: Sequence[np.ndarray],
        targets: Sequence[np.ndarray],
        most_pieces: int,
        seed: int | None = None,
    ) -> None:
        self._sources = [np.array([*ids, END], np.int32) for ids in sources]
        self._targets = [np.array([START, *ids, END], np.int32) for ids in targets]
        self._seed = seed
        self.most_pieces = most_pieces
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
            source, target = source_lengths[members], target_lengths[members]
            shape = size, int(source.max()), int(target.max())
            self._groups.append((shape, members))
        self.shapes = [shape for shape, _ in self._groups]
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
        # The `END` of the longest target predicts nothing.
        inputs = np.where(labels > 0, targets[:, :-1], 0)
        weights = (labels > 0).astype(np.float32)
        return {"source_ids": source_ids, "target_ids": inputs}, labels, weights
