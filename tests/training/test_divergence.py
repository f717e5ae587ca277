"""Divergence: training goes back and continues with half the learning rate."""

import csv
import math

import keras
import numpy as np
import pytest

from kerasseq.data.streams import next_character_streams
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.stateful import build_stateful_model
from kerasseq.training.callbacks import HistoryFile
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.divergence import Diverged, HalvingSchedule, StopAtDivergence
from kerasseq.training.fitting import fit

TEXT = np.random.default_rng(5).integers(0, 7, 3001)
BATCHES = next_character_streams(TEXT, 3, 8)
CONFIG = TrainingConfig(3, 8, 30, 4, learning_rate=0.01, warmup_steps=5)


class Breaks(keras.callbacks.Callback):
    """Makes the loss of a batch NaN a given number of times."""

    def __init__(self, epoch: int, times: int = 1) -> None:
        super().__init__()
        self._at, self._left, self._epoch = epoch, times, 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self._epoch, batch) == (self._at, 17) and self._left:
            self._left -= 1
            logs["loss"] = math.nan


class Interrupts(keras.callbacks.Callback):
    """Stands in for a kill within an epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._at = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self._at:
            raise KeyboardInterrupt


class Run:
    """A small run in a folder of its own."""

    def __init__(self, folder, config=CONFIG, text=TEXT, characters=7, units=11):
        keras.utils.set_random_seed(3)
        self.folder, self.config, self.text = folder, config, text
        self.model = build_char_rnn(
            CharRNNConfig(characters, units=units, embedding_size=5, dropout=0.3)
        )
        self.learner = build_stateful_model(
            self.model, config.batch_size, config.length
        )
        # XLA takes longer to compile so small a step than all its runs take.
        compile_for_training(self.learner, config, jit_compile=False)
        self.history = HistoryFile(folder / "history.csv")

    def fit(self, *callbacks, resume=False):
        batches = next_character_streams(
            self.text, self.config.batch_size, self.config.length
        )
        callbacks = [*callbacks, StopAtDivergence(), self.history]
        checkpoint = Checkpoint(self.folder / "checkpoint.npz", {})
        fit(self.learner, batches, self.config, callbacks, checkpoint, resume)
        return self

    @property
    def factor(self) -> float:
        return float(self.learner.optimizer.learning_rate_factor)

    def assert_ends_like(self, other: "Run") -> None:
        for one, two in zip(self.end(), other.end(), strict=True):
            np.testing.assert_array_equal(one, two)
        assert self.history.history == other.history.history

    def end(self) -> list[np.ndarray]:
        """Weights and the optimizer's variables."""
        optimizer = self.learner.optimizer
        return [*self.model.get_weights(), *map(np.array, optimizer.variables)]


def folder(tmp_path, name: str):
    (tmp_path / name).mkdir()
    return tmp_path / name


def test_a_schedule_halves():
    schedule = keras.optimizers.schedules.CosineDecay(0.5, 100)
    halving = HalvingSchedule(schedule)
    assert float(halving(30)) == float(schedule(30))
    halving.factor.assign(0.25)
    assert float(halving(30)) == float(schedule(30)) / 4


@pytest.mark.slow
def test_training_that_diverges_ends_as_if_it_had_begun_with_the_halved_rate(
    tmp_path, capsys
):
    """The rate is much too high, so that the loss really diverges."""
    wild = TrainingConfig(3, 8, 80, 2, learning_rate=4.0, warmup_steps=5)
    run = Run(folder(tmp_path, "wild"), wild).fit()
    lines = [line for line in capsys.readouterr().out.splitlines() if "half" in line]
    assert run.factor == 0.5 ** len(lines) < 1
    assert "continuing from the start with half" in lines[0]
    assert lines[-1].endswith(f"half the learning rate, {4 * run.factor:g}")
    # Halving is exact, so the schedule of half the rate is half the schedule.
    calm = TrainingConfig(3, 8, 80, 2, learning_rate=4 * run.factor, warmup_steps=5)
    other = Run(folder(tmp_path, "calm"), calm)
    other.fit()
    other.learner.optimizer.learning_rate_factor.assign(run.factor)
    run.assert_ends_like(other)


def test_a_rate_that_stays_too_high_ends_in_an_error(tmp_path, capsys):
    wild = TrainingConfig(3, 8, 80, 2, learning_rate=1e3, clip_norm=1e9)
    with pytest.raises(Diverged, match=r"twice that of guessing.*halved 5 times"):
        Run(tmp_path, wild).fit()
    assert capsys.readouterr().out.count("with half the learning rate") == 5
    assert not (tmp_path / "checkpoint.npz").exists()


def test_a_nan_loss_goes_back_to_the_last_epoch(tmp_path, capsys):
    broken = Run(folder(tmp_path, "broken")).fit(Breaks(2))
    (line,) = [row for row in capsys.readouterr().out.splitlines() if "half" in row]
    assert line.startswith("the loss became nan at batch 18 of epoch 3; continuing")
    assert line.endswith("from the end of epoch 2 with half the learning rate, 0.005")
    # The same by hand: stopped after two epochs and resumed with the rate halved.
    with pytest.raises(KeyboardInterrupt):
        Run(folder(tmp_path, "stopped")).fit(Interrupts(2))
    by_hand = Run(tmp_path / "stopped")

    class Halves(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.model.optimizer.learning_rate_factor.assign(0.5)

    by_hand.fit(Halves(), resume=True)
    broken.assert_ends_like(by_hand)
    rows = list(
        csv.DictReader((tmp_path / "broken/history.csv").read_text().splitlines())
    )
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("high", [9, 10])
def test_an_epoch_does_not_end_while_the_loss_diverges(high):
    callback = StopAtDivergence()
    callback.set_model(build_char_rnn(CharRNNConfig(7, units=3)))
    callback.on_train_begin()
    callback.on_epoch_begin(2)
    losses = np.append(np.full(30, 1.9), np.full(high, 2.1 * math.log(7)))
    for batch in range(len(losses)):
        callback.on_train_batch_end(batch, {"loss": losses[: batch + 1].mean()})
    if high == 9:
        callback.on_epoch_end(2, {"loss": losses.mean()})
        return
    with pytest.raises(Diverged, match=r"end of epoch 3 was above 3\.892.* 10 batches"):
        callback.on_epoch_end(2, {"loss": losses.mean()})


def test_a_state_that_fails_twice_goes_on_with_a_quarter(tmp_path):
    assert Run(tmp_path).fit(Breaks(1, times=2)).factor == 0.25


@pytest.mark.slow
def test_the_halved_rate_is_in_the_checkpoint(tmp_path):
    unbroken = Run(folder(tmp_path, "unbroken")).fit(Breaks(1))
    with pytest.raises(KeyboardInterrupt):
        Run(folder(tmp_path, "stopped")).fit(Breaks(1), Interrupts(3))
    resumed = Run(tmp_path / "stopped").fit(Breaks(9), Interrupts(9), resume=True)
    assert resumed.factor == 0.5
    resumed.assert_ends_like(unbroken)


@pytest.mark.slow
def test_halving_compiles_nothing_again(tmp_path, monkeypatch):
    calls, traced = HalvingSchedule.__call__, []

    def counting(schedule, step):
        traced.append(step)
        return calls(schedule, step)

    monkeypatch.setattr(HalvingSchedule, "__call__", counting)
    Run(folder(tmp_path, "sound")).fit()
    sound = len(traced)
    Run(folder(tmp_path, "broken")).fit(Breaks(2))
    assert len(traced) == 2 * sound > 0


def test_a_sudden_change_in_the_text_is_not_divergence(tmp_path):
    """The greatest surprise for a healthy run; it lasts at most nine batches."""
    text = np.repeat([0, 1], 1500)
    config = TrainingConfig(2, 64, 60, 1, learning_rate=0.006, warmup_steps=10)
    run = Run(tmp_path, config, text, characters=2, units=64).fit()
    assert run.factor == 1.0


def watch(losses: list[float]) -> None:
    """Give the callback losses for 7 characters, as the running means Keras reports."""
    callback = StopAtDivergence()
    callback.set_model(keras.Sequential([keras.Input((3,)), keras.layers.Dense(7)]))
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    for batch, mean in enumerate(np.cumsum(losses) / np.arange(1, len(losses) + 1)):
        callback.on_train_batch_end(batch, {"loss": np.float32(mean)})


def test_it_takes_25_batches_beyond_twice_the_cost_of_guessing():
    limit = 2 * math.log(7)
    calm = [1.0] * 100
    watch([*calm, *[50.0] * 24, *calm, *[limit - 0.01] * 50])
    with pytest.raises(Diverged, match="became nan at batch 3 of epoch 1"):
        watch([1.0, 1.0, math.nan])
    with pytest.raises(Diverged, match="became inf at batch 1 of epoch 1"):
        watch([math.inf])
    with pytest.raises(Diverged, match=r"3\.902 at batch 125 .* above 3\.892, twice"):
        watch([*calm, *[limit + 0.01] * 25])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_nan_held_out_loss_is_detected_before_it_is_saved(value):
    with pytest.raises(Diverged, match=f"val_loss became {value} after epoch 4"):
        StopAtDivergence().on_epoch_end(3, {"loss": 1.0, "val_loss": value})
