"""Training of translators: plans, the held-out loss, and resuming."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.pair_batches import PairBatches
from kerasseq.models.translation import TranslationConfig, build_translation
from kerasseq.training.callbacks import HistoryFile
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.translation import (
    MOST_PASSES,
    PRESETS,
    HeldOutPairs,
    batch_pieces,
    fit_pairs,
    training_for,
)

pytestmark = pytest.mark.usefixtures("without_xla")


@given(
    st.sampled_from(list(PRESETS.values())),
    st.lists(st.integers(1, 40), min_size=1, max_size=30),
    st.integers(1, 10**9),
)
def test_a_file_of_any_size_gets_a_plan(preset, lengths, num_pieces):
    most_pieces = batch_pieces(num_pieces)
    assert 256 <= most_pieces <= 2048
    sides = [[np.zeros(length, np.int32) for length in lengths]] * 2
    batches = PairBatches(*sides, most_pieces)
    training = training_for(preset, batches)
    steps = training.epochs * training.steps_per_epoch
    wanted = min(preset.steps, MOST_PASSES * batches.steps_per_pass)
    assert wanted - training.epochs < steps <= max(training.epochs, wanted)
    assert training.length == 1 + max(lengths)
    assert training.batch_size * training.length <= most_pieces


def small() -> tuple[keras.Model, PairBatches]:
    """A translator and pairs of two very different lengths."""
    keras.utils.set_random_seed(1)
    config = TranslationConfig(11, 8, 2, 1, 1, 8, max_length=16, dropout=0.1)
    rng = np.random.default_rng(0)
    sources, targets = (
        [rng.integers(3, 11, size - rng.integers(2)) for size in [3, 12] * 20]
        for _ in range(2)
    )
    return build_translation(config), PairBatches(sources, targets, 24, seed=4)


def test_the_held_out_loss_is_the_mean_over_pieces():
    model, batches = small()
    total = count = 0.0
    for inputs, labels, weights in batches.batches():
        logits = model(inputs)["logits"].numpy().astype(np.float64)
        logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
        losses = -np.take_along_axis(logits, labels[..., None], -1)[..., 0]
        total += (losses * weights).sum()
        count += weights.sum()
    learner = keras.Model(model.input, model.output["logits"])
    measured = HeldOutPairs(learner, batches.dataset()).evaluate()
    assert measured == pytest.approx(total / count, rel=1e-5)


class Stops(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_stopped_and_resumed_run_equals_an_undisturbed_one(tmp_path):
    """An epoch is no whole number of passes, so the order must go on within one."""
    config = TrainingConfig(
        2, 12, steps_per_epoch=7, epochs=4, label_smoothing=0.1, averaging=0.5
    )
    assert config.steps_per_epoch % small()[1].steps_per_pass

    def run(name: str, callbacks: list, resume: bool = False):
        model, batches = small()
        history = HistoryFile(tmp_path / f"{name}.csv", ("loss", "val_loss"))
        checkpoint = Checkpoint(tmp_path / f"{name}.npz", {})
        _, loss = fit_pairs(
            model, batches, batches, config, history, checkpoint, callbacks, resume
        )
        return loss, history.history, model.get_weights()

    loss, history, weights = run("whole", [])
    with pytest.raises(KeyboardInterrupt):
        run("stopped", [Stops()])
    resumed = run("stopped", [], resume=True)
    assert (loss, history) == resumed[:2]
    for one, other in zip(weights, resumed[2], strict=True):
        np.testing.assert_array_equal(one, other)
    # The model that is measured is the average, not that of the last epoch.
    assert loss != history["val_loss"][-1]
