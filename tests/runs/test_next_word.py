"""The run with --words: what it leaves, what it refuses, what its checks catch."""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import train_all
from kerasseq import parts
from kerasseq.commands import export_again
from kerasseq.files.keras_models import load_model
from kerasseq.on_device.card import CONTRACT_VERSION
from kerasseq.on_device.model_file import Model
from kerasseq.recipes import next_word as recipe
from kerasseq.recipes.next_word import Expected
from kerasseq.runs.options import Options
from kerasseq.scores.next_word import MOST_TYPED, seconds_of_typing
from kerasseq.signatures.next_word import suggest
from kerasseq.text.keyboard import TypedVocabulary
from tests.support.contract import check_card
from tests.support.twelve_sentences import SENTENCES

pytestmark = pytest.mark.usefixtures("without_xla")

ROOT = Path(__file__).parents[2]
VARIANTS = "float32", "float16", "int8"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The whole run on a small text, in this process."""
    folder = tmp_path_factory.mktemp("run")
    drawn = random.Random(3).choices(SENTENCES, k=250)
    text = " ".join(f"{line.capitalize()}." for line in drawn)
    (folder / "story.txt").write_text(text)
    arguments = ["--only", "next_word", "--quick", "--out", str(folder / "out")]
    assert train_all.main([*arguments, "--words", str(folder / "story.txt")]) == 0
    return folder / "out"


@pytest.mark.slow
def test_it_leaves_the_files_that_it_lists(run):
    names = {path.name for path in (run / "next_word").iterdir()}
    assert names >= {
        *"next_word.keras vocabulary.json held_out.txt history.csv saved_model".split(),
        *"loss.png savings.png typing.png".split(),
        *(f"next_word_{variant}.tflite" for variant in VARIANTS),
    }
    assert not [name for name in names if name.startswith(".")]


@pytest.mark.slow
def test_the_report_has_model_and_trigram_and_every_check(run):
    report = json.loads((run / "report.json").read_text())
    section, export = report["next_word"], report["next_word_export"]
    for name in ("hit rate at 1", "hit rate at 3", "keystrokes saved"):
        assert 0 < section[name] <= 1 and 0 < section[f"{name}, trigram"] <= 1
    # Within a sentence the words determine the next; the first words are guesses.
    assert section["hit rate at 3"] > 0.7
    assert all(check["passed"] for check in export["checks"])
    promises = {check["promise"] for check in export["checks"]}
    assert (
        "processor's milliseconds of a word and its suggestions, 95 of 100" in promises
    )
    assert set(export["files"]) == {f"next_word_{v}.tflite" for v in VARIANTS}


@pytest.mark.slow
def test_the_files_suggest_what_was_learned(run):
    path = run / "next_word" / "next_word_int8.tflite"
    program = ROOT / "kerasseq" / "on_device" / "suggest.py"
    command = [sys.executable, program, path, "The bank lends money to the far"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout == "1.000 farmer\n"
    model = Model(path)
    card, words = model.card, model.vocabulary["words"]
    assert card["contract"] == CONTRACT_VERSION
    assert card["kind"] == "next-word model"
    assert words[card["first_word"]] == "the"
    check_card(card)
    assert card["corpus"] == "story.txt" and 0 < card["keystrokes_saved"] < 1


@pytest.fixture
def expected(run) -> Expected:
    model = load_model(run / "next_word" / "next_word.keras")
    vocabulary = TypedVocabulary.load(run / "next_word" / "vocabulary.json")
    return Expected(model, vocabulary, (run / "next_word" / "held_out.txt").read_text())


@pytest.mark.slow
def test_suggestions_that_are_not_keras_s_are_measured_as_far_from_them(run, expected):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(run / "next_word" / "saved_model"))
    true = {text: suggest(loaded, text, 3) for text in expected.suggestions.texts}
    assert expected.suggestions.difference(true.__getitem__) < 1e-4
    typed = next(text for text in expected.suggestions.texts if len(true[text]) == 3)
    (a, p), (b, q), (c, r) = true[typed]
    for wrong in (
        [(a, p), (b, q)],
        [(a, p), (b, q), (c.swapcase(), r)],
        [(a, p), (b, q), ("zebra", r)],
        [(a, p + 0.01), (b, q), (c, r)],
        [(b, q), (a, p), (c, r)],
    ):
        assert (
            expected.suggestions.difference((true | {typed: wrong}).__getitem__) > 1e-3
        ), wrong


@pytest.mark.slow
def test_the_held_out_words_are_read_again_from_the_file(run, expected):
    figures = json.loads((run / "report.json").read_text())["next_word"]
    assert expected.figures["hit rate at 3"] == figures["hit rate at 3"]
    assert expected.figures["keystrokes saved"] == pytest.approx(
        figures["keystrokes saved"], abs=1e-9
    )


@pytest.mark.slow
def test_a_failed_check_ends_the_export_with_1(run, monkeypatch, capsys):
    monkeypatch.setitem(recipe.ALLOWED_HITS, "int8", -1.0)
    monkeypatch.setattr(recipe, "ALLOWED_MILLISECONDS", 0.0)
    assert export_again("next_word", [str(run)]) == 1
    error = capsys.readouterr().err
    assert "next_word_int8.tflite: hit rate at 3 worse than Keras's" in error
    assert "next_word_float32.tflite: hit rate" not in error
    assert "processor's milliseconds" in error


@pytest.mark.slow
def test_a_vocabulary_that_does_not_fit_is_refused(run, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "next_word"
    folder.mkdir()
    for name in ("next_word.keras", "held_out.txt"):
        (folder / name).write_bytes((run / "next_word" / name).read_bytes())
    (folder / "vocabulary.json").write_text(
        '{"words": ["<PAD>", "<UNK>", "<MASK>", "a"]}'
    )
    assert export_again("next_word", [str(tmp_path)]) == 2
    error = capsys.readouterr().err.strip()
    assert "has 4 words but the model" in error and "\n" not in error


def test_a_run_expects_the_time_of_typing_for_four_keyboards(tmp_path, monkeypatch):
    class Stopped(Exception):
        pass

    def outlook(names, preset, measuring):
        raise Stopped(names, measuring)

    monkeypatch.setattr(parts, "Outlook", outlook)
    path = tmp_path / "story.txt"
    path.write_text("a b . " * 1000)
    options = Options(words=str(path), out=tmp_path, only=["attention", "next_word"])
    with pytest.raises(Stopped) as stopped:
        parts.train_all(options, [])
    names, measuring = stopped.value.args
    assert list(names) == ["attention", "next_word"]
    # The last tenth; the vocabulary has three special words more than the text.
    assert measuring == {"attention": 0, "next_word": seconds_of_typing(300, 6)}
    assert seconds_of_typing(600, 6) == pytest.approx(2 * measuring["next_word"])
    assert seconds_of_typing(10**6, 6) == seconds_of_typing(MOST_TYPED, 6)


BAD_TEXTS = {
    "empty": (b"", "is empty"),
    "binary": (b"ab\0cd", "byte 2 is NUL"),
    "latin1": ("naïve ".encode("latin1") * 2000, "byte 2 is 0xef"),
    "short": (b"a few words alone", "holds 4 words and punctuation marks"),
    "spaces": ("我们在河边。\n".encode() * 300, "its writing has no spaces"),
    "line": (b"x" * 100_000, "holds 1 words and punctuation marks"),
    "one": (b"again " * 2000, "only one word more than once, 'again'"),
    "signs": (b"3 . " * 2000, "no word of the text is in it 2 times"),
    "once": (" ".join(f"w{n}" for n in range(2000)).encode(), "in it 2 times"),
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_a_text_that_cannot_be_used_is_refused_and_nothing_is_written(
    name, tmp_path, capsys
):
    content, quoted = BAD_TEXTS[name]
    path, out = tmp_path / f"{name}.txt", tmp_path / "out"
    path.write_bytes(content)
    arguments = ["--only", "next_word", "--words", str(path), "--out", str(out)]
    assert train_all.main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert quoted in error and str(path) in error and "\n" not in error
    assert not out.exists()


@pytest.mark.slow
def test_a_resume_with_another_text_is_refused(run, tmp_path, capsys):
    path = tmp_path / "other.txt"
    path.write_text("one two three four " * 500)
    arguments = ["--only", "next_word", "--words", str(path), "--out", str(run)]
    assert train_all.main([*arguments, "--quick", "--resume"]) == 2
    assert "the text's SHA-256 has changed" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_that_had_ended_is_exported_again_with_its_weights(run):
    path = run / "next_word" / "next_word.keras"
    before = load_model(path).get_weights()
    path.unlink()
    arguments = ["--only", "next_word", "--quick", "--out", str(run), "--resume"]
    story = str(run.parent / "story.txt")
    assert train_all.main([*arguments, "--words", story]) == 0
    for one, other in zip(before, load_model(path).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
