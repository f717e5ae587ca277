"""Training with `model.fit`: how to compile, what to watch, when to stop."""

import time
from collections.abc import Sequence

import keras
import tensorflow as tf

from kerasseq.training.callbacks import verbosity
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.divergence import Diverged

# Where so many halvings do not help, it is not the learning rate.
MOST_HALVINGS = 5


def fit(
    model: keras.Model,
    batches: tf.data.Dataset,
    config: TrainingConfig,
    callbacks: Sequence[keras.callbacks.Callback],
    checkpoint: Checkpoint,
    resume: bool = False,
) -> float:
    """Train a compiled model on batches that are read over and over, in their order.

    Where a callback says that the loss blew up, training goes back to the last
    checkpoint, or to its beginning, and on with half the learning rate, at most five
    times.

    Args:
        model: stateful, so that each batch goes on where the one before ended; from
            `compile_for_training`.
        batches: one pass over the text.
        config: how long.
        callbacks: in the order in which they see the logs.
        checkpoint: knows where a run was that did not end.
        resume: go on from there.

    Returns:
        The seconds that it took.

    Raises:
        ValueError: the checkpoint is damaged or of another run.
        Diverged: the loss blew up once more than the learning rate is halved.
    """
    start = time.perf_counter()
    model.optimizer.build(model.trainable_variables)
    checkpoint.others = callbacks
    saved = checkpoint.resume(model) if resume else checkpoint.begin(model)
    while True:
        place = saved.epochs * config.steps_per_epoch % int(batches.cardinality())
        try:
            model.fit(
                batches.repeat().skip(place),
                epochs=config.epochs,
                # A run that had ended trains no more, but its callbacks end it once
                # again: that is where the best weights are put back.
                initial_epoch=config.epochs if saved.ended else saved.epochs,
                steps_per_epoch=config.steps_per_epoch,
                callbacks=[*callbacks, checkpoint],
                shuffle=False,
                verbose=verbosity(),
            )
            return time.perf_counter() - start
        except Diverged as error:
            # In float16 the optimizer is inside one that scales the loss.
            optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
            factor = optimizer.learning_rate_factor
            # Read before the checkpoint's own comes back: one state can fail twice.
            halved = float(factor) / 2
            if halved < 0.5**MOST_HALVINGS:
                raise Diverged(
                    f"{error}, {MOST_HALVINGS} times with half the learning rate of "
                    "before; lower the learning rate"
                ) from None
            saved = checkpoint.go_back(model)
            factor.assign(halved)
            where = f"the end of epoch {saved.epochs}" if saved.epochs else "the start"
            print(
                f"{error}; going back to {where} and on with half the learning rate, "
                f"{config.learning_rate * halved:g}",
                flush=True,
            )
