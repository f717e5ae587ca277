"""What a page is told of a run while it trains, and how it holds the training."""

import json
import threading
import time

import keras
import numpy as np
import pytest

from kerasseq.runs import watch
from kerasseq.runs.outlook import Outlook
from kerasseq.runs.watch import Watch, note


@pytest.fixture
def outlook() -> Outlook:
    outlook = Outlook(["char_rnn"], "fast")
    outlook.begin("char_rnn")
    return outlook


@pytest.fixture
def watched(monkeypatch, outlook) -> Watch:
    monkeypatch.setattr(watch, "EVERY", 0.0)
    watched = Watch(outlook)
    watched.begin("char_rnn")
    return watched


class Losses(keras.callbacks.Callback):
    """The loss of each batch, by Keras's own function."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y, self.losses = x, y, []

    def on_train_batch_begin(self, batch, logs=None):
        part = slice(4 * batch, 4 * batch + 4)
        answers = self.model.predict_on_batch(self.x[part])
        self.losses.append(float(np.mean((answers - self.y[part]) ** 2)))


def fit(*callbacks, epochs=3):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 2)), rng.normal(size=(12, 1))
    losses = Losses(x, y)
    model.fit(
        x,
        y,
        batch_size=4,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[losses, *callbacks],
    )
    return model.get_weights(), losses.losses


def test_its_losses_are_those_of_keras(watched):
    note([watched, keras.callbacks.Callback()], {"by frequency": 3.0})
    _, losses = fit(watched)
    report = json.loads(json.dumps(watched.report()))
    times, values = zip(*report["points"], strict=True)
    np.testing.assert_allclose(times, np.arange(1, 10) / 3)
    np.testing.assert_allclose(values, losses, rtol=1e-5)
    means = [row["loss"] for row in report["epochs"]]
    np.testing.assert_allclose(means, np.reshape(losses, (3, 3)).mean(1), rtol=1e-5)
    assert report["references"] == {"by frequency": 3.0}
    assert report["planned"] == 3 and not report["trains"] and not report["ended"]


def test_a_training_that_is_held_waits_and_computes_the_same_bits(outlook, watched):
    plain, _ = fit()
    watched.hold()
    found = []

    def train():
        found.append(fit(outlook, watched)[0])

    training = threading.Thread(target=train, daemon=True)
    training.start()
    for _ in range(1000):
        if watched.report()["stage"].startswith("held after"):
            break
        time.sleep(0.01)
    report = watched.report()
    assert report["held"] and report["trains"]
    assert report["stage"] == "held after epoch 1 of 3, batch 1 of 3"
    time.sleep(0.1)
    assert watched.report() == report and training.is_alive()
    watched.go_on()
    training.join(timeout=30)
    for one, other in zip(plain, found[0], strict=True):
        np.testing.assert_array_equal(one, other)


def test_epochs_that_come_again_replace_those_before(watched):
    watched.set_params({"steps": 1, "epochs": 9})
    watched.on_train_begin()
    for epoch, loss in ((0, 3.0), (1, 2.0), (2, float("nan")), (1, 1.5)):
        watched.on_epoch_begin(epoch)
        watched.on_train_batch_end(0, {"loss": loss})
        watched.note(sample=f"text of {epoch}")
        watched.on_epoch_end(epoch, {"loss": loss, "other": 1.0})
    report = watched.report()
    assert report["epochs"] == [{"epoch": 1, "loss": 3.0}, {"epoch": 2, "loss": 1.5}]
    assert report["points"] == [(1.0, 3.0), (2.0, 1.5)]
    assert [each["epoch"] for each in report["samples"]] == [1, 2, 3, 2]


def test_a_long_run_stays_small_enough_to_be_sent_every_second(watched):
    watched.set_params({"steps": 10_000, "epochs": 1})
    watched.on_train_begin()
    watched.on_epoch_begin(0)
    for batch in range(10_000):
        watched.on_train_batch_end(batch, {"loss": 1.0})
        if batch % 100 == 0:
            watched.note(sample="x" * 200)
    assert len(json.dumps(watched.report())) < 50_000


def test_the_next_part_begins_anew(watched, tmp_path):
    watched.note({"by frequency": 3.0}, "a text")
    watched.exported([tmp_path / "a.tflite"])
    watched.begin("encoder")
    report = watched.report()
    assert report["references"] == {} and report["samples"] == []
    assert report["models"] == 1 and watched.models == [tmp_path / "a.tflite"]
    watched.end()
    assert watched.report()["ended"]
