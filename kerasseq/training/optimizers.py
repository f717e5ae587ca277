"""Keras's Adam and Muon, saved with all their settings.

If their learning rate is a `HalvingSchedule`, both have its factor as the attribute
`learning_rate_factor`, and so among their variables in files and checkpoints.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras

from kerasseq.training.divergence import HalvingSchedule


@keras.saving.register_keras_serializable(package="kerasseq")
class Adam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` without weight decay for embeddings and vectors."""

    def __init__(self, learning_rate: Any = 0.001, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        if isinstance(learning_rate, HalvingSchedule):
            self.learning_rate_factor = learning_rate.factor

    def build(self, variables: Sequence[keras.Variable]) -> None:
        self.exclude_from_weight_decay(
            [variable for variable in variables if not _is_matrix(variable)]
        )
        super().build(variables)


@keras.saving.register_keras_serializable(package="kerasseq")
class Muon(keras.optimizers.Muon):
    """`keras.optimizers.Muon` that treats kernels with heads as matrices.

    Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks": a
    matrix moves along the orthogonal matrix nearest to its momentum, so that rare
    directions are learned as fast as others. Adam updates embeddings and vectors. The
    arguments are those of Keras's Muon.
    """

    def __init__(self, learning_rate: Any = 0.001, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        if isinstance(learning_rate, HalvingSchedule):
            self.learning_rate_factor = learning_rate.factor

    def _should_use_adamw(self, variable: Any) -> bool:
        return not _is_matrix(variable)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        matrix = keras.ops.reshape(x, as_matrix(x.shape))
        return keras.ops.reshape(
            super().zeropower_via_newtonschulz5(matrix, steps), x.shape
        )

    def lr_adjust(self, x: Any) -> Any:
        return x * (max(as_matrix(x.shape)) ** 0.5 * self.rms_rate)


def _is_matrix(variable: Any) -> bool:
    return len(variable.shape) >= 2 and "embedding" not in variable.path


def as_matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a kernel: (C, H, D) to heads, (H, D, C) from them, or any.

    A convolution's kernel has the axes of its window before that of its outputs.
    """
    if len(shape) == 3 and shape[0] == shape[1] * shape[2]:
        return shape[0], shape[0]
    *rows, columns = shape
    return math.prod(rows), columns
