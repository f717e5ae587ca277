"""classify.py, as a command and as functions."""

import functools
import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.files.tflite import convert, write_tflite
from kerasseq.models.classifier import SURE, ClassifierConfig, build_classifier, predict
from kerasseq.on_device import classify, words
from kerasseq.on_device.classify import Classifier
from kerasseq.on_device.model_file import Model
from kerasseq.recipes.shipping import about
from kerasseq.signatures.classifier import ClassifierOnIds
from kerasseq.text.words import WordVocabulary
from tests.support.programs import run_program

LENGTH, LETTERS = 7, 3
LABELS = ["γ", "a b", "c", "好"]
VOCABULARY = WordVocabulary.from_sentences(["the cat sat οδοσ", "好 dog i\u0307"])


@pytest.fixture(scope="module")
def classifier() -> keras.Model:
    keras.utils.set_random_seed(3)
    model = build_classifier(
        ClassifierConfig(len(VOCABULARY), len(LABELS), 8, num_letters=LETTERS)
    )
    # The n-gram "z" is of the third class.
    ratios = np.zeros((8192, len(LABELS)))
    ratios[1 + ord("z"), 2] = 200
    model.get_layer("spelling_bayes").set_weights([ratios])
    model.get_layer("embedding").embeddings.assign(
        2 * keras.random.normal((len(VOCABULARY), 8), seed=3)
    )
    model.get_layer("pooling").query.assign(3 * keras.random.normal((1, 8), seed=4))
    return model


@pytest.fixture(scope="module")
def flatbuffer(classifier) -> bytes:
    module = ClassifierOnIds(classifier)
    return convert(module, module.device_signatures(LENGTH))


@pytest.fixture(scope="module")
def card(classifier) -> dict:
    return {
        **about("classifier", classifier, {}),
        "length": LENGTH,
        "num_letters": LETTERS,
        "labels": LABELS,
        "vocabulary_size": len(VOCABULARY),
    }


def write(path: Path, flatbuffer: bytes, card: dict) -> Path:
    return write_tflite(
        path, flatbuffer, card, {"vocabulary.json": VOCABULARY.to_json()}
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory, flatbuffer, card) -> Path:
    return write(tmp_path_factory.mktemp("exported") / "m.tflite", flatbuffer, card)


run = functools.partial(run_program, "classify")


def expected_line(classifier, text: str) -> str:
    found = words.divide(text)[:LENGTH]
    spelled = VOCABULARY.encode_spelled(text, LETTERS, LENGTH)
    [answer] = predict(classifier, [spelled])
    least = 0.75 * answer.weights.max()
    shown = text.replace("\t", " ").rstrip()
    for word, weight in list(zip(found, answer.weights, strict=True))[::-1]:
        if weight >= least:
            start, end = word.start, word.end
            shown = f"{shown[:start]}[{shown[start:end]}]{shown[end:]}"
    best = answer.probabilities.argmax()
    if set(spelled[0]) == {words.UNKNOWN} and answer.probabilities[best] < 0.9:
        return f"\t\t{text}"
    return f"{LABELS[best]}\t{answer.probabilities[best]:.3f}\t{shown}"


def test_a_text_gets_label_probability_and_weights(exported, classifier):
    text = "The ΟΔΟΣ\tcat, nobody KNOWS!"
    result = run(exported, text)
    assert result.stdout.decode() == expected_line(classifier, text) + "\n"
    assert "[" in result.stdout.decode()
    assert (result.returncode, result.stderr) == (0, b"")


def test_each_line_of_standard_input_gets_one(exported, classifier):
    texts = ["好 dog", "the İ sat", "", " \t", "unknown words only", "dog", "ZZz zo"]
    result = run(exported, input="\r\n".join(texts).encode())
    lines = [expected_line(classifier, text) if text.strip() else "" for text in texts]
    assert result.stdout.decode().split("\n") == [*lines, ""]
    assert len({line.partition("\t")[0] for line in lines}) > 2, "labels differ"
    assert result.stderr == b"classify.py: knows none of these words\n"
    assert result.returncode == 0


def test_unknown_words_have_no_label_in_json_and_python(exported):
    text = "unknown words!"
    found = json.loads(run(exported, "--json", text).stdout)
    assert found["label"] is found["probability"] is None
    assert found["words"] == ["unknown", "words", "!"]
    assert np.isclose(sum(found["weights"]), 1)
    assert json.loads(run(exported, "--json", "zoo").stdout)["label"] == LABELS[2]
    assert classify.SURE == SURE
    assert Classifier(Model(exported)).classify(text).label is None


def test_words_beyond_the_longest_are_left_out_with_a_message(exported, classifier):
    text = "the cat sat the cat sat dog 好 好"
    result = run(exported, text)
    assert result.stdout.decode().strip() == expected_line(classifier, text)
    assert result.stderr == b"classify.py: read the first 7 of 9 words\n"


@pytest.mark.parametrize(
    ("arguments", "text", "reason"),
    [
        ([" "], None, "there is no word in ' '"),
        ([], b"dog\nna\xefve\n", "standard input is not UTF-8"),
        (["a", "b"], None, "unrecognized arguments: b"),
    ],
)
def test_unreadable_input_is_one_line(arguments, text, reason, exported):
    result = run(exported, *arguments, input=text)
    [line] = result.stderr.decode().splitlines()
    assert line.startswith("classify.py: ") and reason in line
    assert result.returncode == 2


def test_files_that_are_no_classifier_are_one_line(tmp_path, flatbuffer, card):
    path = tmp_path / "m.tflite"
    changes = {
        "of the kind 'encoder', not 'classifier'": {"kind": "encoder"},
        "speaks contract 99": {"contract": 99},
        "vocabulary.json has 10 words, the model 3": {"vocabulary_size": 3},
        "output probabilities of classify is float32[1, ": {"labels": LABELS[:3]},
        "card.json: labels is None, not a list of 2 different": {"labels": None},
        "input token_ids of classify is int32[1, ": {"length": 8},
        "input letters of classify is int32[1, ": {"num_letters": 4},
    }
    for reason, change in changes.items():
        write(path, flatbuffer, card | change)
        result = run(path, "dog")
        [line] = result.stderr.decode().splitlines()
        assert reason in line and result.returncode == 2
    with zipfile.ZipFile(write(path, flatbuffer, card)) as archive:
        assert json.loads(archive.read("card.json"))["labels"] == LABELS
    whole = path.read_bytes()
    for content in (whole[:-30], whole[:100], b"", whole.replace(b"TFL3", b"TFL4", 1)):
        path.write_bytes(content)
        result = run(path, "dog")
        [line] = result.stderr.decode().splitlines()
        assert line.startswith("classify.py: ") and result.returncode == 2
    assert run(tmp_path / "missing.tflite", "x").returncode == 2


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_words_are_numbered_as_in_training(text):
    tokens = words.split_words(text)
    token_ids = words.encode_words(tokens, VOCABULARY.words, LENGTH)
    expected = keras.utils.pad_sequences(
        [VOCABULARY.encode(text)], LENGTH, padding="post", truncating="post"
    )
    np.testing.assert_array_equal(token_ids, expected)
    assert token_ids.dtype == np.int32
