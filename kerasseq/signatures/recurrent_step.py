"""One step of a recurrent model, in a layout for one token at a time.

In training, layers read batches of whole sequences. On a device, each token waits for
the previous one, and calling an operation costs as much as its arithmetic. The exported
step computes the same outputs from the same weights with few and large operations.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from kerasseq.layers.cells import EQUATIONS, Equations, cell_weights, why_not_covered
from kerasseq.signatures.exact import EXACT, PLAIN, Arithmetic, with_zeros
from kerasseq.signatures.states import States


class Layer(NamedTuple):
    """A recurrent layer.

    Attributes:
        equations: of its cell.
        kernel, bias: (E, G*H) and (G*H,), from the layer's inputs to the gates; None
            for a first layer that is part of the table.
        recurrent_kernel, recurrent_bias: (H, G*H) and (G*H,).
        num_states: number of states of the cell.
        adds: whether the layer adds its output to its input.
        bound: the largest absolute value of an input; None if it is not known.
    """

    equations: Equations
    kernel: tf.Variable | None
    bias: tf.Variable | None
    recurrent_kernel: tf.Variable
    recurrent_bias: tf.Variable
    num_states: int
    adds: bool
    bound: float | None


class InferenceStep(tf.Module):
    """A step function on a copy of a model's weights; later training does not matter.

    Called with a token int32 (1,) and states (1, H), it returns logits float32 (1, V)
    and the new states. `exact` does so in arithmetic for weights in eight or four bits.

    Args:
        model: from `build_char_rnn` or `build_next_word_model`.

    Raises:
        ValueError: a layer's cell, or an option of it, is not covered.
    """

    # The weights can be stored in four bits: the states average out the rounding.
    multiplies_states = True

    @staticmethod
    def graph_bytes(num_layers: int) -> int:
        """The most bytes that a file takes besides the weights."""
        return 50_000

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        embedding, *layers, dense = (
            layer
            for layer in model.layers[1:]
            if not isinstance(layer, keras.layers.Dropout)
        )
        table = tf.convert_to_tensor(embedding.embeddings)
        tied = isinstance(embedding, keras.layers.ReversibleEmbedding)
        found: list[Layer] = []
        # What the next layer reads is within -bound and bound, and what the last one
        # read within -before and before.
        bound, before = float(tf.reduce_max(tf.abs(table))), 0.0
        for layer in layers:
            if isinstance(layer, keras.layers.Add):
                found[-1] = found[-1]._replace(adds=True)
                bound += before
                continue
            if reason := why_not_covered(layer.cell):
                raise ValueError(f"layer {layer.name} cannot be exported: {reason}")
            kernel, bias, recurrent_kernel, recurrent_bias = cell_weights(layer.cell)
            # A table of each token's first gates replaces embedding and kernel if it is
            # smaller than these, and the embedding has no other use.
            smaller = len(table) * kernel.shape[1] < tf.size(table) + tf.size(kernel)
            folded = smaller and not tied and not found
            if folded:
                table = table @ kernel + bias
            found.append(
                Layer(
                    EQUATIONS[type(layer.cell)],
                    None if folded else _copy(kernel),
                    None if folded else _copy(bias),
                    _copy(recurrent_kernel),
                    _copy(recurrent_bias),
                    len(layer.state_size),
                    adds=False,
                    bound=bound,
                )
            )
            before, bound = bound, 1.0
        # Assigned last: a SavedModel refuses a list whose elements were replaced.
        self._layers = found
        self._bound = bound
        self._table = _copy(table)
        self._kernel, self._bias = _copy(dense.kernel), _copy(dense.bias)
        self._words = self._word_bias = None
        if tied:
            self._words = self._table
            self._word_bias = _copy(embedding.bias)

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        """The shape of each state."""
        return [
            (1, layer.recurrent_kernel.shape[0])
            for layer in self._layers
            for _ in range(layer.num_states)
        ]

    def __call__(self, token: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        return self._read(tf.gather(self._table, token), states, self._layers, PLAIN)

    def exact(self, token: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        """The same step, alike on all processors where weights are integers."""
        table, layers = self._table, self._layers
        if self._words is not None:
            # The matrix that multiplies at the end, so that a file stores it once.
            table = with_zeros(table, transpose=True)
            first, *others = layers
            layers = [first._replace(kernel=with_zeros(first.kernel)), *others]
        return self._read(tf.gather(table, token), states, layers, EXACT)

    def _read(
        self,
        x: tf.Tensor,
        states: States,
        layers: Sequence[Layer],
        arithmetic: Arithmetic,
    ) -> tuple[tf.Tensor, States]:
        """Logits and new states after a row of the table, (1, E) or (1, G*H)."""
        product, sigmoid = arithmetic
        remaining = tuple(states)
        new_states: States = []
        for layer in layers:
            before, remaining = (
                remaining[: layer.num_states],
                remaining[layer.num_states :],
            )
            gates = x
            if layer.kernel is not None:
                gates = product(x, layer.kernel, layer.bias, layer.bound)
            recurrent = product(
                before[0], layer.recurrent_kernel, layer.recurrent_bias, 1.0
            )
            after, _ = layer.equations.forward(gates, recurrent, before, sigmoid)
            new_states += after
            x = x + after[0] if layer.adds else after[0]
        x = product(x, self._kernel, self._bias, self._bound)
        if self._words is not None:
            x = product(x, self._words, self._word_bias, None, transpose=True)
        return x, new_states


def _copy(weights: tf.Tensor) -> tf.Variable:
    return tf.Variable(tf.cast(weights, tf.float32), trainable=False)
