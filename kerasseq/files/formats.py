"""The number formats of weights in a `.tflite`, one row each."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from kerasseq.files.int4 import quantize_recurrent_kernels
from kerasseq.files.shared_weights import share_gathered_weights


class Format(NamedTuple):
    """How weights are stored, and what that may cost.

    Attributes:
        bytes_per_parameter: the limit on a file's size, without its graph.
        bytes_per_row: what each row of a matrix adds to it: its scale, its zero point
            and what its bias, in float32, has more than another parameter.
        loss: nats a character, or a word, by which a file may be worse than Keras.
        quantize: whether the converter quantizes weights; computation stays in float32.
        types: the type of quantized weights; empty for int8, with a scale for each row.
        steps: functions applied to the flatbuffer afterwards, in this order.
        recurrent: whether the format is only for models with a recurrent state.
        optional: whether a file that fails its checks is left out, and no error.
    """

    bytes_per_parameter: float
    loss: float
    bytes_per_row: int = 0
    quantize: bool = False
    types: tuple[tf.DType, ...] = ()
    steps: tuple[Callable[[bytes], bytes], ...] = ()
    recurrent: bool = False
    optional: bool = False

    @property
    def integers(self) -> bool:
        """Whether matrices are integers, by which runtimes multiply rounded inputs."""
        return self.quantize and not self.types


FORMATS = {
    "float32": Format(4.1, 1e-4),
    "float16": Format(2.1, 1e-3, quantize=True, types=(tf.float16,)),
    "int8": Format(1.1, 1e-2, 15, quantize=True, steps=(share_gathered_weights,)),
    # Four bits are too few for some models.
    "int4": Format(
        1.1,
        1e-2,
        15,
        quantize=True,
        steps=(share_gathered_weights, quantize_recurrent_kernels),
        recurrent=True,
        optional=True,
    ),
}
