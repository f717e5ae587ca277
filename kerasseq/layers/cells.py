"""The equations of Keras's recurrent cells, with derivatives worked out by hand.

Shapes: B batch, E input size, H units, G gates.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

Tensors = tuple[tf.Tensor, ...]
Sigmoid = Callable[[tf.Tensor], tf.Tensor]


class Equations(NamedTuple):
    """One step of a cell, and its derivative worked out by hand.

    The gates are computed from two projections, of the input and of the first state.

    Attributes:
        num_kept: number of tensors that `forward` keeps for `backward`.
        num_separate: 1 if the last gate has a different gradient for each of the two
            projections, else 0.
        forward: maps the projected input (B, G*H), the projected state (B, G*H), the
            states and a function that computes the sigmoid to the new states and the
            kept tensors, all (B, H). The first state is the output, within -1 and 1.
        backward: maps the gradients of the new states, the states before the step and
            the kept tensors to three results: the gradients of the gates that are equal
            for both projections, (B, (G - num_separate)*H); those of the separate gate
            for the projected state and for the projected input, each (B, H), or
            nothing; and those of the states before the step, without what flows through
            the projected state.
    """

    num_kept: int
    num_separate: int
    forward: Callable[[tf.Tensor, tf.Tensor, Tensors, Sigmoid], tuple[Tensors, Tensors]]
    backward: Callable[[Tensors, Tensors, Tensors], tuple[tf.Tensor, Tensors, Tensors]]


def _gru_forward(
    x: tf.Tensor, a: tf.Tensor, states: Tensors, sigmoid: Sigmoid
) -> tuple[Tensors, Tensors]:
    (h,) = states
    width = 2 * h.shape[1]
    # Slices, since LiteRT's fast kernels cannot split into unequal sizes.
    update, reset = tf.split(sigmoid(x[:, :width] + a[:, :width]), 2, axis=1)
    a_candidate = a[:, width:]
    candidate = tf.tanh(x[:, width:] + reset * a_candidate)
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
    x: tf.Tensor, a: tf.Tensor, states: Tensors, sigmoid: Sigmoid
) -> tuple[Tensors, Tensors]:
    _, cell = states
    i, f, g, o = tf.split(x + a, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), tf.tanh(g), sigmoid(o)
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
    x: tf.Tensor, a: tf.Tensor, states: Tensors, sigmoid: Sigmoid
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
    """Why EQUATIONS do not cover a cell, or None if they do."""
    if type(cell) not in EQUATIONS:
        return f"{type(cell).__name__} is not in EQUATIONS"
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
    """The kernels and biases of a covered cell.

    Returns:
        kernel (E, G*H) and bias (G*H,) of the inputs, kernel (H, G*H) and bias (G*H,)
        of the state.
    """
    kernel = tf.convert_to_tensor(cell.kernel)
    recurrent_kernel = tf.convert_to_tensor(cell.recurrent_kernel)
    if cell.bias is None:
        # Two tensors, since grappler loses one that tf.custom_gradient takes twice.
        input_bias, recurrent_bias = (
            tf.zeros(kernel.shape[1:], kernel.dtype) for _ in range(2)
        )
    elif len(cell.bias.shape) == 2:
        # Keras's GRU has one bias for the inputs and one for the state.
        input_bias, recurrent_bias = tf.unstack(tf.convert_to_tensor(cell.bias))
    else:
        input_bias = tf.convert_to_tensor(cell.bias)
        recurrent_bias = tf.zeros_like(input_bias)
    return kernel, input_bias, recurrent_kernel, recurrent_bias
