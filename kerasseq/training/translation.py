"""Training of translators by teacher forcing: the target so far is the true one.

Size and length of the training follow from a preset and the number of pieces.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras

from kerasseq.data.pair_batches import PairBatches
from kerasseq.training.callbacks import HeldOutLoss, HistoryFile
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.divergence import StopAtDivergence
from kerasseq.training.fitting import fit


class Preset(NamedTuple):
    """Size and training length of a translator.

    Attributes:
        model_size: C.
        blocks: of the encoder, and of the decoder.
        dropout: fraction dropped in training.
        steps: batches in all.
    """

    model_size: int
    blocks: int
    dropout: float
    steps: int


# About one, ten and thirty minutes on two cores, for sentences of a dozen words.
PRESETS = {
    "fast": Preset(64, 2, 0.1, 600),
    "default": Preset(128, 4, 0.1, 1_600),
    "best": Preset(128, 4, 0.2, 4_200),
}
ROUNDS = 16
MOST_PASSES = 100
# In a batch of sources or targets.
MOST_PIECES_A_BATCH, LEAST_PIECES_A_BATCH = 2_048, 256


def batch_pieces(num_pieces: int) -> int:
    """Pieces of a batch: fewer in a small file, so that a pass has enough batches.

    Args:
        num_pieces: of all sources, or of all targets if these are more.
    """
    return max(LEAST_PIECES_A_BATCH, min(MOST_PIECES_A_BATCH, num_pieces // 32))


def training_for(preset: Preset, batches: PairBatches) -> TrainingConfig:
    """How to train a translator.

    Args:
        preset: decides the number of batches; a small file gets fewer.
        batches: of the file.
    """
    size, _, length = batches.shapes[-1]
    steps = min(preset.steps, MOST_PASSES * batches.steps_per_pass)
    return TrainingConfig(
        size,
        length,
        steps_per_epoch=max(1, steps // ROUNDS),
        epochs=ROUNDS,
        learning_rate=6e-3,
        optimizer="muon",
        label_smoothing=0.1,
    )


class HeldOutPairs(HeldOutLoss):
    """Adds `val_loss`, the mean over all pieces of held-out targets, to the logs.

    Keras's losses and metrics are means over rows or batches instead, which have
    different numbers of pieces.

    Args:
        model: in training; gives logits.
        batches: to evaluate on.
    """

    def evaluate(self) -> float:
        """Mean cross-entropy in nats a piece, without smoothing."""
        total = count = 0.0
        for inputs, targets, weights in self._batches:
            logits = self._twin(inputs, training=False)
            losses = keras.losses.sparse_categorical_crossentropy(
                targets, logits, from_logits=True
            )
            total += float(keras.ops.sum(losses * weights))
            count += float(keras.ops.sum(weights))
        return total / count


def fit_pairs(
    model: keras.Model,
    batches: PairBatches,
    held_out: PairBatches,
    config: TrainingConfig,
    history: HistoryFile,
    checkpoint: Checkpoint,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    resume: bool = False,
) -> tuple[float, float]:
    """Train a translator, and measure it after each epoch.

    Args:
        model: from `build_translation`; its weights are trained.
        batches: to train on, shuffled anew in each pass.
        held_out: to measure on.
        config: length and learning rate of the training.
        history: records the losses.
        checkpoint: of this run.
        callbacks: additional ones, which see the logs last.
        resume: continue from the checkpoint's file.

    Returns:
        The seconds that it took, and the held-out loss of the trained model, in nats a
        piece.

    Raises:
        ValueError: the checkpoint is damaged or of another run.
        Diverged: the loss diverged with each learning rate that was tried.
    """
    learner = keras.Model(model.input, model.output["logits"])
    compile_for_training(learner, config)
    passes = -(-config.epochs * config.steps_per_epoch // batches.steps_per_pass)
    measured = HeldOutPairs(learner, held_out.dataset().cache())
    seconds = fit(
        learner,
        batches.dataset(passes),
        config,
        [measured, StopAtDivergence(), history, *callbacks],
        checkpoint,
        resume,
    )
    return seconds, measured.evaluate()
