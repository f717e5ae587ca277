"""The files of a folder of inputs that people bring, each read as its user expects.

What each file shows is tested as a kind, without the folder, where the code is tested.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from kerasseq.__main__ import main
from kerasseq.data.labelled import read_labelled_sentences, split_by_class
from kerasseq.data.tagged import TaggedSentence, find_kinds, read_tagged_file
from kerasseq.on_device.command import visible
from kerasseq.pictures.tagger import plot_scores, write_entity_page
from kerasseq.text.keyboard import TypedText, TypedVocabulary
from kerasseq.text.reading import read_text
from kerasseq.text.tags import find_entities
from tests.pictures.test_entity_page import Page

ROOT = Path(__file__).parents[1]
KERASSEQ = [sys.executable, "-m", "kerasseq"]
pytestmark = pytest.mark.skipif(
    "KERASSEQ_CASES" not in os.environ,
    reason="KERASSEQ_CASES names no folder of inputs that people bring",
)


@pytest.fixture
def cases() -> Path:
    return Path(os.environ["KERASSEQ_CASES"])


def run(*command: object, **variables: str) -> subprocess.CompletedProcess:
    """What a command of its own process says, which ends well."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def test_the_advice_names_cp1252_and_following_it_gives_the_text(
    cases, tmp_path, capsys
):
    path = cases / "cp1252_smallest.txt"
    out = ["--only", "char_rnn", "--out", str(tmp_path / "out")]
    assert main(["train", str(path), *out]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "give --encoding cp1252" in line
    assert read_text(path, "cp1252").startswith("It\u2019s here \u2013 \u201cnow\u201d")


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_an_arrow_is_trained_on_whatever_the_screen(encoding, cases, tmp_path):
    path, out = cases / "arrow_10kB.txt", tmp_path / "out"
    settings = ["--only", "char_rnn", "--quick", "--out", out]
    done = run(*KERASSEQ, "train", path, *settings, PYTHONIOENCODING=encoding)
    assert r"\u2192" in done.stdout
    assert (out / "char_rnn" / "char_rnn_int8.tflite").exists()


def test_no_break_spaces_and_quotes_are_outside_words(cases):
    text = TypedText.from_text(read_text(cases / "french_nbsp.txt"))
    words = TypedVocabulary.from_text(text).words
    assert [word for word in words if "rue" in word.lower()] == ["rue"]
    text = TypedText.from_text(read_text(cases / "quoted_dialogue.txt"))
    words = TypedVocabulary.from_text(text).words
    assert "I" in words and not [word for word in words[3:] if "'" in word[:-1]]


@pytest.mark.slow
def test_a_word_before_any_space_is_suggested_once(cases, tmp_path):
    path, out = cases / "french_nbsp.txt", tmp_path / "out"
    settings = ["--only", "next_word", "--quick", "--out", out]
    run(*KERASSEQ, "train", "--words", path, *settings)
    file = out / "next_word" / "next_word_int8.tflite"
    said = run(*KERASSEQ, "suggest", file, "Le chat dort dans la r").stdout
    assert said.split().count("rue") == 1


def test_a_sentence_of_a_no_break_space_is_refused_with_its_line(cases):
    path = cases / "labels_one_nbsp.tsv"
    with pytest.raises(ValueError, match=f"{path}:3 has no word after 'pos'"):
        read_labelled_sentences(path)


def test_quoted_fields_are_fields(cases):
    data = read_labelled_sentences(cases / "labels_quoted.tsv")
    assert data.classes == ("neg", "pos")
    assert set(data.sentences) == {
        'a "good" film, really',
        'a "bad" film, really',
        "a good film",
        "a bad film",
    }


def test_a_csv_file_is_read_and_its_class_of_one_sentence_is_said(cases):
    data = read_labelled_sentences(cases / "labels.csv")
    assert data.labels == ("positive", "negative", "positive")
    assert data.sentences == ('a "good" film, really', "dull, and long", "fine")
    assert data.form.startswith("CSV with a header, 3 columns, label in column 3, text")
    assert "'negative': one example" in data.form
    training, held_out = split_by_class(data.class_ids)
    assert (len(training), len(held_out)) == (2, 1)


@pytest.mark.slow
def test_a_csv_file_can_be_trained_on(cases, tmp_path):
    settings = ["--only", "classifier", "--quick", "--out", tmp_path / "out"]
    done = run(*KERASSEQ, "train", "--labels", cases / "labels.csv", *settings)
    assert "labels.csv: CSV with a header, 3 columns" in done.stdout
    file = tmp_path / "out" / "classifier" / "classifier_int8.tflite"
    said = run(*KERASSEQ, "classify", file, "dull, and long").stdout
    assert "positive" in said or "negative" in said


def entities(sentence: TaggedSentence) -> list[tuple[str, str]]:
    return [
        (" ".join(sentence.tokens[start:end]), kind)
        for start, end, kind in find_entities(sentence.tags)
    ]


def test_the_shared_task_s_own_form_and_bioes(cases):
    people, places = read_tagged_file(cases / "tags_conll2003.txt").sentences
    assert entities(people) == [
        ("Ada Lovelace", "PER"),
        ("Charles Babbage", "PER"),
        ("London", "LOC"),
    ]
    assert entities(places) == [("Turin", "LOC"), ("Milan", "LOC"), ("Rome", "LOC")]
    (sentence,) = read_tagged_file(cases / "tags_bioes.conll").sentences
    assert entities(sentence) == [("Ada", "PER"), ("New York", "LOC")]


def test_odd_kinds_reach_pictures_and_pages_whole(cases, tmp_path):
    sentences = read_tagged_file(cases / "tags_odd.conll").sentences
    kinds = find_kinds(sentences)
    assert kinds == ("$x_$|p", "<b>LOC&")
    rows = [(sentence, sentence.tags) for sentence in sentences]
    path = write_entity_page(tmp_path / "page.html", rows, kinds, "title")
    marked = Page(path.read_text(encoding="utf-8")).marks
    found = [each for sentence in sentences for each in entities(sentence)]
    assert marked == [f"{visible(name)}/{kind}" for name, kind in found]
    figure: Figure = plot_scores(
        {"this model": dict.fromkeys(kinds, 0.5)}, tmp_path / "scores.png", "title"
    )
    (axes,) = figure.axes
    drawn = axes.get_yticklabels()
    assert [each.get_text() for each in drawn] == list(kinds)
    assert not any(each.get_parse_math() for each in drawn)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["learner_load.py", "mixed_precision_generate.py"])
def test_programs_that_found_faults_find_none(name, cases):
    # One was written when the models' modules were elsewhere.
    program = (
        "import runpy, sys; from kerasseq.models import char_transformer;"
        "sys.modules['kerasseq.char_transformer'] = char_transformer;"
        "runpy.run_path(sys.argv[1])"
    )
    said = run(sys.executable, "-c", program, cases / name).stdout
    assert said.count("OK  ") == 2 and "FAULT" not in said


@pytest.mark.slow
def test_a_forged_checkpoint_writes_nowhere_else(cases, tmp_path):
    out, victim = tmp_path / "out", tmp_path / "victim"
    victim.write_text("as it is")
    train = [*KERASSEQ, "train", cases / "arrow_10kB.txt", "--only", "char_rnn"]
    train += ["--quick", "--units", "8", "--out", out]
    run(*train)
    checkpoint = out / "char_rnn" / "checkpoint.npz"
    run(sys.executable, cases / "forged_checkpoint.py", checkpoint, victim)
    done = subprocess.run(
        list(map(str, [*train, "--resume"])), cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0 or (
        done.returncode == 2 and len(done.stderr.splitlines()) == 1
    ), done.stderr[-2000:]
    assert victim.read_text() == "as it is"
    assert "forged" not in (out / "char_rnn" / "history.csv").read_text()
