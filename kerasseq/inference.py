"""One step of a character model, laid out anew for one character at a time.

In training, layers read whole batches of sequences; on a device each character waits
for the one before it, and an operation costs as much as what it computes. What is
exported gives the same numbers from the same weights with few and large operations.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from kerasseq.generation import States
from kerasseq.recurrent import EQUATIONS, Equations, cell_weights, why_not_covered


class Layer(NamedTuple):
    """A recurrent layer.

    Attributes:
        equations: of its cell.
        kernel, bias: (E, G*H) and (G*H,), from the standardized inputs to the gates;
            None for the first layer where the table has done that.
        recurrent_kernel, recurrent_bias: (H, G*H) and (G*H,).
        num_states: how many tensors the cell carries.
    """

    equations: Equations
    kernel: tf.Variable | None
    bias: tf.Variable | None
    recurrent_kernel: tf.Variable
    recurrent_bias: tf.Variable
    num_states: int


class InferenceStep(tf.Module):
    """A step function on a copy of a model's weights: further training changes nothing.

    Called with a token int32 (1,) and states (1, H), it gives logits float32 (1, V)
    and the new states.

    Args:
        model: from `build_char_rnn`.

    Raises:
        ValueError: a layer's cell, or an option of it, is not covered.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        embedding, *layers, dense = (
            layer
            for layer in model.layers[1:]
            if not isinstance(layer, keras.layers.Dropout | keras.layers.Add)
        )
        *blocks, last_norm = layers
        norms = [*blocks[::2], last_norm]
        if any(type(norm) is not keras.layers.LayerNormalization for norm in norms):
            names = ", ".join(layer.name for layer in model.layers)
            raise ValueError(
                f"the layers {names} are not those that build_char_rnn makes; train "
                "the model anew"
            )
        # A character's row of the table is standardized once and for all.
        table = standardize(
            tf.convert_to_tensor(embedding.embeddings), norms[0].epsilon
        )
        self._layers: list[Layer] = []
        for norm, layer in zip(norms, blocks[1::2], strict=False):
            if reason := why_not_covered(layer.cell):
                raise ValueError(f"layer {layer.name} cannot be exported: {reason}")
            kernel, bias, recurrent_kernel, recurrent_bias = cell_weights(layer.cell)
            kernel, bias = _after_norm(norm, kernel, bias)
            # What it adds to the first gates is a row too, and takes the place of
            # embedding and kernel where it is smaller than the two.
            smaller = len(table) * kernel.shape[1] < tf.size(table) + tf.size(kernel)
            folded = smaller and not self._layers
            if folded:
                table = table @ kernel + bias
            self._layers.append(
                Layer(
                    EQUATIONS[type(layer.cell)],
                    None if folded else _copy(kernel),
                    None if folded else _copy(bias),
                    _copy(recurrent_kernel),
                    _copy(recurrent_bias),
                    len(layer.state_size),
                )
            )
        self._epsilon = last_norm.epsilon
        self._table = _copy(table)
        kernel, bias = _after_norm(last_norm, dense.kernel, dense.bias)
        self._kernel, self._bias = _copy(kernel), _copy(bias)

    def __call__(self, token: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        x, remaining = tf.gather(self._table, token), tuple(states)
        new_states: States = []
        for index, layer in enumerate(self._layers):
            before, remaining = (
                remaining[: layer.num_states],
                remaining[layer.num_states :],
            )
            gates = standardize(x, self._epsilon) if index else x
            if layer.kernel is not None:
                gates = gates @ layer.kernel + layer.bias
            recurrent = before[0] @ layer.recurrent_kernel + layer.recurrent_bias
            after, _ = layer.equations.forward(gates, recurrent, before)
            new_states += after
            x = x + after[0] if index else after[0]
        x = standardize(x, self._epsilon)
        return x @ self._kernel + self._bias, new_states


def standardize(x: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Give each row a mean of 0 and a variance of 1: what a norm does before its scale.

    Args:
        x: (N, H).
        epsilon: added to the variance.

    Returns:
        (N, H).
    """
    centered = x - tf.reduce_mean(x, axis=1, keepdims=True)
    variance = tf.reduce_mean(centered * centered, axis=1, keepdims=True)
    return centered * tf.math.rsqrt(variance + epsilon)


def _after_norm(
    norm: keras.layers.LayerNormalization, kernel: tf.Tensor, bias: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Kernel and bias for standardized rows, with a norm's scale and offset in them."""
    kernel, bias = tf.convert_to_tensor(kernel), tf.convert_to_tensor(bias)
    scale, offset = map(tf.convert_to_tensor, (norm.gamma, norm.beta))
    return scale[:, None] * kernel, bias + tf.linalg.matvec(kernel, offset, True)


def _copy(weights: tf.Tensor) -> tf.Variable:
    return tf.Variable(tf.cast(weights, tf.float32), trainable=False)
