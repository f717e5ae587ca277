"""Accuracy and F1 of a classifier, from its confusion matrix.

Shapes: K classes.
"""

import numpy as np


def accuracy(matrix: np.ndarray) -> float:
    """The fraction on the diagonal of a confusion matrix (K, K), 0 to 1."""
    return float(np.trace(matrix) / max(1, matrix.sum()))


def macro_f1(matrix: np.ndarray) -> float:
    """The mean of the classes' F1, 2 TP / (2 TP + FP + FN); 0 to 1.

    As in scikit-learn, a class that is neither in the examples nor predicted is left
    out (van Rijsbergen 1979, chapter 7, with equal weights).

    Args:
        matrix: int (K, K), from `tf.math.confusion_matrix`: rows are actual classes,
            columns predicted ones.
    """
    hits = np.diag(matrix)
    both = matrix.sum(axis=0) + matrix.sum(axis=1)
    seen = both > 0
    return float(np.mean(2 * hits[seen] / both[seen])) if seen.any() else 0.0
