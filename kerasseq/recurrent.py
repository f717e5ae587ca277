"""A recurrent layer with a fast loop for the CPU, around Keras's own cells.

Keras multiplies inputs and weights anew at every step and adds up the weights' gradient
step by step. Here the inputs are multiplied once, before the loop, and the gradient of
the recurrent weights is one product after the backward loop, so that the loops hold
just what must wait for the step before.

Shapes: T steps, B batch, H units, G gates.
"""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

logger = logging.getLogger(__name__)

Tensors = tuple[tf.Tensor, ...]


class Equations(NamedTuple):
    """One step of a cell, and its derivative worked out by hand.

    Attributes:
        forward: from the input's part (B, G*H), the recurrent part (B, G*H) and the
            states to the new states and what the derivative needs, all (B, H); the
            first state is the output.
        backward: from the gradients of the new states, the states before the step and
            what forward kept to the gradients of input part, recurrent part and, as
            far as it does not pass through the recurrent part, of the states before.
    """

    forward: Callable[[tf.Tensor, tf.Tensor, Tensors], tuple[Tensors, Tensors]]
    backward: Callable[
        [Tensors, Tensors, Tensors], tuple[tf.Tensor, tf.Tensor, Tensors]
    ]


def _gru_forward(
    x: tf.Tensor, a: tf.Tensor, states: Tensors
) -> tuple[Tensors, Tensors]:
    (h,) = states
    x_gates, x_candidate = tf.split(x, [2 * h.shape[1], h.shape[1]], axis=1)
    a_gates, a_candidate = tf.split(a, [2 * h.shape[1], h.shape[1]], axis=1)
    update, reset = tf.split(tf.sigmoid(x_gates + a_gates), 2, axis=1)
    candidate = tf.tanh(x_candidate + reset * a_candidate)
    new = candidate + update * (h - candidate)
    return (new,), (update, reset, candidate, a_candidate)


def _gru_backward(
    gradients: Tensors, states: Tensors, kept: Tensors
) -> tuple[tf.Tensor, tf.Tensor, Tensors]:
    (d_new,), (h,) = gradients, states
    update, reset, candidate, a_candidate = kept
    d_update = d_new * (h - candidate) * update * (1 - update)
    d_candidate = d_new * (1 - update) * (1 - candidate * candidate)
    d_reset = d_candidate * a_candidate * reset * (1 - reset)
    return (
        tf.concat([d_update, d_reset, d_candidate], axis=1),
        tf.concat([d_update, d_reset, d_candidate * reset], axis=1),
        (d_new * update,),
    )


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
) -> tuple[tf.Tensor, tf.Tensor, Tensors]:
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
    return d_gates, d_gates, (tf.zeros_like(d_output), d_cell * f)


def _simple_forward(
    x: tf.Tensor, a: tf.Tensor, states: Tensors
) -> tuple[Tensors, Tensors]:
    new = tf.tanh(x + a)
    return (new,), (new,)


def _simple_backward(
    gradients: Tensors, states: Tensors, kept: Tensors
) -> tuple[tf.Tensor, tf.Tensor, Tensors]:
    (d_new,), (new,) = gradients, kept
    d_sum = d_new * (1 - new * new)
    return d_sum, d_sum, (tf.zeros_like(d_new),)


EQUATIONS = {
    keras.layers.GRUCell: Equations(_gru_forward, _gru_backward),
    keras.layers.LSTMCell: Equations(_lstm_forward, _lstm_backward),
    keras.layers.SimpleRNNCell: Equations(_simple_forward, _simple_backward),
}


def run_steps(
    equations: Equations,
    inputs: tf.Tensor,
    states: Tensors,
    recurrent_kernel: tf.Tensor,
    recurrent_bias: tf.Tensor,
) -> tuple[tf.Tensor, Tensors]:
    """Run a cell over all steps, with a derivative of its own.

    Args:
        equations: the cell.
        inputs: (T, B, G*H), the inputs' part of the gates, static T and B.
        states: each (B, H).
        recurrent_kernel: (H, G*H).
        recurrent_bias: (G*H,).

    Returns:
        outputs (T, B, H) and the states after the last step.
    """
    num_steps, batch, gates = inputs.shape
    units = recurrent_kernel.shape[0]
    count = len(states)

    @tf.custom_gradient
    def run(
        inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, *states: tf.Tensor
    ) -> tuple[Tensors, Callable]:
        def step(index: tf.Tensor, states: Tensors, histories: Tensors) -> Tensors:
            a = tf.matmul(states[0], kernel) + bias
            new, kept = equations.forward(inputs[index], a, states)
            row = tf.concat([*new, *kept], axis=1)
            return index + 1, new, histories.write(index, row)

        kept_size = _kept_size(equations, inputs, states)
        width = units * (count + kept_size)
        histories = tf.TensorArray(
            inputs.dtype, num_steps, element_shape=(batch, width)
        )
        _, last, histories = tf.while_loop(
            lambda index, *_: index < num_steps,
            step,
            (tf.constant(0), tuple(states), histories),
            maximum_iterations=num_steps,
        )
        rows = histories.stack()
        outputs = rows[:, :, :units]

        def gradient(d_outputs: tf.Tensor, *d_last: tf.Tensor) -> Tensors:
            before = tf.concat(
                [
                    tf.concat(states, axis=1)[None],
                    rows[:-1, :, : count * units],
                ],
                axis=0,
            )
            transposed = tf.transpose(kernel)

            def back(
                index: tf.Tensor, d_states: Tensors, d_parts: tf.TensorArray
            ) -> tuple:
                kept = tf.split(rows[index, :, count * units :], kept_size, axis=1)
                previous = tuple(tf.split(before[index], count, axis=1))
                d_states = (d_states[0] + d_outputs[index], *d_states[1:])
                d_input, d_recurrent, direct = equations.backward(
                    d_states, previous, tuple(kept)
                )
                through = tf.matmul(d_recurrent, transposed)
                d_parts = d_parts.write(
                    index, tf.concat([d_input, d_recurrent], axis=1)
                )
                return index - 1, (direct[0] + through, *direct[1:]), d_parts

            d_parts = tf.TensorArray(
                inputs.dtype, num_steps, element_shape=(batch, 2 * gates)
            )
            _, d_states, d_parts = tf.while_loop(
                lambda index, *_: index >= 0,
                back,
                (tf.constant(num_steps - 1), tuple(d_last), d_parts),
                maximum_iterations=num_steps,
            )
            d_inputs, d_recurrent = tf.split(d_parts.stack(), 2, axis=2)
            d_recurrent = tf.reshape(d_recurrent, (-1, gates))
            d_kernel = tf.matmul(
                tf.reshape(before[:, :, :units], (-1, units)),
                d_recurrent,
                transpose_a=True,
            )
            d_bias = tf.reduce_sum(d_recurrent, axis=0)
            return d_inputs, d_kernel, d_bias, *d_states

        return (outputs, *last), gradient

    outputs, *last = run(inputs, recurrent_kernel, recurrent_bias, *states)
    return outputs, tuple(last)


def _kept_size(equations: Equations, inputs: tf.Tensor, states: Tensors) -> int:
    """How many (B, H) tensors a step keeps for its derivative."""
    with tf.Graph().as_default():
        blank = [tf.zeros(state.shape, state.dtype) for state in states]
        row = tf.zeros(inputs.shape[1:], inputs.dtype)
        return len(equations.forward(row, row, tuple(blank))[1])


@keras.saving.register_keras_serializable(package="kerasseq")
class FusedRNN(keras.layers.RNN):
    """`keras.layers.RNN` that runs Keras's GRU, LSTM and SimpleRNN cells faster.

    It takes the same arguments and gives the same numbers to float32 rounding. What
    the fast loop does not cover runs on Keras's path: masks, dropout inside the cell,
    other activations, a GRU that resets before the product, backward reading,
    unrolling, zero steps, and batches or lengths that are not static.
    """

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple:
        reason = self._not_covered(sequences, mask, training)
        if reason:
            _log_once(f"{self.name} runs on Keras's own loop: {reason}")
            return super().inner_loop(sequences, initial_state, mask, training)
        cell, bias = self.cell, self.cell.bias
        states = tuple(keras.tree.flatten(initial_state))
        kernel = tf.convert_to_tensor(cell.kernel)
        recurrent_kernel = tf.convert_to_tensor(cell.recurrent_kernel)
        if bias is None:
            input_bias = recurrent_bias = tf.zeros(kernel.shape[1:], kernel.dtype)
        elif isinstance(cell, keras.layers.GRUCell):
            input_bias, recurrent_bias = tf.unstack(tf.convert_to_tensor(bias))
        else:
            input_bias = tf.convert_to_tensor(bias)
            recurrent_bias = tf.zeros_like(input_bias)
        batch, num_steps, size = sequences.shape
        by_step = tf.reshape(tf.transpose(sequences, (1, 0, 2)), (-1, size))
        inputs = tf.matmul(by_step, kernel) + input_bias
        inputs = tf.reshape(inputs, (num_steps, batch, kernel.shape[1]))
        outputs, last = run_steps(
            EQUATIONS[type(cell)], inputs, states, recurrent_kernel, recurrent_bias
        )
        return last[0], tf.transpose(outputs, (1, 0, 2)), list(last)

    def _not_covered(self, sequences: Any, mask: Any, training: bool) -> str | None:
        """Why the fast loop cannot run, or None where it can."""
        cell = self.cell
        if keras.backend.backend() != "tensorflow":
            return "the backend is not TensorFlow"
        if type(cell) not in EQUATIONS:
            return f"{type(cell).__name__} is not one of its cells"
        if mask is not None:
            return "there is a mask"
        if training and (cell.dropout or cell.recurrent_dropout):
            return "the cell has dropout"
        if self.go_backwards or self.unroll:
            return "go_backwards or unroll is set"
        activations = {
            "activation": keras.activations.tanh,
            "recurrent_activation": keras.activations.sigmoid,
        }
        for name, expected in activations.items():
            if getattr(cell, name, expected) is not expected:
                return f"{name} is not {expected.__name__}"
        if not getattr(cell, "reset_after", True):
            return "reset_after is not set"
        if not all(sequences.shape[:2]):
            return "batch or length is not static"
        return None


_logged: set[str] = set()


def _log_once(message: str) -> None:
    if message not in _logged:
        _logged.add(message)
        logger.info(message)
