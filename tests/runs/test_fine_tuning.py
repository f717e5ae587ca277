"""Training that continues from a saved model: what it learns, what it refuses."""

import functools
import hashlib
import json
import math
import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from kerasseq.files.keras_models import load_model, save_model
from kerasseq.files.report import read_report, record
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.next_word import NextWordConfig, build_next_word_model
from kerasseq.models.stateful import build_stateful_model
from kerasseq.runs import characters, next_word
from kerasseq.runs.fine_tuning import Start, known_characters
from kerasseq.runs.options import Options
from kerasseq.text.characters import Vocabulary
from kerasseq.text.corpus import Corpus, load_corpus
from kerasseq.text.held_out import split_text
from kerasseq.training.checkpoint import Checkpoint
from tests.support.options import parse_options
from tests.support.twelve_sentences import SENTENCES

pytestmark = pytest.mark.usefixtures("without_xla")

KINDS = {
    "gru": {"cell": "gru", "units": 48},
    "two lstm": {"cell": "lstm", "units": 48, "layers": 2},
    "transformer": {"model": "transformer", "units": 32, "layers": 2},
}


def test_the_report_of_a_model_whose_name_is_not_utf_8_is_read_again(tmp_path):
    start = Start(Path(os.fsdecode(b"a\xff\x1b")), "0" * 64, None, None)
    record(tmp_path, "char_rnn", start.describe())
    name = read_report(tmp_path)["char_rnn"]["starting model"]
    assert name == "a\\udcff\\x1b"


def write_story(path, sentences, count: int, seed: int):
    drawn = random.Random(seed).choices(sentences, k=count)
    path.write_text("".join(f"{line.capitalize()}.\n" for line in drawn))
    return path


@pytest.fixture(scope="module")
def stories(tmp_path_factory):
    """Two texts with the same characters; sentences of the second are new."""
    folder = tmp_path_factory.mktemp("stories")
    first = write_story(folder / "first.txt", SENTENCES[:6], 300, 1)
    second = write_story(folder / "second.txt", SENTENCES[6:], 60, 2)
    letters = " ".join("abcdefghijklmnopqrstuvwxyz".upper()) + "\n"
    # The first text must have every character of the second.
    first.write_text(letters + letters.lower() + first.read_text())
    return first, second


def train(out, corpus, **others) -> dict:
    """Run without the export, and return the report."""
    options = Options(
        corpus=str(corpus),
        out=out,
        only=["char_rnn"],
        quick=True,
        length=10,
        dropout=0.0,
        temperature=[1.0],
        **others,
    )
    name = characters.train(options, characters.plan(options))
    return json.loads((out / "report.json").read_text())[name]


@pytest.fixture(scope="module")
def saved(tmp_path_factory, stories):
    """Returns the file of a model, of any kind, that has learned the first text."""

    @functools.cache
    def train_once(kind: str):
        out = tmp_path_factory.mktemp("first")
        train(out, stories[0], epochs=10, **KINDS[kind])
        (path,) = out.glob("*/*.keras")
        return path

    return train_once


@pytest.fixture(scope="module")
def start(tmp_path_factory, stories):
    """The file of a small model with random weights that make its loss its own."""
    folder = tmp_path_factory.mktemp("start") / "char_rnn"
    vocabulary = Vocabulary.from_text(stories[0].read_text())
    model = build_char_rnn(CharRNNConfig(len(vocabulary), units=5))
    numbers = np.random.default_rng(8)
    model.set_weights([numbers.normal(0, 1.0, w.shape) for w in model.get_weights()])
    vocabulary.save(folder / "vocabulary.json")
    return save_model(model, folder / "char_rnn.keras")


def loss_of(path, corpus) -> float:
    """A saved model's loss on a text's held-out end, read at once."""
    ids = Vocabulary.load(path.parent / "vocabulary.json").encode(corpus.read_text())
    _, held_out = split_text(ids)
    model = build_stateful_model(load_model(path), 1, len(held_out) - 1)
    logits = model.predict_on_batch(held_out[None, :-1])[0].astype(np.float64)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -float(logits[np.arange(len(logits)), held_out[1:]].mean())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_second_text_is_learned_sooner_than_from_scratch(
    kind, saved, stories, tmp_path
):
    path = saved(kind)
    before = loss_of(path, stories[1])
    tuned = train(tmp_path / "on", stories[1], epochs=2, from_model=str(path))
    scratch = train(tmp_path / "new", stories[1], epochs=2, **KINDS[kind])
    assert tuned["held-out loss"] < before - 0.1
    assert tuned["held-out loss"] < scratch["held-out loss"] - 0.1


@pytest.mark.slow
def test_training_begins_with_the_saved_weights(start, stories, tmp_path):
    path = start
    arguments = {"epochs": 1, "from_model": str(path), "learning_rate": 1e-12}
    section = train(tmp_path, stories[1], **arguments)
    assert section["starting model"] == str(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert section["SHA-256 of the starting model"] == digest
    assert section["held-out loss"] == pytest.approx(loss_of(path, stories[1]), 0.02)
    folder = tmp_path / path.parent.name
    vocabularies = [each / "vocabulary.json" for each in (folder, path.parent)]
    assert vocabularies[0].read_bytes() == vocabularies[1].read_bytes()
    again = load_model(folder / path.name)
    for one, other in zip(
        again.get_weights(), load_model(path).get_weights(), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.slow
def test_a_stopped_run_resumes_to_the_same_weights(
    saved, stories, tmp_path, monkeypatch
):
    path = saved("gru")
    others = {"epochs": 4, "from_model": str(path)}
    train(tmp_path / "whole", stories[1], **others)
    save = Checkpoint.on_epoch_end

    def stop(self, epoch, logs=None):
        save(self, epoch, logs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoint, "on_epoch_end", stop)
        train(tmp_path / "stopped", stories[1], **others)
    train(tmp_path / "stopped", stories[1], resume=True, **others)
    whole, resumed = (
        load_model(tmp_path / name / path.parent.name / path.name).get_weights()
        for name in ("whole", "stopped")
    )
    for one, other in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(one, other)
    # The model to continue from is one of the run's settings.
    elsewhere = tmp_path / "other.keras"
    elsewhere.write_bytes(
        (tmp_path / "whole" / path.parent.name / path.name).read_bytes()
    )
    (tmp_path / "vocabulary.json").write_bytes(
        (path.parent / "vocabulary.json").read_bytes()
    )
    others["from_model"] = str(elsewhere)
    with pytest.raises(ValueError, match="of the starting model has changed"):
        train(tmp_path / "stopped", stories[1], resume=True, **others)


def test_characters_that_the_model_lacks_are_named_and_left_out(capsys):
    text = "ab€ba éa€ " * 100
    corpus = Corpus.from_text("prices.txt", text)
    vocabulary = Vocabulary.from_text(" abcd")
    kept = known_characters(corpus, vocabulary, strict=False)
    assert kept.text == text.replace("€", "").replace("é", "")
    assert kept.vocabulary == vocabulary
    assert kept.sha256 == corpus.sha256
    assert kept.notes["characters left out"] == 300
    printed = capsys.readouterr().out
    assert "'€' 200 times, 'é' 100 times" in printed and "30.00%" in printed
    with pytest.raises(
        ValueError, match=r"lacks 2 characters of prices\.txt.*--strict"
    ):
        known_characters(corpus, vocabulary, strict=True)
    with pytest.raises(ValueError, match="knows no character"):
        known_characters(Corpus.from_text("x", "éé"), vocabulary, strict=False)


def test_a_text_that_the_model_knows_whole_is_read_whole(capsys):
    corpus = Corpus.from_text("x", "abba")
    kept = known_characters(corpus, Vocabulary.from_text("xab"), strict=True)
    assert kept.text == "abba"
    assert capsys.readouterr().out == ""


@pytest.fixture(scope="module")
def keyboard(tmp_path_factory, stories):
    """A saved next-word model that has learned the first text."""
    out = tmp_path_factory.mktemp("keyboard")
    options = Options(words=str(stories[0]), out=out, only=["next_word"], quick=True)
    next_word.train(options, next_word.plan(options))
    return out / "next_word" / "next_word.keras"


@pytest.mark.slow
def test_a_next_word_model_continues_and_unknown_words_are_named(
    keyboard, tmp_path, capsys
):
    path = write_story(
        tmp_path / "second.txt", [*SENTENCES[:3], "my zebra sat on the bank"], 200, 3
    )
    losses = {}
    for rate in (1e-12, None):
        options = Options(
            words=str(path),
            out=tmp_path / str(rate),
            only=["next_word"],
            quick=True,
            from_model=str(keyboard),
        )
        plan = next_word.plan(options)
        if rate:
            plan = plan._replace(
                training=plan.training.__class__(
                    **{**vars(plan.training), "learning_rate": rate, "epochs": 1}
                )
            )
        next_word.train(options, plan)
        report = json.loads((options.out / "report.json").read_text())["next_word"]
        losses[rate] = report["held-out loss, nats a word, rare ones as one"]
        assert report["starting model"] == str(keyboard)
    assert losses[None] < losses[1e-12] - 0.05
    counts = Counter(path.read_text().lower().replace(".", "").split())
    printed = capsys.readouterr().out
    assert f"'zebra' {counts['zebra']} times" in printed
    with pytest.raises(ValueError, match=r"lacks .* words of second\.txt"):
        next_word.plan(
            Options(
                words=str(path),
                out=tmp_path,
                only=["next_word"],
                from_model=str(keyboard),
                strict=True,
            )
        )


def test_what_cannot_be_continued_is_refused(start, stories, tmp_path):
    path = start
    keyboard = tmp_path / "next_word.keras"
    save_model(build_next_word_model(NextWordConfig(7, units=5)), keyboard)
    with pytest.raises(ValueError, match="holds the model 'next_word', not one of"):
        train(tmp_path, stories[1], from_model=str(keyboard))
    with pytest.raises(ValueError, match="does not exist"):
        train(tmp_path, stories[1], from_model=str(tmp_path / "none.keras"))
    with pytest.raises(ValueError, match="overwritten by this run; give another"):
        train(path.parents[1], stories[1], from_model=str(path))
    alone = tmp_path / "alone.keras"
    alone.write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="is not a vocabulary of characters"):
        train(tmp_path, stories[1], from_model=str(alone))
    Vocabulary.from_text("ab").save(tmp_path / "vocabulary.json")
    with pytest.raises(ValueError, match=r"has 2 entries but the model \d+"):
        train(tmp_path, stories[1], from_model=str(alone))
    assert not math.isnan(loss_of(path, stories[1])), "the model is untouched"
    assert load_corpus(stories[1]).text == stories[1].read_text()


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (["--units", "24"], "--units cannot be given with --from"),
        (["--layers", "2"], "--layers cannot be given with --from"),
        (["--cell", "gru"], "--cell cannot be given with --from"),
        (["--model", "rnn"], "--model cannot be given with --from"),
        (["--words", "f"], "give --only char_rnn or --only next_word"),
        (["--only", "encoder"], "give --only char_rnn or --only next_word"),
    ],
)
def test_options_that_do_not_go_with_it_are_one_line(arguments, quoted, capsys):
    assert parse_options(["--from", "m.keras", *arguments]) == 2
    error = capsys.readouterr().err
    assert quoted in error and error.count("\n") == 1


def test_strict_needs_from(capsys):
    assert parse_options(["--strict"]) == 2
    assert "--strict is for --from" in capsys.readouterr().err
