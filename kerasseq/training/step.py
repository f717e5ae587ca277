"""A training step: gradients of parts of a batch side by side, their sum, one update.

XLA runs the operations of a program one after another, and those of a small model are
too short for two threads. Two programs run at the same time, each with half of the
rows, and share nothing until their gradients are added. So do several machines.

Shapes: B rows of a batch, N parts of it.
"""

import math
import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from kerasseq.layers.recurrent import has_gpu
from kerasseq.training.model_state import carried_states, carrying_layers
from kerasseq.training.workers import workers

# With fewer rows, reading the weights takes longer than the products; and so it does
# for each step of recurrent layers with larger kernels (an LSTM of 724 units).
LEAST_ROWS = 8
LARGEST_RECURRENT_KERNEL = 2**21
# Workers send gradients rounded: half the bytes of float32, with its range. Two of them
# reach the same loss.
ON_THE_LINE = tf.bfloat16
# Parts have other random numbers: their seeds lie this far apart.
SEEDS_APART = 1_000_003


def count_cores() -> int:
    """The cores that this process may use; one where a GPU computes."""
    if has_gpu():
        return 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def count_parts(rows: int | None) -> int:
    """N, the parts of a batch: at most one for each core, with as many rows each.

    Args:
        rows: B; None if it varies, which is a part for each core.
    """
    cores = count_cores()
    if rows is None:
        return cores
    most = min(cores, rows // LEAST_ROWS)
    return next((n for n in range(most, 1, -1) if rows % n == 0), 1)


def _parts_of_stateful(model: keras.Model) -> int | None:
    """N of a model that carries states; None for others, whose batches decide it."""
    layers = carrying_layers(model)
    if not layers:
        return None
    large = any(
        math.prod(each.shape) > LARGEST_RECURRENT_KERNEL
        for each in model.trainable_variables
        if each.name == "recurrent_kernel"
    )
    # Keras's own stateful layers have no twin for fewer rows.
    if large or not all(hasattr(layer, "stateful_twin") for layer in layers):
        return 1
    return count_parts(model.inputs[0].shape[0])


class TrainStep:
    """What `fit` calls for each batch, in place of Keras's `train_step`.

    The numbers are those of Keras's step but for rounding, and for the random numbers
    of dropout. They are the same bits whenever the number of cores is.

    Args:
        model: functional, compiled; its loss is a mean over the weights of its samples.
        parts: N; None for as many as there are cores.

    Call arguments:
        data: inputs, targets and perhaps weights, as `fit` gives them.

    Returns:
        The mean loss of the epoch so far, by its name.
    """

    def __init__(self, model: keras.Model, parts: int | None = None) -> None:
        self.model = model
        self.jit_compile = model.jit_compile
        self.parts = parts or _parts_of_stateful(model)
        self._workers = workers()
        # XLA would run the parts one after another inside one program.
        model.jit_compile = False
        # Made now, since a function that is traced can make no variables.
        model.optimizer.build(model.trainable_variables)
        self._part = model
        rows = model.inputs[0].shape[0]
        if carrying_layers(model) and self.parts != 1:
            self._part = _with_rows(model, rows // self.parts)
        compiled = tf.function(jit_compile=self.jit_compile, autograph=False)
        self._compiled_gradients = compiled(self._gradients)
        self._compiled_update = compiled(self._update)
        self._compiled_flat = compiled(self._flat)

    def __call__(self, data: Any) -> dict[str, tf.Tensor]:
        first = keras.tree.flatten(data)[0]
        parts = self.parts or count_parts(first.shape[0])
        # Values, not variables: a program locks the variables that it reads, so that
        # another would wait for it.
        trainable = [each.value for each in self.model.trainable_variables]
        others = _other_variables(self.model)
        carried = [
            whole.shape != own.shape
            for whole, own in zip(others, _other_variables(self._part), strict=True)
        ]
        found = []
        before = self._workers.rank * parts  # parts of other workers
        for index in range(parts):
            rows = keras.tree.map_structure(partial(_rows, index, parts), data)
            states = [
                _rows(index, parts, each.value)
                if is_carried
                else _seed(each, each.value, before + index)
                for each, is_carried in zip(others, carried, strict=True)
            ]
            found.append(self._compiled_gradients(rows, trainable, states))
        *own, new_states = zip(*found, strict=True)
        for each, is_carried, *values in zip(others, carried, *new_states, strict=True):
            each.assign(
                tf.concat(values, 0) if is_carried else _seed(each, values[0], -before)
            )
        summed = self._of_all(*own) if self._workers.count > 1 else own
        self._compiled_update(*summed, tf.shape(first)[0])
        return self.model.get_metrics_result()

    def _gradients(
        self, data: Any, trainable: Sequence[tf.Tensor], states: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
        """The mean loss of some rows, its weight, its gradients, and the new states."""
        inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
        others = _other_variables(self._part)
        values = [
            *zip(self._part.trainable_variables, trainable, strict=True),
            *zip(others, states, strict=True),
        ]
        with tf.GradientTape() as tape:
            tape.watch(trainable)
            with keras.StatelessScope(values) as scope:
                outputs = self._part(inputs, training=True)
            loss = self.model.compute_loss(
                inputs, targets, outputs, weights, training=True
            )
            scaled = self.model.optimizer.scale_loss(loss)
        gradients = tape.gradient(
            scaled, trainable, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        total = tf.reduce_sum(weights if weights is not None else tf.ones_like(targets))
        return (
            loss,
            tf.cast(total, loss.dtype),
            [tf.convert_to_tensor(gradient) for gradient in gradients],
            [scope.get_current_value(each) for each in others],
        )

    def _of_all(self, *own: Any) -> tuple[Sequence[Any], ...]:
        """Losses, weights and gradients of all workers' rows, as those of one part."""
        # Not inside XLA, which has no sums over processes on the CPU.
        flat, sums = map(self._workers.sum, self._compiled_flat(*own))
        loss, weight = tf.unstack(sums)
        mean = tf.math.divide_no_nan(tf.cast(flat, tf.float32), weight)
        variables = self.model.trainable_variables
        sizes = [each.shape.num_elements() for each in variables]
        shaped = [
            tf.cast(tf.reshape(gradient, variable.shape), variable.dtype)
            for gradient, variable in zip(tf.split(mean, sizes), variables, strict=True)
        ]
        return [tf.math.divide_no_nan(loss, weight)], [weight], [shaped]

    def _flat(
        self,
        losses: Sequence[tf.Tensor],
        weights: Sequence[tf.Tensor],
        gradients: Sequence[Sequence[tf.Tensor]],
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What workers add up: gradients and loss, both times weight, and weight."""
        shares = [tf.cast(each, tf.float32) for each in weights]

        def total(values: Sequence[tf.Tensor]) -> tf.Tensor:
            pairs = zip(values, shares, strict=True)
            return tf.add_n([tf.cast(value, tf.float32) * w for value, w in pairs])

        same = [tf.reshape(total(each), [-1]) for each in zip(*gradients, strict=True)]
        sums = tf.stack([total(losses), tf.add_n(shares)])
        # Whether sums over GPUs can have another dtype was not tried.
        line = tf.float32 if has_gpu() else ON_THE_LINE
        return tf.cast(tf.concat(same, 0), line), sums

    def _update(
        self,
        losses: Sequence[tf.Tensor],
        weights: Sequence[tf.Tensor],
        gradients: Sequence[Sequence[tf.Tensor]],
        rows: tf.Tensor,
    ) -> None:
        """Take the step along the mean of the parts' gradients, and note their loss."""
        shares = tf.math.divide_no_nan(tf.stack(weights), tf.add_n(weights))

        def mean(values: Sequence[tf.Tensor]) -> tf.Tensor:
            return tf.add_n(
                [
                    tf.cast(shares[index], value.dtype) * value
                    for index, value in enumerate(values)
                ]
            )

        self.model.optimizer.apply_gradients(
            zip(
                map(mean, zip(*gradients, strict=True)),
                self.model.trainable_variables,
                strict=True,
            )
        )
        (tracker,) = (each for each in self.model.metrics if each.name == "loss")
        tracker.update_state(mean(losses), sample_weight=rows)


def _rows(index: int, parts: int, array: tf.Tensor) -> tf.Tensor:
    """A part's rows of an array; the last part has what is over."""
    if parts == 1:
        return array
    size = (array.shape[0] or tf.shape(array)[0]) // parts
    return array[index * size : None if index == parts - 1 else (index + 1) * size]


def _with_rows(model: keras.Model, rows: int) -> keras.Model:
    """A twin that shares the weights of a stateful model, for fewer rows."""
    (inputs,) = model.inputs

    def twin(layer: keras.Layer) -> keras.Layer:
        if not getattr(layer, "stateful", False):
            return layer
        return layer.stateful_twin(layer.reset_rate, layer.seed)

    return keras.models.clone_model(
        model,
        keras.Input(batch_shape=(rows, *inputs.shape[1:]), dtype=inputs.dtype),
        clone_function=twin,
    )


def _other_variables(model: keras.Model) -> list[keras.Variable]:
    """Seeds, carried states and what else is not trained."""
    found = [*model.non_trainable_variables, *carried_states(model)]
    return list({id(each): each for each in found}.values())


def _seed(variable: keras.Variable, value: tf.Tensor, apart: int) -> tf.Tensor:
    """The value of a variable without rows; a seed's, so many parts further."""
    if not apart or variable.name != "seed_generator_state":
        return value
    return value + tf.cast([apart * SEEDS_APART, 0], value.dtype)
