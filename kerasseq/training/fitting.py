"""Training with `model.fit`, resumed from checkpoints and after divergence."""

import time
from collections.abc import Sequence

import keras
import tensorflow as tf

from kerasseq.training.callbacks import verbosity
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.divergence import Diverged

# If this many halvings do not help, the learning rate is not the cause.
MOST_HALVINGS = 5


def fit(
    model: keras.Model,
    batches: tf.data.Dataset,
    config: TrainingConfig,
    callbacks: Sequence[keras.callbacks.Callback],
    checkpoint: Checkpoint,
    resume: bool = False,
) -> float:
    """Train a compiled model on batches that are repeated in their order.

    If a callback raises Diverged, training returns to the last checkpoint, or to its
    beginning, and continues with half the learning rate, at most five times.

    Args:
        model: stateful, so that each batch continues the one before; compiled by
            `compile_for_training`.
        batches: one pass over the text.
        config: the length of the training.
        callbacks: in the order in which they see the logs.
        checkpoint: of this run.
        resume: continue from the checkpoint's file.

    Returns:
        The seconds that it took.

    Raises:
        ValueError: the checkpoint is damaged or of another run.
        Diverged: the loss diverged again after the last halving.
    """
    start = time.perf_counter()
    model.optimizer.build(model.trainable_variables)
    checkpoint.others = callbacks
    saved = checkpoint.resume(model) if resume else checkpoint.begin(model)
    while True:
        done = saved.epochs * config.steps_per_epoch % int(batches.cardinality())
        try:
            model.fit(
                batches.repeat().skip(done),
                epochs=config.epochs,
                # A run that had ended trains no more, but its callbacks end it again:
                # this restores the best weights.
                initial_epoch=config.epochs if saved.ended else saved.epochs,
                steps_per_epoch=config.steps_per_epoch,
                callbacks=[*callbacks, checkpoint],
                shuffle=False,
                verbose=verbosity(),
            )
            return time.perf_counter() - start
        except Diverged as error:
            # In float16, an optimizer that scales the loss wraps it.
            optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
            factor = optimizer.learning_rate_factor
            # Read before the checkpoint restores its own: one state can fail twice.
            halved = float(factor) / 2
            if halved < 0.5**MOST_HALVINGS:
                raise Diverged(
                    f"{error}, even after the learning rate was halved {MOST_HALVINGS} "
                    "times; choose a lower one"
                ) from None
            saved = checkpoint.go_back(model)
            factor.assign(halved)
            where = f"the end of epoch {saved.epochs}" if saved.epochs else "the start"
            print(
                f"{error}; continuing from {where} with half the learning rate, "
                f"{config.learning_rate * halved:g}",
                flush=True,
            )
