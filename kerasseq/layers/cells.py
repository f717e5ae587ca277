"""The equations of Keras's recurrent cells, with derivatives worked out by hand.

Shapes: B batch, E input size, H units, G gates.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

Tensors = tuple[tf.Tensor, ...]


class Equations(NamedTuple):
    """One step of a cell, and its derivative worked out by hand.

    Attributes:
        num_kept: how many tensors forward keeps.
        num_apart: how many gates, the last ones, have other gradients in the input's
            part than in the recurrent part.
        forward: from the input's part (B, G*H), the recurrent part (B, G*H) and the
            states to the new states and what the derivative needs, all (B, H); the
            first state is the output.
        backward: from the gradients of the new states, the states before the step and
            what forward kept to three gradients: of the gates in both parts, but for
            those apart, (B, (G - num_apart)*H); of those apart in the recurrent part
            and in the input's part, each (B, H), or nothing; and of the states before,
            as far as it does not pass through the recurrent part.
    """

    num_kept: int
    num_apart: int
    forward: Callable[[tf.Tensor, tf.Tensor, Tensors], tuple[Tensors, Tensors]]
    backward: Callable[[Tensors, Tensors, Tensors], tuple[tf.Tensor, Tensors, Tensors]]


def _gru_forward(
    x: tf.Tensor, a: tf.Tensor, states: Tensors
) -> tuple[Tensors, Tensors]:
    (h,) = states
    two = 2 * h.shape[1]
    # Slices, since LiteRT's fast kernels have no split into unequal parts.
    update, reset = tf.split(tf.sigmoid(x[:, :two] + a[:, :two]), 2, axis=1)
    a_candidate = a[:, two:]
    candidate = tf.tanh(x[:, two:] + reset * a_candidate)
    new = candidate + update * (h - candidate)
    return (new,), (update, reset, candidate, a_candidate)


def _gru_backward(
    gradients: Tensors, states: Tensors, kept: Tensors
) -> tuple[tf.Tensor, Tensors, Tensors]:
    (d_new,), (h,) = gradients, states
    update, reset, candidate, a_candidate = kept
    d_update = d_new * (h - candidate) * update * (1 - update)
    d_candidate = d_new * (1 - update) * (1 - candidate * candidate)
    d_reset = d_candidate * a_candidate * reset * (1 - reset)
    d_shared = tf.concat([d_update, d_reset], axis=1)
    return d_shared, (d_candidate * reset, d_candidate), (d_new * update,)


def _lstm_forward(
    x: tf.Tensor, a: tf.Tensor, states: Tensors
) -> tuple[Tensors, Tensors]:
    _, cell = states
    i, f, g, o = tf.split(x + a, 4, axis=1)
    i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
    cell = f * cell + i * g
    squashed = tf.tanh(cell)
    return (o * squashed, cell), (i, f, g, o, squashed)


def _lstm_backward(
    gradients: Tensors, states: Tensors, kept: Tensors
) -> tuple[tf.Tensor, Tensors, Tensors]:
    (d_output, d_cell), (_, cell) = gradients, states
    i, f, g, o, squashed = kept
    d_cell += d_output * o * (1 - squashed * squashed)
    d_gates = tf.concat(
        [
            d_cell * g * i * (1 - i),
            d_cell * cell * f * (1 - f),
            d_cell * i * (1 - g * g),
            d_output * squashed * o * (1 - o),
        ],
        axis=1,
    )
    return d_gates, (), (tf.zeros_like(d_output), d_cell * f)


def _simple_forward(
    x: tf.Tensor, a: tf.Tensor, states: Tensors
) -> tuple[Tensors, Tensors]:
    new = tf.tanh(x + a)
    return (new,), (new,)


def _simple_backward(
    gradients: Tensors, states: Tensors, kept: Tensors
) -> tuple[tf.Tensor, Tensors, Tensors]:
    (d_new,), (new,) = gradients, kept
    return d_new * (1 - new * new), (), (tf.zeros_like(d_new),)


EQUATIONS = {
    keras.layers.GRUCell: Equations(4, 1, _gru_forward, _gru_backward),
    keras.layers.LSTMCell: Equations(5, 0, _lstm_forward, _lstm_backward),
    keras.layers.SimpleRNNCell: Equations(1, 0, _simple_forward, _simple_backward),
}


def why_not_covered(cell: keras.Layer) -> str | None:
    """Why a cell is not one that EQUATIONS describe, or None where it is."""
    if type(cell) not in EQUATIONS:
        return f"{type(cell).__name__} is not one of its cells"
    activations = {
        "activation": keras.activations.tanh,
        "recurrent_activation": keras.activations.sigmoid,
    }
    for name, expected in activations.items():
        if getattr(cell, name, expected) is not expected:
            return f"{name} is not {expected.__name__}"
    if not getattr(cell, "reset_after", True):
        return "reset_after is not set"
    return None


def cell_weights(cell: keras.Layer) -> Tensors:
    """What a covered cell multiplies by and adds.

    Returns:
        kernel (E, G*H) and bias (G*H,) for the inputs, kernel (H, G*H) and bias (G*H,)
        for the state.
    """
    kernel = tf.convert_to_tensor(cell.kernel)
    recurrent_kernel = tf.convert_to_tensor(cell.recurrent_kernel)
    if cell.bias is None:
        # Two tensors: what tf.custom_gradient takes twice, grappler loses.
        input_bias, recurrent_bias = (
            tf.zeros(kernel.shape[1:], kernel.dtype) for _ in range(2)
        )
    elif len(cell.bias.shape) == 2:
        # Keras's GRU has a bias on both sides.
        input_bias, recurrent_bias = tf.unstack(tf.convert_to_tensor(cell.bias))
    else:
        input_bias = tf.convert_to_tensor(cell.bias)
        recurrent_bias = tf.zeros_like(input_bias)
    return kernel, input_bias, recurrent_kernel, recurrent_bias
