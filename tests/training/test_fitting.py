"""Training: plans, schedules, the history, weight decay, clipping and the result."""

import csv
import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.streams import (
    frequency_loss,
    next_character_streams,
    validation_shape,
)
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.text.characters import Vocabulary
from kerasseq.text.corpus import toy_corpus
from kerasseq.text.held_out import split_text
from kerasseq.training import callbacks
from kerasseq.training.callbacks import (
    HeldOutLoss,
    HistoryFile,
    Perplexity,
    tensorboard,
)
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.fitting import fit
from tests.support.stream_models import TEXT, learner_of, small_model, validator_of


@given(
    st.integers(66, 3_000_000),
    st.integers(1, 20_000_000),
    st.none() | st.integers(1, 40),
)
def test_a_text_of_any_size_gets_a_plan_that_reads_it(characters, budget, passes):
    config = TrainingConfig.for_text(characters, budget=budget, passes=passes)
    a_step = config.batch_size * config.length
    a_pass = (characters - 1) // a_step
    assert a_pass >= 1
    read = config.steps_per_epoch * config.epochs
    if passes:
        assert passes * a_pass <= read < passes * a_pass + config.steps_per_epoch
    elif config.epochs > 1:
        assert abs(read * a_step - budget) <= config.steps_per_epoch * a_step / 2
    assert config.steps_per_epoch * a_step <= 1_200_000


def test_a_small_budget_reads_only_a_fraction_of_a_long_text():
    config = TrainingConfig.for_text(20_000_000, budget=3_000_000)
    assert config.steps_per_epoch * config.epochs * 32 * 64 < 3_600_000


@pytest.mark.parametrize("words", [700, 5_000, 19_999, 90_000, 3_000_000])
def test_a_round_has_the_length_asked_for(words):
    config = TrainingConfig.for_text(
        words, budget=14 * words, length=32, a_round=(20_000, 500_000)
    )
    a_round = config.steps_per_epoch * config.batch_size * 32
    assert 0.7 * min(20_000, words) <= a_round <= 500_000
    assert config.epochs * a_round == pytest.approx(14 * words, abs=a_round)


def test_a_text_no_longer_than_a_sequence_is_refused():
    with pytest.raises(ValueError, match="64 characters to train on, fewer than"):
        TrainingConfig.for_text(64, budget=1000)
    assert TrainingConfig.for_text(65, budget=1000).batch_size == 1


@pytest.mark.parametrize("name", ["batch_size", "steps_per_epoch", "epochs"])
def test_counts_below_one_are_refused(name):
    numbers = {"batch_size": 2, "length": 3, "steps_per_epoch": 4, "epochs": 5}
    with pytest.raises(ValueError, match=f"{name}=0 must be at least 1"):
        TrainingConfig(**(numbers | {name: 0}))


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_impossible_learning_rates_are_refused(rate):
    with pytest.raises(ValueError, match="learning_rate="):
        TrainingConfig(2, 3, 4, 5, learning_rate=rate)


def test_learning_rate_rises_and_falls_along_half_a_cosine():
    config = TrainingConfig(2, 3, 100, 10, learning_rate=0.5, warmup_steps=40)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    compile_for_training(model, config)
    schedule = model.optimizer._learning_rate
    rates = np.array([float(schedule(step)) for step in (0, 20, 40, 520, 1000)])
    np.testing.assert_allclose(rates, [0, 0.25, 0.5, 0.25, 0], atol=1e-6)
    assert float(schedule(280)) == pytest.approx(0.25 * (1 + math.cos(math.pi / 4)))


@pytest.mark.slow
def test_the_text_continues_from_epoch_to_epoch(tmp_path):
    """Two epochs of half a pass read what one epoch of a pass reads."""
    batches = next_character_streams(TEXT, 3, 8)
    steps = int(batches.cardinality()) // 2
    weights = []
    for steps_per_epoch, epochs in ((2 * steps, 1), (steps, 2)):
        config = TrainingConfig(3, 8, steps_per_epoch, epochs)
        model = small_model()
        checkpoint = Checkpoint(tmp_path / f"{epochs}.npz", {})
        fit(learner_of(model, config), batches, config, [], checkpoint)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_perplexity_is_the_exponential_of_the_loss():
    logs = {"loss": 2.0, "val_loss": 800.0}
    Perplexity().on_epoch_end(0, logs)
    assert logs["perplexity"] == pytest.approx(math.e**2)
    assert math.isfinite(logs["val_perplexity"])


def test_history_is_a_whole_file_after_each_epoch(tmp_path):
    path = tmp_path / "history.csv"
    history = HistoryFile(path)
    for epoch, loss in enumerate([3.5, 2.25]):
        history.on_epoch_end(epoch, {"loss": np.float32(loss), "val_loss": loss + 1})
        rows = list(csv.DictReader(path.read_text().splitlines()))
        assert len(rows) == epoch + 1
        assert rows[-1] == {
            "epoch": str(epoch + 1),
            "loss": str(loss),
            "val_loss": str(loss + 1),
        }
    assert history.history["loss"] == [3.5, 2.25]


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_weight_decay_shrinks_only_matrices(optimizer):
    """Without a gradient, a step leaves 1 - rate * decay of a matrix."""
    inputs = keras.Input((3,), dtype="int32")
    x = keras.layers.Embedding(5, 4)(inputs)
    x = keras.layers.LayerNormalization()(x)
    model = keras.Model(inputs, keras.layers.Dense(4)(x))
    config = TrainingConfig(1, 3, 20, 5, optimizer=optimizer, weight_decay=0.25)
    compile_for_training(model, config)
    keras.utils.set_random_seed(0)
    model.set_weights([np.random.rand(*w.shape) + 1 for w in model.get_weights()])
    before = model.get_weights()
    for _ in range(3):
        zeros = [np.zeros_like(weight) for weight in before]
        model.optimizer.apply(zeros, model.trainable_variables)
    rates = [float(model.optimizer._learning_rate(step)) for step in range(3)]
    kept = np.prod([1 - 0.25 * rate for rate in rates])
    assert kept < 0.9999
    for variable, old in zip(model.variables, before, strict=True):
        matrix = variable.path.endswith("/kernel")
        np.testing.assert_allclose(variable, old * (kept if matrix else 1), rtol=1e-6)


def test_weight_decay_below_zero_is_refused():
    with pytest.raises(ValueError, match="weight_decay=-1 is below zero"):
        TrainingConfig(1, 3, 20, 5, weight_decay=-1)


def test_gradients_are_clipped_by_their_global_norm():
    config = TrainingConfig(2, 3, 4, 5, clip_norm=0.25)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    compile_for_training(model, config)
    assert model.optimizer.global_clipnorm == 0.25


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_smoothed_labels_are_those_of_keras(smoothing):
    model = keras.Sequential([keras.Input((5, 2)), keras.layers.Dense(7)])
    compile_for_training(model, TrainingConfig(3, 5, 4, 5, label_smoothing=smoothing))
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (3, 5, 7)).astype(np.float32)
    targets, weights = rng.integers(0, 7, (3, 5)), rng.integers(0, 2, (3, 5))
    theirs = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=smoothing, reduction="none"
    )(np.eye(7)[targets], logits)
    expected = np.average(theirs, weights=weights)
    assert float(model.loss(targets, logits, weights)) == pytest.approx(expected)
    again = keras.losses.deserialize(keras.losses.serialize(model.loss))
    assert float(again(targets, logits, weights)) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["label_smoothing", "averaging"])
def test_fractions_of_one_and_more_are_refused(name):
    with pytest.raises(ValueError, match=f"{name}=1.0 is not from 0 to below 1"):
        TrainingConfig(1, 3, 20, 5, **{name: 1.0})


class Weights(keras.callbacks.Callback):
    """Keeps the weights after every batch."""

    def __init__(self):
        super().__init__()
        self._kept = []

    def on_train_batch_end(self, batch, logs=None):
        self._kept.append(self.model.get_weights())


class Stops(keras.callbacks.Callback):
    """Stops a training before its second epoch, as Ctrl-C does."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_model_ends_with_the_average_of_its_weights(optimizer, tmp_path):
    batches = next_character_streams(TEXT, 3, 8)
    config = TrainingConfig(3, 8, 2, 3, optimizer=optimizer, averaging=0.75)

    def run(name: str, callbacks: list, resume: bool = False) -> list[np.ndarray]:
        keras.utils.set_random_seed(3)
        layers = keras.layers.Embedding(7, 5), keras.layers.Dense(7)
        model = keras.Sequential([keras.Input((8,)), *layers])
        compile_for_training(model, config, jit_compile=False)
        checkpoint = Checkpoint(tmp_path / name, {})
        fit(model, batches, config, callbacks, checkpoint, resume)
        return model.get_weights()

    kept = Weights()
    whole = run("whole.npz", [kept])
    for index, weight in enumerate(whole):
        average = kept._kept[0][index]
        for later in kept._kept[1:]:
            average = 0.75 * average + 0.25 * later[index]
        np.testing.assert_allclose(weight, average, rtol=1e-5, atol=1e-7)
    with pytest.raises(KeyboardInterrupt):
        run("stopped.npz", [Stops()])
    # The second time, the run that is resumed had ended.
    for _ in range(2):
        resumed = run("stopped.npz", [], resume=True)
        for one, other in zip(whole, resumed, strict=True):
            np.testing.assert_array_equal(one, other)


def test_xla_compiles_the_step_unless_told_not_to():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    config = TrainingConfig(batch_size=1, length=1, steps_per_epoch=1, epochs=1)
    compile_for_training(model, config)
    assert model.train_step.jit_compile
    compile_for_training(model, config, jit_compile=False)
    assert not model.train_step.jit_compile


def test_a_missing_tensorboard_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(callbacks.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'kerasseq\[tensorboard\]'"):
        tensorboard(tmp_path)


def test_the_toy_language_is_learned_to_its_entropy(tmp_path):
    """The held-out loss comes within 0.02 nats of the entropy, and not below it."""
    corpus = toy_corpus()
    vocabulary = Vocabulary.from_text(corpus.text)
    ids, held_out = split_text(vocabulary.encode(corpus.text))
    keras.utils.set_random_seed(0)
    model = build_char_rnn(CharRNNConfig(len(vocabulary), units=64, embedding_size=16))
    config = TrainingConfig.for_text(len(ids), budget=600_000, learning_rate=6e-3)
    learner = learner_of(model, config)
    shape = validation_shape(len(held_out))
    held_out_batches = next_character_streams(held_out, *shape)
    measure = HeldOutLoss(validator_of(model, *shape), held_out_batches)
    batches = next_character_streams(ids, config.batch_size, config.length)
    checkpoint = Checkpoint(tmp_path / "checkpoint.npz", {})
    fit(learner, batches, config, [measure], checkpoint)
    loss = measure.evaluate()
    assert abs(loss - corpus.entropy) < 0.02
    assert loss < frequency_loss(ids) / 2
