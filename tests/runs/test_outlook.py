"""Where a run is and what is left of it, with a clock that the test sets."""

import io
import re
import time
from types import SimpleNamespace
from unittest import mock

import keras
import numpy as np
import pytest

from kerasseq.runs import outlook
from kerasseq.runs.outlook import EXPORT, SECONDS, Outlook, spoken
from kerasseq.runs.part_names import ALL_PARTS
from kerasseq.training.presets import PRESETS


@pytest.fixture
def clock(monkeypatch):
    """Time passes when the test adds to `now`."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(outlook.time, "monotonic", lambda: clock.now)
    return clock


def train(watched: Outlook, clock, steps: int, epochs: int, seconds, until: int):
    """Train up to a number of batches; `seconds` says how long each takes."""
    watched.set_params({"steps": steps, "epochs": epochs})
    watched.on_train_begin()
    for done in range(until):
        if done % steps == 0:
            watched.on_epoch_begin(done // steps)
        clock.now += seconds(done)
        watched.on_train_batch_end(done % steps)


def test_every_part_and_preset_has_an_expectation():
    assert list(SECONDS) == list(ALL_PARTS)
    assert all(list(row) == list(PRESETS) for row in SECONDS.values())


def test_what_is_left_is_expected_and_then_measured(clock, capsys):
    watched = Outlook(["encoder", "char_rnn"], "default")
    encoder, characters = (
        SECONDS[name]["default"] for name in SECONDS if name in ("encoder", "char_rnn")
    )
    watched.begin("encoder")
    assert watched.left() == (encoder, encoder + characters)
    # Twenty seconds a batch: 3 of 8 are done, and the first says nothing about speed.
    train(watched, clock, steps=4, epochs=2, seconds=lambda done: 20.0, until=3)
    here, run = watched.left()
    assert here == 5 * 20 + EXPORT
    factor = (3 * 20 + here) / encoder
    assert run == pytest.approx(here + factor * characters)
    watched.on_train_end()
    watched.export()
    clock.now += 20.0
    watched.begin("char_rnn")
    # The first part took twice as long as expected.
    assert watched.left() == pytest.approx([80 / encoder * characters] * 2)
    lines = capsys.readouterr().out.split("\n")
    assert lines[1].startswith("part 1 of 2, encoder: about ")
    assert lines[-2].startswith("part 2 of 2, char_rnn: about ")


def test_what_a_part_measures_after_its_training_is_expected(clock):
    watched = Outlook(["next_word", "tagger"], "fast", {"next_word": 90.0})
    keyboard, tagger = (SECONDS[name]["fast"] for name in ("next_word", "tagger"))
    watched.begin("next_word")
    assert watched.left() == (keyboard + 90, keyboard + 90 + tagger)
    train(watched, clock, 20, 2, lambda done: 1.0, until=10)
    assert watched.left()[0] == 30 + 90 + EXPORT


def test_the_first_seconds_of_a_training_are_enough(clock, capsys):
    watched = Outlook(["char_rnn"], "fast")
    watched.begin("char_rnn")
    train(watched, clock, steps=6, epochs=100, seconds=lambda done: 1.0, until=7)
    found = capsys.readouterr().out.split("\n")
    # Said once, before the second epoch: 594 batches of a second, and the export.
    assert found[2] == "char_rnn: about 10 minutes left" and found[3:] == [""]


def test_batches_that_are_compiled_say_nothing_about_the_others(clock):
    watched = Outlook(["translation"], "fast")
    watched.begin("translation")
    compiled = {0: 10.0, 1: 9.0, 7: 11.0}
    train(watched, clock, 20, 3, lambda done: compiled.get(done, 1.0), until=10)
    assert watched.left()[0] == 50 + EXPORT


def test_what_is_measured_between_epochs_is_counted(clock):
    watched = Outlook(["char_rnn"], "fast")
    watched.begin("char_rnn")
    train(watched, clock, 10, 4, lambda done: 1.0, until=10)
    clock.now += 7.0
    watched.on_epoch_begin(1)
    assert watched.left()[0] == 30 + 2 * 7 + EXPORT


def test_the_time_that_a_training_is_held_counts_for_nothing(clock, capsys):
    watched = Outlook(["char_rnn"], "fast")
    watched.begin("char_rnn")
    train(watched, clock, 10, 4, lambda done: 1.0, until=20)
    before = watched.left(), watched.where()
    with watched.held():
        clock.now += 1000.0
        assert watched.where()[0] == "held after epoch 2 of 4, batch 10 of 10"
    assert (watched.left(), watched.where()) == before
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].endswith("; the page lets it go on") and "goes on" in lines[-1]


def test_a_log_has_a_line_every_ten_seconds_and_a_terminal_none(monkeypatch):
    monkeypatch.setattr(outlook, "EVERY", 0.02)
    for terminal in (False, True):
        screen = io.StringIO()
        screen.isatty = lambda terminal=terminal: terminal
        watched = Outlook(["classifier"], "fast")
        with mock.patch("sys.stdout", screen):
            with watched.watching():
                watched.begin("classifier")
                time.sleep(0.3)
        lines = screen.getvalue().splitlines()[2:]
        assert bool(lines) != terminal
        assert set(lines) <= {"classifier: preparing; 5 seconds so far"}


def test_a_closed_screen_ends_nothing():
    screen = io.StringIO()
    screen.close()
    with mock.patch("sys.stdout", screen):
        Outlook(["encoder"], "fast").begin("encoder")


def test_keras_calls_it_as_it_is_called_here(capsys):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    watched = Outlook(["encoder"], "fast")
    watched.begin("encoder")
    x = np.zeros((12, 1))
    with mock.patch.object(outlook, "FIRST", 0.0):
        model.fit(x, x, batch_size=4, epochs=3, verbose=0, callbacks=[watched])
    assert re.fullmatch(
        r"\nencoder: about 25 seconds left\nencoder: about \d+ seconds left\n",
        capsys.readouterr().out,
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "5 seconds"),
        (42, "40 seconds"),
        (89, "90 seconds"),
        (100, "2 minutes"),
        (3540, "59 minutes"),
        (9000, "2.5 hours"),
    ],
)
def test_a_time_in_words(seconds, words):
    assert spoken(seconds) == words
