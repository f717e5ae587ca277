"""Keras's Muon for attention's kernels too, which have an axis for the heads."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="kerasseq")
class Muon(keras.optimizers.Muon):
    """`keras.optimizers.Muon` that takes kernels with heads for the matrices they are.

    Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks": a
    matrix moves along the nearest orthogonal matrix to its momentum, so that directions
    that are seldom seen are learned as fast as others. Embeddings and vectors are
    Adam's. Arguments are those of Keras's.
    """

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) < 2 or "embedding" in variable.path

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        matrix = keras.ops.reshape(x, as_matrix(x.shape))
        return keras.ops.reshape(
            super().zeropower_via_newtonschulz5(matrix, steps), x.shape
        )

    def lr_adjust(self, x: Any) -> Any:
        return x * (max(as_matrix(x.shape)) ** 0.5 * self.rms_rate)


def as_matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a kernel: (C, H, D) to heads, (H, D, C) from them, or 2-D."""
    if len(shape) == 3:
        first, second, third = shape
        if first == second * third:
            return first, second * third
        return first * second, third
    rows, columns = shape
    return rows, columns
