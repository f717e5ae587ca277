"""How good a classifier is: counts, accuracy and F1 from classes only.

Shapes: N examples, K classes.
"""

import numpy as np


def accuracy(matrix: np.ndarray) -> float:
    """The fraction on the diagonal of a confusion matrix (K, K), 0 to 1."""
    return float(np.trace(matrix) / max(1, matrix.sum()))


def macro_f1(matrix: np.ndarray) -> float:
    """The mean of the classes' F1, each class counting alike; 0 to 1.

    F1 is 2 TP / (2 TP + FP + FN) (van Rijsbergen 1979, chapter 7, with both weighted
    alike). A class that is neither in the examples nor predicted is left out,
    as scikit-learn leaves it out.

    Args:
        matrix: int (K, K), from `tf.math.confusion_matrix`: row the class, column what
            it was taken for.
    """
    hits = np.diag(matrix)
    both = matrix.sum(axis=0) + matrix.sum(axis=1)
    seen = both > 0
    return float(np.mean(2 * hits[seen] / both[seen])) if seen.any() else 0.0
