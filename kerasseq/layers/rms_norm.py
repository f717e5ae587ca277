"""Root-mean-square normalization in a form that an export keeps."""

from typing import Any

import keras

from kerasseq.layers.attention import Tensor


@keras.saving.register_keras_serializable(package="kerasseq")
class RMSNorm(keras.layers.RMSNormalization):
    """`keras.layers.RMSNormalization` that multiplies by its scale first.

    TFLite's converter folds a scale that comes last into the matrix that follows. A
    matrix with other uses, such as an embedding that also computes the logits, would
    then be stored twice.

    Args:
        **kwargs: those of `keras.layers.RMSNormalization`.

    Call arguments:
        x: (..., C).

    Returns:
        (..., C).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Tensor) -> Tensor:
        # In half precision, large squares overflow.
        exact = keras.ops.cast(x, "float32")
        mean = keras.ops.mean(keras.ops.square(exact), axis=self.axis, keepdims=True)
        scaled = exact * keras.ops.cast(self.scale, "float32")
        return keras.ops.cast(scaled * keras.ops.rsqrt(mean + self.epsilon), x.dtype)
