"""A fast loop over the steps of a recurrent layer, with a gradient written by hand.

Keras multiplies the inputs by the kernel at every step, and adds up the gradients of
the weights step by step. Here one product before the loop serves all steps, and the
gradients of the weights are products after the backward loop, so that the loops hold
only what depends on the previous step. Tensors with the gates of all steps are read and
written as rarely as possible: at these sizes, that costs as much as the products.

Shapes: T steps, B batch, E input size, H units, G gates.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from kerasseq.layers.cells import Equations, Tensors


def run_steps(
    equations: Equations, inputs: tf.Tensor, states: Tensors, weights: Tensors
) -> tuple[tf.Tensor, Tensors]:
    """Run a cell over all steps, with a gradient written by hand.

    Args:
        equations: the cell.
        inputs: (T, B, E), static T and B.
        states: each (B, H).
        weights: from `cell_weights`.

    Returns:
        outputs (T, B, H) and the states after the last step.
    """
    num_steps, batch, size = inputs.shape
    units, width = weights[2].shape
    num_separate = equations.num_separate

    @tf.custom_gradient
    def run(
        inputs: tf.Tensor,
        kernel: tf.Tensor,
        bias: tf.Tensor,
        recurrent_kernel: tf.Tensor,
        recurrent_bias: tf.Tensor,
        *states: tf.Tensor,
    ) -> tuple[Tensors, Callable]:
        flat_inputs = tf.reshape(inputs, (-1, size))
        projected = tf.matmul(flat_inputs, kernel)
        projected = tf.reshape(projected, (num_steps, batch, width))

        def step(index: tf.Tensor, states: Tensors) -> tuple[Tensors, Tensors]:
            recurrent = tf.matmul(states[0], recurrent_kernel) + recurrent_bias
            new, kept = equations.forward(
                projected[index] + bias, recurrent, states, tf.sigmoid
            )
            return new, (*new, *kept)

        widths = [units] * (len(states) + equations.num_kept)
        last, rows = _loop(range(num_steps), step, tuple(states), batch, widths)
        histories, kept = rows[: len(states)], rows[len(states) :]

        def gradient(d_outputs: tf.Tensor, *d_last: tf.Tensor) -> Tensors:
            before = [
                tf.concat([state[None], history[:-1]], axis=0)
                for state, history in zip(states, histories, strict=True)
            ]
            transposed = tf.transpose(recurrent_kernel)

            def back(index: tf.Tensor, d_states: Tensors) -> tuple[Tensors, Tensors]:
                d_shared, d_separate, direct = equations.backward(
                    (d_states[0] + d_outputs[index], *d_states[1:]),
                    tuple(state[index] for state in before),
                    tuple(values[index] for values in kept),
                )
                d_recurrent = tf.concat([d_shared, *d_separate[:1]], axis=1)
                through = tf.matmul(d_recurrent, transposed)
                return (direct[0] + through, *direct[1:]), (d_shared, *d_separate)

            steps = range(num_steps - 1, -1, -1)
            widths = [width - num_separate * units] + [units] * (2 * num_separate)
            d_states, rows = _loop(steps, back, tuple(d_last), batch, widths)
            # The arrays stay separate: joining the gates of all steps takes longer than
            # two products instead of one.
            d_shared, *d_separate = (
                tf.reshape(row, (-1, row.shape[2])) for row in rows
            )
            d_recurrent = [d_shared, *d_separate[:1]]
            d_projected = [d_shared, *d_separate[1:]]
            columns = tf.split(kernel, [gates.shape[1] for gates in d_projected], 1)
            d_inputs = tf.add_n(
                [
                    tf.matmul(gates, kernel, transpose_b=True)
                    for gates, kernel in zip(d_projected, columns, strict=True)
                ]
            )
            flat_before = tf.reshape(before[0], (-1, units))
            return (
                tf.reshape(d_inputs, inputs.shape),
                *_weight_gradients(flat_inputs, d_projected),
                *_weight_gradients(flat_before, d_recurrent),
                *d_states,
            )

        return (histories[0], *last), gradient

    outputs, *last = run(inputs, *weights, *states)
    return outputs, tuple(last)


def _weight_gradients(inputs: tf.Tensor, d_gates: Sequence[tf.Tensor]) -> Tensors:
    """Gradients of a kernel and a bias, from the inputs and the gates' gradients."""
    products = [tf.matmul(inputs, gates, transpose_a=True) for gates in d_gates]
    sums = [tf.reduce_sum(gates, axis=0) for gates in d_gates]
    return tf.concat(products, axis=1), tf.concat(sums, axis=0)


def _loop(
    steps: range,
    body: Callable[[tf.Tensor, Tensors], tuple[Tensors, Tensors]],
    states: Tensors,
    batch: int,
    widths: Sequence[int],
) -> tuple[Tensors, Tensors]:
    """Pass states from step to step, and collect each step's other results.

    Each collected tensor has its own array: joining them into one row would take longer
    than the elementwise operations of a step.

    Args:
        steps: the indices, in their order.
        body: maps an index and the states to the new states and the other results.
        states: those before the first step.
        batch: B.
        widths: W of each collected tensor (B, W).

    Returns:
        The states after the last step, and the collected tensors (T, B, W), by index.
    """

    def iterate(count: tf.Tensor, states: Tensors, arrays: tuple) -> tuple:
        index = steps.start + steps.step * count
        states, rows = body(index, states)
        pairs = zip(arrays, rows, strict=True)
        return count + 1, states, tuple(a.write(index, row) for a, row in pairs)

    arrays = tuple(
        tf.TensorArray(states[0].dtype, len(steps), element_shape=(batch, width))
        for width in widths
    )
    _, states, arrays = tf.while_loop(
        lambda count, *_: count < len(steps),
        iterate,
        (tf.constant(0), states, arrays),
        maximum_iterations=len(steps),
    )
    return states, tuple(array.stack() for array in arrays)
