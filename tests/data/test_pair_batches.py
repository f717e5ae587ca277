"""Batches of pairs: each pass holds every pair once, within the bounds."""

import keras
import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from kerasseq.data.pair_batches import MOST_SHAPES, PairBatches, choose_lengths


def padded(lengths: np.ndarray, limits: np.ndarray) -> int:
    return int(limits[np.searchsorted(limits, lengths)].sum())


@given(st.lists(st.integers(1, 12), min_size=1))
@example([1] * 1000 + [12])
def test_lengths_are_the_best_of_their_number(lengths):
    """No other lengths of this number need less padding: all are tried."""
    lengths = np.array(lengths)
    limits = choose_lengths(lengths)
    assert limits[-1] == lengths.max() and len(limits) <= MOST_SHAPES
    assert (np.diff(limits) > 0).all()
    if len(limits) <= 3:
        inner = np.unique(lengths)[:-1]
        others = {2: [(a,) for a in inner], 3: [(a, b) for a in inner for b in inner]}
        for other in others.get(len(limits), []):
            tried = np.array(sorted({*other, limits[-1]}))
            assert padded(lengths, limits) <= padded(lengths, tried)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1),
    st.integers(1, 90),
    st.none() | st.integers(0, 9),
)
def test_each_pass_has_every_pair_once_within_the_bounds(sizes, most_pieces, seed):
    """Pair n is n + 3, repeated, so that each row says which pair it is."""
    sources = [np.full(size, 3 + index) for index, (size, _) in enumerate(sizes)]
    targets = [np.full(size, 3 + index) for index, (_, size) in enumerate(sizes)]
    batches = PairBatches(sources, targets, most_pieces, seed)
    found = list(batches.batches(passes=2))
    assert len(found) == 2 * batches.steps_per_pass
    shapes = set()
    for half in (found[: batches.steps_per_pass], found[batches.steps_per_pass :]):
        seen = []
        for inputs, labels, weights in half:
            source_ids, target_ids = inputs["source_ids"], inputs["target_ids"]
            assert labels.shape == weights.shape == target_ids.shape
            assert len(source_ids) == len(target_ids)
            size = max(source_ids.size, target_ids.size)
            assert size <= most_pieces or len(source_ids) == 1
            shapes.add((*source_ids.shape, labels.shape[1]))
            for row in range(len(source_ids)):
                source = source_ids[row][source_ids[row] > 0]
                target = labels[row][labels[row] > 0]
                read = target_ids[row][target_ids[row] > 0]
                assert weights[row].tolist() == (labels[row] > 0).tolist()
                if source.size:
                    assert source[-1] == target[-1] == 2 and read[0] == 1
                    assert (read[1:] == target[:-1]).all()
                    ids = {*source[:-1].tolist(), *target[:-1].tolist()}
                    assert len(ids) <= 1
                    seen.append((len(source) - 1, len(target) - 1))
                else:
                    assert not target.size and not read.size
        assert sorted(seen) == sorted(sizes)
    assert len(shapes) <= MOST_SHAPES


def test_the_order_follows_from_seed_and_pass_alone():
    sources = [np.full(3, index) for index in range(3, 40)]

    def order(seed: int, passes: int) -> list[int]:
        batches = PairBatches(sources, sources, 20, seed)
        return [
            row
            for inputs, _, _ in batches.batches(passes)
            for row in inputs["source_ids"][:, 0].tolist()
        ]

    first, second = np.split(np.array(order(5, 2)), 2)
    assert first.tolist() == order(5, 1) and first.tolist() != second.tolist()
    assert order(5, 1) != order(6, 1)


def test_a_dataset_has_the_same_batches_and_says_how_many():
    sources = [np.full(size, 3) for size in (1, 2, 7, 7)]
    batches = PairBatches(sources, sources[::-1], 16, seed=0)
    dataset = batches.dataset(passes=3)
    assert int(dataset.cardinality()) == 3 * batches.steps_per_pass
    found = list(dataset.as_numpy_iterator())
    for one, other in zip(found, batches.batches(3), strict=True):
        keras.tree.map_structure(np.testing.assert_array_equal, one, other)
