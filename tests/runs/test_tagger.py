"""A run of the tagger: from a file to pictures, models and the command tag.py."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import train_all
from kerasseq.data.tagged import (
    TaggedSentence,
    read_tagged_sentences,
    write_tagged_sentences,
)
from kerasseq.data.tagged_batches import encode_tokens
from kerasseq.files.keras_models import load_model
from kerasseq.files.labels import read_labels
from kerasseq.models.tagger import TaggerConfig
from kerasseq.on_device.model_file import Model
from kerasseq.scores.entities import OVERALL, score_entities
from kerasseq.signatures.tagger import TaggerOnIds, tag_sentences
from kerasseq.text.words import WordVocabulary
from tests.support.contract import check_card

PROGRAM = Path(__file__).parents[2] / "kerasseq" / "on_device" / "tag.py"


@pytest.fixture(scope="module")
def runner():
    """tag.py as a module, which imports from its own folder as a program does."""
    sys.path.insert(0, str(PROGRAM.parent))
    yield importlib.import_module("tag")
    sys.path.remove(str(PROGRAM.parent))


def made_up(count: int) -> list[TaggedSentence]:
    """Sentences whose names are all new; spelling and position identify them."""
    rng = np.random.default_rng(0)

    def word(end: str) -> str:
        return "".join(rng.choice(list("aeiklmnoprst"), 5)) + end

    sentences = []
    for index in range(count):
        person, town = word("").capitalize(), word("burg").capitalize()
        if index % 3:
            tokens = ["so", person, word("").capitalize(), "went", "to", town, "."]
            tags = ["O", "B-person", "I-person", "O", "O", "B-town", "O"]
        else:
            tokens, tags = ["in", town, "it", "rains"], ["O", "B-town", "O", "O"]
        sentences.append(TaggedSentence(tuple(tokens), tuple(tags)))
    return sentences


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tagger")
    sentences = made_up(180)
    # The last, held-out sentence is longer than what a device reads at once.
    length = 2 * TaggerConfig.device_length
    long = TaggedSentence(("word",) * length, ("O",) * length)
    path = folder / "names.conll"
    write_tagged_sentences(path, [*sentences, long])
    arguments = ["--quick", "--only", "tagger", "--tags", str(path)]
    assert train_all.main([*arguments, "--out", str(folder / "out")]) == 0
    return folder / "out"


def read_run(folder: Path) -> tuple[TaggerOnIds, WordVocabulary, list[TaggedSentence]]:
    """The tagger of a run, its words, and the sentences that it was not trained on."""
    module = TaggerOnIds(
        load_model(folder / "tagger.keras"), read_labels(folder / "tags.json")
    )
    vocabulary = WordVocabulary.load(folder / "vocabulary.json")
    return module, vocabulary, read_tagged_sentences(folder / "held_out.conll")


@pytest.mark.slow
def test_it_leaves_the_files_that_it_lists(run):
    names = (
        "tagger.keras vocabulary.json tags.json held_out.conll history.csv loss.png "
        "f1.png entities.html saved_model tagger_float32.tflite tagger_float16.tflite "
        "tagger_int8.tflite"
    )
    assert {path.name for path in (run / "tagger").iterdir()} == set(names.split())


@pytest.mark.slow
def test_new_names_are_found(run):
    report = json.loads((run / "report.json").read_text())
    assert report["tagger"]["F1"] > 0.9
    assert report["tagger"]["F1 by lookup of known names"] < 0.2
    assert report["tagger"]["sentences held out"] == 18
    export = report["tagger_export"]
    assert export["sentences read by the checks"] == 18
    assert len(export["files"]) == 3
    assert all(check["passed"] for check in export["checks"])
    # The checks read as many tokens as a device does, the report all of them.
    length = TaggerConfig.device_length
    module, vocabulary, held_out = read_run(run / "tagger")
    found = tag_sentences(
        module, [each.tokens[:length] for each in held_out], vocabulary
    )
    scores = score_entities([each.tags[:length] for each in held_out], found)
    assert export["F1 of Keras on them"] == scores[OVERALL].f1
    card = Model(run / "tagger" / "tagger_int8.tflite").card
    assert card["tags"] == ["O", "B-person", "I-person", "B-town", "I-town"]
    assert card["held_out_f1"] == report["tagger"]["F1"]
    check_card(card)
    assert card["corpus"] == report["tagger"]["corpus"] == "names.conll"


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_the_device_s_program_tags_as_python_does(run, runner, weights):
    folder = run / "tagger"
    module, vocabulary, sentences = read_run(folder)
    tagger = runner.Tagger(runner.Model(folder / f"tagger_{weights}.tflite"))
    tokens = [each.tokens for each in sentences if len(each.tokens) <= tagger.length]
    expected = tag_sentences(module, tokens, vocabulary)
    found = [tagger.tag_tokens(row) for row in tokens]
    same = [row == other for row, other in zip(found, expected, strict=True)]
    assert np.mean(same) >= (1.0 if weights == "float32" else 0.9)
    # A long sentence is tagged in chunks, each as if it were alone.
    long = [*tokens[0], *["word"] * (tagger.length - len(tokens[0])), *tokens[1]]
    assert tagger.tag_tokens(long)[tagger.length :] == tagger.tag_tokens(tokens[1])
    assert len(tagger.tag_tokens(long)) == len(long)


@given(st.text())
def test_the_device_reads_what_python_reads(runner, text):
    tokens = [word.text for word in runner.divide(text)][:9]
    vocabulary = WordVocabulary.from_sentences(["in İt ΟΔΟΣ a b A", *map(str, "xyz")])
    ids = {word: index for index, word in enumerate(vocabulary.words)}
    for each in (tokens, ["IN", "İt", "οδος", "<UNK>", "Ada"]):
        found = runner.encode_tokens(each, ids, 9, 4)
        word_ids, letters = encode_tokens([each], vocabulary, 4, 9)
        assert (found["word_ids"] == word_ids).all()
        assert (found["letters"] == letters).all()


def call(*arguments: str, text: str = "", **environment: str):
    return subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        input=text.encode(),
        capture_output=True,
        env={**os.environ, **environment},
    )


@pytest.mark.slow
def test_the_command_as_a_user_calls_it(run):
    path = str(run / "tagger" / "tagger_float32.tflite")
    done = call(path, "so Aka Molo went to  Tironburg .", "it rains", "")
    assert done.stderr == b""
    assert done.stdout.decode() == (
        "so [Aka Molo person] went to  [Tironburg town] .\nit rains\n\n"
    )
    assert done.returncode == 0
    done = call(path, text="in Karonburg it rains\n\nit ♥ rains")
    assert done.stdout.decode() == "in [Karonburg town] it rains\n\nit ♥ rains\n"


@pytest.mark.slow
def test_the_command_refuses_in_one_line(run, tmp_path):
    path = str(run / "tagger" / "tagger_float32.tflite")
    damaged = tmp_path / "damaged.tflite"
    content = bytearray(Path(path).read_bytes())
    content[1000] ^= 1
    damaged.write_bytes(content)
    for arguments, text in (
        ([str(damaged), "x"], "damaged"),
        ([str(tmp_path / "none.tflite"), "x"], "cannot be read"),
        ([str(PROGRAM), "x"], "is not a whole .tflite"),
        ([], "required"),
    ):
        done = call(*arguments)
        assert done.returncode == 2
        assert text in done.stderr.decode()
        assert done.stderr.decode().count("\n") == 1
        assert not done.stdout


def test_colours_of_a_terminal(runner):
    text, tags = (
        "\u201cNew\u00a0York\u201d is big.",
        ["O", *"B-b I-b O O B-a O".split()],
    )
    found = runner.entities(text, runner.divide(text), tags)
    assert found == [("b", "New\u00a0York", 1, 9), ("a", "big", 14, 17)]
    assert runner.show(text, found, ["a", "b"], True) == (
        "\u201c\x1b[33;1mNew York\x1b[22m b\x1b[0m\u201d is "
        "\x1b[36;1mbig\x1b[22m a\x1b[0m."
    )
    assert runner.show(text, found, ["a", "b"], False) == (
        "\u201c[New York b]\u201d is [big a]."
    )
    assert runner.show("", [], ["a"], True) == ""


REFUSED = {
    "few.conll": ("a\tB-x\nb\tO\n\n" * 19, "has 19 sentences; give at least 20"),
    "nothing.conll": ("a\tO\n\n" * 30, "marks no entity"),
    "late.conll": (
        "a\tO\n\n" * 27 + "a\tB-x\n\n" * 3,
        "no entity in its first nine tenths",
    ),
    "early.conll": ("a\tB-x\n\n" * 27 + "a\tO\n\n" * 3, "no entity in its last tenth"),
    "illegal.conll": (
        "a\tB-x\n\n" * 27 + "a\tI-x\n",
        "line 55: 'I-x' may not follow 'O'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_anything_is_written(name, tmp_path, capsys):
    content, reason = REFUSED[name]
    path, out = tmp_path / name, tmp_path / "out"
    path.write_text(content)
    arguments = ["--only", "tagger", "--tags", str(path), "--out", str(out)]
    assert train_all.main(arguments) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.slow
def test_names_of_wnut_2017_are_found(tmp_path):
    """Far above the lookup, whatever the seed, on the file's own last tenth."""
    if "KERASSEQ_DATA" not in os.environ:
        pytest.skip("KERASSEQ_DATA names no folder with entities_train.conll")
    path = Path(os.environ["KERASSEQ_DATA"]) / "entities_train.conll"
    arguments = ["--only", "tagger", "--tags", str(path), "--out", str(tmp_path)]
    assert train_all.main(arguments) == 0
    section = json.loads((tmp_path / "report.json").read_text())["tagger"]
    assert section["F1"] > section["F1 by lookup of known names"] + 0.05
