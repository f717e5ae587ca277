"""Losses measured in streams are the text's, and the state is carried."""

import math

import keras
import numpy as np
import pytest

from kerasseq.data.streams import next_character_streams
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.scores.windows import window_loss
from kerasseq.training.callbacks import (
    HeldOutLoss,
    HistoryFile,
    reset_carried_state,
)
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.fitting import fit
from kerasseq.training.streams import fit_streams
from tests.support.stream_models import TEXT, learner_of, small_model, validator_of

pytestmark = pytest.mark.usefixtures("without_xla")


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(-1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    rows = log_probabilities.reshape(-1, logits.shape[-1])
    return -rows[np.arange(targets.size), targets.ravel()].mean()


def test_held_out_loss_is_that_of_the_whole_text_with_carried_state():
    model = small_model()
    batches = next_character_streams(TEXT[:421], 3, 7)
    twin = validator_of(model, 3, 7)
    held_out = HeldOutLoss(twin, batches)
    loss = held_out.evaluate()
    assert held_out.evaluate() == loss, "each evaluation starts from zeros"
    length = 420 // 3
    rows = np.stack([TEXT[i * length : (i + 1) * length + 1] for i in range(3)])
    assert loss == pytest.approx(
        cross_entropy(model.predict_on_batch(rows[:, :-1]), rows[:, 1:]), abs=1e-5
    )


@pytest.mark.slow
def test_window_loss_is_the_mean_over_windows_that_begin_without_state():
    keras.utils.set_random_seed(5)
    model = build_char_rnn(CharRNNConfig(7, units=11, embedding_size=5))
    model.set_weights([5 * weights for weights in model.get_weights()])
    ids = np.random.default_rng(0).integers(0, 7, 30).astype(np.int32)
    # In a text of 30, the only window of 256 is all of it but the last character.
    logits = model(ids[None, :-1])[0].numpy().astype(np.float64)
    losses = np.log(np.exp(logits).sum(-1)) - logits[np.arange(29), ids[1:]]
    assert window_loss(model, ids, 3) == pytest.approx(losses.mean(), abs=1e-5)
    # With length 1, a window is a character and the next one, without what precedes.
    pairs = model(ids[:-1, None])[:, 0].numpy().astype(np.float64)
    losses = np.log(np.exp(pairs).sum(-1)) - pairs[np.arange(29), ids[1:]]
    assert window_loss(model, ids, 20_000, length=1) == pytest.approx(
        losses.mean(), abs=0.05
    )
    one, again, other = (
        window_loss(model, ids, 20, length=1, seed=seed) for seed in (0, 0, 1)
    )
    assert one == again != other


def test_validation_leaves_the_training_state_alone(tmp_path):
    config = TrainingConfig(3, 8, 20, 3, learning_rate=0.01)
    batches = next_character_streams(TEXT, 3, 8)
    weights = []
    for validate in (False, True):
        model = small_model(dropout=0.3)
        learner = learner_of(model, config)
        twin = validator_of(model, 2, 10)
        held_out = HeldOutLoss(twin, next_character_streams(TEXT[:101], 2, 10))
        callbacks = [held_out] if validate else []
        checkpoint = Checkpoint(tmp_path / f"{validate}.npz", {})
        fit(learner, batches, config, callbacks, checkpoint)
        state = [layer.states for layer in learner.layers if hasattr(layer, "states")]
        weights.append([*model.get_weights(), *map(np.asarray, state[0])])
        assert np.abs(weights[-1][-1]).max() > 0, "the state must be carried"
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_reset_carried_state_sets_zeros():
    learner = learner_of(small_model(), TrainingConfig(3, 8, 1, 1))
    first = learner.predict_on_batch(TEXT[:24].reshape(3, 8))
    assert np.abs(learner.predict_on_batch(TEXT[:24].reshape(3, 8)) - first).max() > 0
    reset_carried_state(learner)
    again = learner.predict_on_batch(TEXT[:24].reshape(3, 8))
    np.testing.assert_array_equal(again, first)


class Forgets(keras.callbacks.Callback):
    """Sets all weights to zero at the end, as EarlyStopping sets them to the best."""

    def on_train_end(self, logs=None):
        self.model.set_weights([0 * weight for weight in self.model.get_weights()])


def test_the_loss_at_the_end_is_that_of_the_weights_and_not_of_the_history(tmp_path):
    """A history can come from a forged checkpoint."""
    config = TrainingConfig(3, 8, 2, 1)
    history = HistoryFile(tmp_path / "history.csv")
    checkpoint = Checkpoint(tmp_path / "checkpoint.npz", {})
    _, loss = fit_streams(
        small_model(), TEXT, TEXT[:101], config, history, checkpoint, [Forgets()]
    )
    assert loss == pytest.approx(math.log(7), abs=1e-6)
