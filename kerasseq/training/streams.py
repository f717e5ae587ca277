"""Training on one long text, in streams that continue from batch to batch.

Tokens are characters or words.
"""

import math
from collections.abc import Sequence

import keras
import numpy as np

from kerasseq.data.streams import next_character_streams, validation_shape
from kerasseq.models.stateful import build_stateful_model
from kerasseq.training.callbacks import HeldOutLoss, HistoryFile, Perplexity
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.divergence import Diverged, StopAtDivergence
from kerasseq.training.fitting import fit
from kerasseq.training.workers import workers

# The probability that a batch resets a stream's state, so that the model also learns to
# start cold. Otherwise, the first tokens after a prompt are the worst.
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
) -> tuple[float, float]:
    """Train a model that predicts the next token, and measure it after each epoch.

    Args:
        model: stateless, from `build_char_rnn`, `build_char_transformer` or
            `build_next_word_model`; its weights are trained.
        ids: int (N,), the text to train on.
        held_out: int (M,), the text to measure on, with the state carried.
        config: length and learning rate of the training.
        history: records losses and perplexities.
        checkpoint: of this run.
        callbacks: additional ones, which see the logs last.
        seed: of the states to reset.
        resume: continue from the checkpoint's file.

    Each of several workers reads its rows of the batches.

    Returns:
        The seconds that it took, and the held-out loss at the end in nats a token. It
        is measured, since the history in a checkpoint may say anything.

    Raises:
        ValueError: the checkpoint is damaged or of another run.
        Diverged: the loss diverged with each learning rate that was tried.
    """
    team = workers()
    rows = team.share_of(config.batch_size)
    learner = build_stateful_model(model, rows, config.length, RESET_RATE, seed)
    compile_for_training(learner, config)
    held_out_shape = validation_shape(len(held_out))
    validator = build_stateful_model(model, *held_out_shape)
    validator.compile(loss=learner.loss, jit_compile=learner.train_step.jit_compile)
    measured = next_character_streams(held_out, *held_out_shape)
    held_out_loss = HeldOutLoss(validator, measured)
    seconds = fit(
        learner,
        next_character_streams(
            ids, config.batch_size, config.length, team.rank, team.count
        ),
        config,
        [
            held_out_loss,
            StopAtDivergence(),
            Perplexity(),
            history,
            *callbacks,
        ],
        checkpoint,
        resume,
    )
    loss = held_out_loss.evaluate()
    if not math.isfinite(loss):
        raise Diverged(f"the held-out loss of the trained model is {loss}")
    return seconds, loss
