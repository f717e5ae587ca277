"""The benchmark of the classifier: its folds."""

import numpy as np

from benchmarks.classification import split_folds


def test_folds_hold_each_index_once():
    folds = split_folds(np.arange(103), 10, seed=0)
    assert sorted(np.concatenate(folds)) == list(range(103))
    assert {len(fold) for fold in folds} == {10, 11}
    assert not np.array_equal(folds[0], split_folds(np.arange(103), 10, seed=1)[0])
