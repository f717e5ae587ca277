"""Keras's recurrent layers with a fast loop for the CPU, around Keras's own cells.

On a GPU, GRUs and LSTMs run on Keras's own layers, since these call cuDNN: all steps
are one operation then, where XLA would launch some small ones for each step.

Shapes: T steps, B batch, E input size, H units.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from kerasseq.layers.cells import EQUATIONS, cell_weights, why_not_covered
from kerasseq.layers.checks import check_probability
from kerasseq.layers.recurrent_loop import run_steps

logger = logging.getLogger(__name__)

# Keras's layers that can call cuDNN, by their cells.
CUDNN_LAYERS = {
    keras.layers.GRUCell: keras.layers.GRU,
    keras.layers.LSTMCell: keras.layers.LSTM,
}


def has_gpu() -> bool:
    """Whether TensorFlow may use a GPU, on which it then computes."""
    return bool(tf.config.get_visible_devices("GPU"))


def supports_xla(model: keras.Model) -> bool:
    """Whether XLA can compile a model's layers; on a GPU, recurrent ones call cuDNN."""
    return all(layer.supports_jit for layer in model.layers)


def cudnn_loop(cell: keras.Layer) -> Callable[..., tuple] | None:
    """The loop of Keras's own layer around a cell, if it calls cuDNN."""
    kind = CUDNN_LAYERS.get(type(cell))
    if not (kind and has_gpu() and cell.use_bias) or why_not_covered(cell):
        return None
    # Its weights and seed are not used, and none is drawn.
    initializers = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}
    layer = kind(
        cell.units, return_sequences=True, seed=0, name=cell.name, **initializers
    )
    layer.cell = cell
    return layer.inner_loop


class FastLoop(keras.layers.RNN):
    """The base of the layers below: the fast loop, and the methods of `StatefulLayer`.

    Keras's own loop runs where the fast one does not apply: masks, dropout inside the
    cell, other activations, a GRU with reset_after=False, go_backwards, unroll, and
    batches or lengths that are not static.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The fast loop casts by itself; in Keras's loop the cell does.
        self.autocast = False
        self._cudnn_loop = cudnn_loop(self.cell)
        self.supports_jit = self._cudnn_loop is None

    def state_shapes(self, batch_size: int) -> list[tuple[int, int]]:
        """The shapes of the states; they are zeros at the start."""
        return [(batch_size, size) for size in self.state_size]

    def step(
        self, x: tf.Tensor, states: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Read one step (B, E); return the output (B, H) and the new states."""
        output, states = self.cell(x, list(states))
        return output, keras.tree.flatten(states)

    def stateful_twin(self, reset_rate: float, seed: int) -> "FusedRNN":
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
        """The sizes of `count` such layers, as a card states them."""
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
            # Not that of Keras's GRU or LSTM, which may call cuDNN, also when exported.
            return keras.layers.RNN.inner_loop(
                self, sequences, initial_state, mask, training
            )
        # Half precision would lose small changes of the states and of the weights'
        # gradients, and CPUs add half-precision numbers slowly.
        cast = partial(tf.cast, dtype=self.variable_dtype)
        states = tuple(map(cast, keras.tree.flatten(initial_state)))
        sequences = cast(sequences)
        # What is exported is traced without training, and must run without a GPU.
        if self._cudnn_loop and (training or self.stateful):
            return self._cudnn_loop(sequences, states, mask, training)
        inputs = tf.transpose(sequences, (1, 0, 2))
        weights = tuple(map(cast, cell_weights(self.cell)))
        outputs, last = run_steps(EQUATIONS[type(self.cell)], inputs, states, weights)
        return last[0], tf.transpose(outputs, (1, 0, 2)), list(last)

    def _not_covered(self, sequences: Any, mask: Any, training: bool) -> str | None:
        """Why the fast loop cannot run, or None if it can."""
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

    It takes the same arguments and computes the same outputs up to float32 rounding; so
    do the layers below. Two layers around one cell share its weights.

    Args:
        cell: a cell of Keras.
        reset_rate: probability that a sequence of a training batch starts with a state
            of zeros, so that the model also learns to start cold.
        seed: of these choices; layers with the same seed reset the same sequences.
        **kwargs: those of `keras.layers.RNN`.
    """

    def __init__(
        self, cell: keras.Layer, reset_rate: float = 0.0, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(cell, **kwargs)
        check_probability(reset_rate=reset_rate)
        self.reset_rate = reset_rate
        self.seed = seed
        if reset_rate:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple:
        if training and self.reset_rate:
            drawn = keras.random.uniform(
                (keras.ops.shape(sequences)[0], 1), seed=self.seed_generator
            )
            initial_state = keras.tree.map_structure(
                lambda state: keras.ops.where(drawn < self.reset_rate, 0.0, state),
                initial_state,
            )
        return super().inner_loop(sequences, initial_state, mask, training)

    # Keras does not save the states: a loaded model would start from zeros.
    def save_own_variables(self, store: dict[str, Any]) -> None:
        super().save_own_variables(store)
        for index, state in enumerate(self.states or []):
            store[f"state_{index}"] = state

    def load_own_variables(self, store: dict[str, Any]) -> None:
        for index, state in enumerate(self.states or []):
            saved = store[f"state_{index}"] if f"state_{index}" in store else None
            # A model with another batch size starts from zeros.
            if saved is not None and saved.shape == state.shape:
                state.assign(saved)

    def get_config(self) -> dict[str, Any]:
        own = {"reset_rate": self.reset_rate, "seed": self.seed}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="kerasseq")
class GRU(FastLoop, keras.layers.GRU):
    """A faster `keras.layers.GRU`, with its arguments, weights and outputs.

    Example:
        >>> ours, keras_own = GRU(4, return_sequences=True), keras.layers.GRU(4)
        >>> x = np.ones((2, 3, 5))
        >>> sequence, last = ours(x), keras_own(x)
        >>> sequence.shape, last.shape
        (TensorShape([2, 3, 4]), TensorShape([2, 4]))
        >>> keras_own.set_weights(ours.get_weights())
        >>> np.allclose(keras_own(x), sequence[:, -1], atol=1e-6)
        True
    """


@keras.saving.register_keras_serializable(package="kerasseq")
class LSTM(FastLoop, keras.layers.LSTM):
    """A faster `keras.layers.LSTM`, with its arguments, weights and outputs.

    Example:
        >>> output, hidden, cell = LSTM(4, return_state=True)(np.ones((2, 3, 5)))
        >>> output.shape, cell.shape
        (TensorShape([2, 4]), TensorShape([2, 4]))
    """


@keras.saving.register_keras_serializable(package="kerasseq")
class SimpleRNN(FastLoop, keras.layers.SimpleRNN):
    """A faster `keras.layers.SimpleRNN`, with its arguments, weights and outputs.

    Example:
        >>> layer = SimpleRNN(4)
        >>> layer(np.ones((2, 3, 5))).shape
        TensorShape([2, 4])
        >>> [tuple(weight.shape) for weight in layer.weights]
        [(5, 4), (4, 4), (4,)]
    """


_logged: set[str] = set()


def _log_once(message: str) -> None:
    if message not in _logged:
        _logged.add(message)
        logger.info(message)
