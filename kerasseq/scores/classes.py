"""How good a classifier is: counts, accuracy and F1 from classes alone.

Shapes: N examples, K classes.
"""

import numpy as np


def confusion_matrix(
    actual: np.ndarray, predicted: np.ndarray, num_classes: int
) -> np.ndarray:
    """How often each class was taken for each.

    Args:
        actual: int (N,), each example's class, from 0 to K - 1.
        predicted: int (N,), the class it was given.
        num_classes: K.

    Returns:
        int64 (K, K): row the class, column what it was taken for.

    Raises:
        ValueError: the two are not of one length, or a class is not from 0 to K - 1.

    Example:
        >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2).tolist()
        [[1, 1], [0, 1]]
    """
    actual, predicted = np.asarray(actual), np.asarray(predicted)
    if actual.shape != predicted.shape or actual.ndim != 1:
        raise ValueError(
            f"actual classes have shape {actual.shape}, predicted ones "
            f"{predicted.shape}; give one of each for every example"
        )
    for classes in (actual, predicted):
        wrong = classes[(classes < 0) | (classes >= num_classes)]
        if wrong.size:
            raise ValueError(f"class {wrong[0]} is not from 0 to {num_classes - 1}")
    matrix = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(matrix, (actual, predicted), 1)
    return matrix


def accuracy(matrix: np.ndarray) -> float:
    """The fraction on the diagonal of a confusion matrix (K, K), 0 to 1."""
    return float(np.trace(matrix) / max(1, matrix.sum()))


def macro_f1(matrix: np.ndarray) -> float:
    """The mean of the classes' F1, each class counting alike; 0 to 1.

    F1 is 2 TP / (2 TP + FP + FN) (van Rijsbergen 1979, chapter 7, with both weighted
    alike). A class that neither stands in the examples nor was predicted is left out,
    as scikit-learn leaves it out.

    Args:
        matrix: int (K, K), from `confusion_matrix`.
    """
    hits = np.diag(matrix)
    both = matrix.sum(axis=0) + matrix.sum(axis=1)
    seen = both > 0
    return float(np.mean(2 * hits[seen] / both[seen])) if seen.any() else 0.0
