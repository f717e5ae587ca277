"""Keras's recurrent layers with a fast loop for the CPU, around Keras's own cells.

Keras multiplies inputs and weights anew at every step and adds up the weights' gradient
step by step. Here the inputs are multiplied once, before the loop, and the gradients of
the weights are products after the backward loop, so that the loops hold just what must
wait for the step before. What is as large as all steps' gates is read and written as
seldom as can be: at these sizes that costs as much as the products do.

Shapes: T steps, B batch, E input size, H units, G gates.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from kerasseq.layers.cells import (
    EQUATIONS,
    Equations,
    Tensors,
    cell_weights,
    why_not_covered,
)
from kerasseq.layers.checks import check_chance

logger = logging.getLogger(__name__)


def run_steps(
    equations: Equations, inputs: tf.Tensor, states: Tensors, weights: Tensors
) -> tuple[tf.Tensor, Tensors]:
    """Run a cell over all steps, with a derivative of its own.

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
    apart = equations.num_apart

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
            new, kept = equations.forward(projected[index] + bias, recurrent, states)
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
                d_shared, d_apart, direct = equations.backward(
                    (d_states[0] + d_outputs[index], *d_states[1:]),
                    tuple(state[index] for state in before),
                    tuple(values[index] for values in kept),
                )
                d_recurrent = tf.concat([d_shared, *d_apart[:1]], axis=1)
                through = tf.matmul(d_recurrent, transposed)
                return (direct[0] + through, *direct[1:]), (d_shared, *d_apart)

            steps = range(num_steps - 1, -1, -1)
            widths = [width - apart * units] + [units] * (2 * apart)
            d_states, rows = _loop(steps, back, tuple(d_last), batch, widths)
            # One array each, never joined: a copy of all steps' gates takes longer
            # than the two products in the place of one.
            d_shared, *d_apart = (tf.reshape(row, (-1, row.shape[2])) for row in rows)
            d_recurrent, d_projected = (
                [d_shared, *d_apart[part : part + 1]] for part in (0, 1)
            )
            d_inputs = tf.add_n(
                [
                    tf.matmul(gates, part, transpose_b=True)
                    for gates, part in zip(
                        d_projected,
                        tf.split(kernel, [each.shape[1] for each in d_projected], 1),
                        strict=True,
                    )
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
    """Gradients of a kernel and a bias, from inputs and their products' gradients."""
    products = [tf.matmul(inputs, part, transpose_a=True) for part in d_gates]
    sums = [tf.reduce_sum(part, axis=0) for part in d_gates]
    return tf.concat(products, axis=1), tf.concat(sums, axis=0)


def _loop(
    steps: range,
    body: Callable[[tf.Tensor, Tensors], tuple[Tensors, Tensors]],
    states: Tensors,
    batch: int,
    widths: Sequence[int],
) -> tuple[Tensors, Tensors]:
    """Hand states from step to step, and keep what each step gives beside them.

    Every kept tensor has an array of its own: to join them to one row would cost more
    time than a step's elementwise operations.

    Args:
        steps: the indices, in the order in which they run.
        body: from an index and states to new states and what to keep.
        states: the first step's.
        batch: B.
        widths: for each kept tensor (B, W) its W.

    Returns:
        The states after the last step, and what was kept, each (T, B, W) by index.
    """

    def turn(count: tf.Tensor, states: Tensors, arrays: tuple) -> tuple:
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
        turn,
        (tf.constant(0), states, arrays),
        maximum_iterations=len(steps),
    )
    return states, tuple(array.stack() for array in arrays)


class FastLoop(keras.layers.RNN):
    """What the layers below share: the fast loop, and what a stateful model needs.

    Keras's own loop runs where the fast one does not apply: masks, dropout inside the
    cell, other activations, a GRU that resets before the product, backward reading,
    unrolling, and batches or lengths that are not static.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The loop reads weights as they are; Keras's loop leaves casting to the cell.
        self.autocast = False

    def state_shapes(self, batch_size: int) -> list[tuple[int, int]]:
        """The shapes of the states; they are zeros at the start."""
        return [(batch_size, size) for size in self.state_size]

    def step(
        self, x: tf.Tensor, states: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Read one more step (B, E): the output (B, H) and the states after it."""
        output, states = self.cell(x, list(states))
        return output, keras.tree.flatten(states)

    def carrying(self, reset_rate: float, seed: int) -> "FusedRNN":
        """A twin that shares the weights and keeps its state between calls."""
        return FusedRNN(
            self.cell,
            reset_rate,
            seed,
            return_sequences=True,
            stateful=True,
            name=self.name,
            dtype=self.dtype_policy,
        )

    def describe(self, count: int) -> dict[str, Any]:
        """The sizes of so many layers, as a card has them."""
        return {
            "cell": type(self.cell).__name__.removesuffix("Cell"),
            "units": self.state_size[0],
            "layers": count,
        }

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple:
        reason = self._not_covered(sequences, mask, training)
        if reason:
            _log_once(f"{self.name} runs on Keras's own loop: {reason}")
            return super().inner_loop(sequences, initial_state, mask, training)
        # Half precision would lose small changes of the states and of the weights'
        # gradients, and takes longer: CPUs add up halves slowly.
        states, weights, (inputs,) = (
            tuple(tf.cast(each, self.variable_dtype) for each in values)
            for values in (
                keras.tree.flatten(initial_state),
                cell_weights(self.cell),
                [tf.transpose(sequences, (1, 0, 2))],
            )
        )
        outputs, last = run_steps(EQUATIONS[type(self.cell)], inputs, states, weights)
        return last[0], tf.transpose(outputs, (1, 0, 2)), list(last)

    def _not_covered(self, sequences: Any, mask: Any, training: bool) -> str | None:
        """Why the fast loop cannot run, or None where it can."""
        if keras.backend.backend() != "tensorflow":
            return "the backend is not TensorFlow"
        if reason := why_not_covered(self.cell):
            return reason
        if mask is not None:
            return "there is a mask"
        rates = "dropout", "recurrent_dropout"
        if training and any(getattr(self.cell, rate, 0.0) for rate in rates):
            return "the cell has dropout"
        if self.go_backwards or self.unroll:
            return "go_backwards or unroll is set"
        if not all(sequences.shape[:2]):
            return "batch or length is not static"
        return None


@keras.saving.register_keras_serializable(package="kerasseq")
class FusedRNN(FastLoop):
    """`keras.layers.RNN` that runs Keras's GRU, LSTM and SimpleRNN cells faster.

    It takes the same arguments and gives the same numbers to float32 rounding; so do
    the layers below. Two of them around one cell share its weights.

    Args:
        cell: of Keras.
        reset_rate: the chance that a sequence of a training batch starts with a state
            of zeros, so that the model also learns to start cold.
        seed: of that choice; layers with the same seed reset the same sequences.
        **kwargs: of `keras.layers.RNN`.
    """

    def __init__(
        self, cell: keras.Layer, reset_rate: float = 0.0, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(cell, **kwargs)
        check_chance(reset_rate=reset_rate)
        self.reset_rate = reset_rate
        self.seed = seed
        if reset_rate:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple:
        if training and self.reset_rate:
            chances = keras.random.uniform(
                (keras.ops.shape(sequences)[0], 1), seed=self.seed_generator
            )
            initial_state = keras.tree.map_structure(
                lambda state: keras.ops.where(chances < self.reset_rate, 0.0, state),
                initial_state,
            )
        return super().inner_loop(sequences, initial_state, mask, training)

    # Keras leaves the states out of files: a loaded model would begin cold.
    def save_own_variables(self, store: dict[str, Any]) -> None:
        super().save_own_variables(store)
        for index, state in enumerate(self.states or []):
            store[f"state_{index}"] = state

    def load_own_variables(self, store: dict[str, Any]) -> None:
        for index, state in enumerate(self.states or []):
            saved = store[f"state_{index}"] if f"state_{index}" in store else None
            # A model for another number of texts begins cold.
            if saved is not None and saved.shape == state.shape:
                state.assign(saved)

    def get_config(self) -> dict[str, Any]:
        own = {"reset_rate": self.reset_rate, "seed": self.seed}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="kerasseq")
class GRU(FastLoop, keras.layers.GRU):
    """`keras.layers.GRU`, faster: its arguments, its weights and its numbers."""


@keras.saving.register_keras_serializable(package="kerasseq")
class LSTM(FastLoop, keras.layers.LSTM):
    """`keras.layers.LSTM`, faster: its arguments, its weights and its numbers."""


@keras.saving.register_keras_serializable(package="kerasseq")
class SimpleRNN(FastLoop, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN`, faster: its arguments, weights and numbers."""


_logged: set[str] = set()


def _log_once(message: str) -> None:
    if message not in _logged:
        _logged.add(message)
        logger.info(message)
