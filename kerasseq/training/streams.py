"""Training on one long text, which is read in streams that go on from batch to batch.

Tokens are characters or words.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from kerasseq.signatures.characters import build_stateful_model
from kerasseq.text.characters import next_character_streams, validation_shape
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.divergence import StopAtDivergence
from kerasseq.training.fitting import (
    HistoryFile,
    Perplexity,
    TrainingConfig,
    compile_for_training,
    fit,
)

# The chance that a place of the text goes on without its state, so that the model
# learns to begin: without, the first tokens after a prompt are the worst.
RESET_RATE = 0.03


def fit_streams(
    model: keras.Model,
    ids: np.ndarray,
    held_out: np.ndarray,
    config: TrainingConfig,
    history: HistoryFile,
    checkpoint: Checkpoint,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    *,
    seed: int = 0,
    resume: bool = False,
    as_examples: Callable[[tf.data.Dataset], tf.data.Dataset] = lambda each: each,
) -> float:
    """Train a model that predicts the next token, and measure it after each epoch.

    Args:
        model: stateless, from `build_char_rnn`, `build_char_transformer` or
            `build_next_word_model`; its weights are trained.
        ids: int (N,), the text to train on.
        held_out: int (M,), the text to measure on, with the state carried.
        config: how long and how fast.
        history: keeps losses and perplexities.
        checkpoint: knows where a run was that did not end.
        callbacks: further ones, which see the logs last.
        seed: of the choice of states that are reset.
        resume: go on from the checkpoint.
        as_examples: makes of batches of inputs and targets what the model learns from.

    Returns:
        The seconds that it took.

    Raises:
        ValueError: the checkpoint is damaged or of another run.
        Diverged: the loss blew up with each learning rate that was tried.
    """
    shape = config.batch_size, config.length
    learner = build_stateful_model(model, *shape, RESET_RATE, seed)
    compile_for_training(learner, config)
    held_out_shape = validation_shape(len(held_out))
    validator = build_stateful_model(model, *held_out_shape)
    validator.compile(loss=learner.loss, jit_compile=True)
    measured = as_examples(next_character_streams(held_out, *held_out_shape))
    return fit(
        learner,
        as_examples(next_character_streams(ids, *shape)),
        config,
        [
            HeldOutLoss(validator, measured),
            StopAtDivergence(),
            Perplexity(),
            history,
            *callbacks,
        ],
        checkpoint,
        resume,
    )


def reset_carried_state(model: keras.Model) -> None:
    """Set the state of every stateful layer back to zeros."""
    for layer in model.layers:
        if getattr(layer, "stateful", False):
            layer.reset_state()


class HeldOutLoss(keras.callbacks.Callback):
    """Adds `val_loss` to the logs of an epoch, for the callbacks after it.

    The loss is that of a twin which shares the weights and has a state of its own:
    validation inside `fit` would run on the training state and leave it changed.

    Args:
        twin: a compiled model that shares the weights of the one in training.
        batches: what to evaluate it on, from a state of zeros.
    """

    def __init__(self, twin: keras.Model, batches: tf.data.Dataset) -> None:
        super().__init__()
        self._twin = twin
        self._batches = batches

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if logs is not None:
            logs["val_loss"] = self.evaluate()

    def evaluate(self) -> float:
        """Mean cross-entropy in nats a token."""
        reset_carried_state(self._twin)
        return float(self._twin.evaluate(self._batches, verbose=0))


def window_loss(
    model: keras.Model,
    ids: np.ndarray,
    num_windows: int = 1000,
    length: int = 256,
    seed: int = 0,
) -> float:
    """Loss of a model that begins each window of a text without a state.

    So measure programs that carry no state, nanoGPT's `estimate_loss` among them: the
    first characters of a window are guessed from few others, which costs some
    hundredths of a nat beside a state carried through the text.

    Args:
        model: from `build_char_rnn`.
        ids: int (N,), the text.
        num_windows: how many windows, each from a random place of the text.
        length: characters in a window; of a shorter text all but the last.
        seed: of the places.

    Returns:
        Mean cross-entropy in nats a character.
    """
    length = min(length, len(ids) - 1)
    starts = np.random.default_rng(seed).integers(0, len(ids) - length, num_windows)
    at = starts[:, None] + np.arange(length)
    inputs, targets = (np.asarray(ids[places], np.int32) for places in (at, at + 1))
    reader = keras.Model(model.inputs, model.outputs)
    reader.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    # Few at a time: of thousands of signs the logits of one window take megabytes.
    return float(reader.evaluate(inputs, targets, batch_size=10, verbose=0))
