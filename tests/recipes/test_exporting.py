"""`kerasseq.export`: every kind of model, from Python, to checked files."""

import doctest
import json
import math

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.labelled import LabelledSentences
from kerasseq.data.pairs import Pair
from kerasseq.data.tagged import TaggedSentence
from kerasseq.files.formats import FORMATS
from kerasseq.files.report import ChecksFailed
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.classifier import ClassifierConfig, build_classifier
from kerasseq.models.encoder import EncoderConfig, build_encoder
from kerasseq.models.next_word import NextWordConfig, build_next_word_model
from kerasseq.models.tagger import TaggerConfig, build_tagger
from kerasseq.models.translation import TranslationConfig, build_translation
from kerasseq.on_device.card import read_object
from kerasseq.on_device.model_file import Model
from kerasseq.recipes import classifier, encoder, tagger, translation
from kerasseq.recipes.exporting import export, remarks
from kerasseq.text.characters import Vocabulary
from kerasseq.text.keyboard import TypedVocabulary
from kerasseq.text.subwords import Subwords
from kerasseq.text.words import SPECIALS, WordVocabulary

pytestmark = pytest.mark.usefixtures("without_xla")

WORDS = WordVocabulary.from_sentences(["the cat sat on the mat", "a dog ran"])
TYPED = TypedVocabulary((*SPECIALS, ".", ",", "I", "Rome", "the", "of"))
PIECES = Subwords((" the", " c", "at"))
LABELS, TAGS = ("good", "bad"), ("O", "B-x", "I-x")


def build(kind: str) -> keras.Model:
    keras.utils.set_random_seed(7)
    size = len(WORDS)
    if kind == "encoder":
        return build_encoder(EncoderConfig(size, 6, 3, 1, 5, max_length=9))
    if kind == "classifier":
        config = ClassifierConfig(size, 2, 6, num_blocks=1, num_heads=3, max_length=9)
        return build_classifier(config)
    if kind == "tagger":
        return build_tagger(TaggerConfig(size, ("x",), 5, 4, 3, 6, 7))
    if kind == "translation":
        config = TranslationConfig(len(PIECES), 6, 3, 1, 1, 5, max_length=9)
        return build_translation(config)
    if kind == "next_word":
        return build_next_word_model(NextWordConfig(len(TYPED), 7, embedding_size=5))
    return build_char_rnn(CharRNNConfig(5, units=7, embedding_size=3))


CASES = {
    "encoder": (WORDS, {}),
    "classifier": (WORDS, {"labels": LABELS}),
    "tagger": (WORDS, {"tags": TAGS}),
    "next_word": (TYPED, {}),
    "translation": (PIECES, {}),
}


@pytest.mark.slow
def test_the_example_of_the_documentation_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("int8", "int4"):
        monkeypatch.delitem(FORMATS, name)
    (example,) = doctest.DocTestFinder(recurse=False).find(export, "export")
    assert example.examples
    output = []
    results = doctest.DocTestRunner().run(example, out=output.append)
    assert results.failed == 0, "".join(output)
    names = {path.name for path in (tmp_path / "exported").iterdir()}
    assert {"saved_model", "char_rnn_float16.tflite", "REPORT.md"} <= names


@pytest.mark.slow
@pytest.mark.parametrize("kind", CASES)
def test_a_model_becomes_checked_files_without_held_out_data(kind, tmp_path):
    vocabulary, names = CASES[kind]
    section = export(build(kind), vocabulary, tmp_path / "new", **names)
    assert "no held-out data was given" in section["checked on"]
    assert len(section["checks"]) > 10
    assert all(check["passed"] for check in section["checks"])
    report = json.loads((tmp_path / "new" / "report.json").read_text())
    assert report == {f"{kind}_export": section}
    assert (tmp_path / "new" / "saved_model" / "saved_model.pb").exists()
    formats = "float32", "float16", "int8"
    assert set(section["files"]) == {f"{kind}_{name}.tflite" for name in formats}
    for name, figures in section["files"].items():
        path = tmp_path / "new" / name
        assert figures["bytes"] == path.stat().st_size
        card = Model(path).card
        assert name == f"{kind}_{card['weights']}.tflite"
        if kind in ("encoder", "classifier", "translation"):
            assert card["length"] == 9, "no more than the positions allow"


HELD_OUT = {
    "encoder": ["the dog sat"],
    "classifier": LabelledSentences(("bad", "bad"), ("a dog", "the mat")),
    "tagger": [TaggedSentence(("a", "dog"), ("O", "B-x"))],
    "translation": [Pair("the cat", "a dog")],
}


@pytest.mark.parametrize("number_format", list(tagger.ALLOWED_FRACTION))
def test_chance_alone_fails_no_tagger_of_few_tokens(number_format):
    limit = tagger.ALLOWED_FRACTION[number_format]
    for count in (1, 2, 3, 5, 10, 27, 100, 1000):
        most = math.floor(tagger.allowed_fraction(number_format, count) * count)
        # A sound file changes a third as many, and the binomial distribution is exact.
        passes = sum(
            math.comb(count, n) * (limit / 3) ** n * (1 - limit / 3) ** (count - n)
            for n in range(most + 1)
        )
        assert passes > 0.95, count
    assert tagger.allowed_fraction(number_format, 10**7) < 1.02 * limit


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "limits"),
    [
        ("encoder", encoder.ALLOWED_DIFFERENCE),
        ("classifier", classifier.ALLOWED_DIFFERENCE),
        ("tagger", tagger.ALLOWED_FRACTION),
        ("translation", translation.ALLOWED_DIFFERENCE),
    ],
)
def test_files_are_checked_on_the_data_given(kind, limits, tmp_path, monkeypatch):
    for number_format in ("float16", "int8"):
        monkeypatch.delitem(limits, number_format)
    vocabulary, names = CASES[kind]
    section = export(
        build(kind), vocabulary, tmp_path, held_out=HELD_OUT[kind], **names
    )
    assert "checked on" not in section
    count = len(HELD_OUT[kind].labels) if kind == "classifier" else 1
    assert section["sentences read by the checks"] == count


def test_a_failed_check_is_an_error_and_is_in_the_report(tmp_path, monkeypatch):
    monkeypatch.delitem(encoder.ALLOWED_DIFFERENCE, "float16")
    monkeypatch.setitem(encoder.ALLOWED_DIFFERENCE, "int8", -1.0)
    with pytest.raises(ChecksFailed, match=r"encoder_int8\.tflite: largest difference"):
        export(build("encoder"), WORDS, tmp_path)
    section = json.loads((tmp_path / "report.json").read_text())["encoder_export"]
    assert "no held-out data was given" in section["checked on"]
    checked = {check["file"] for check in section["checks"]}
    assert checked >= {"encoder_float32.tflite", "encoder_int8.tflite"}
    failed = {check["file"] for check in section["checks"] if not check["passed"]}
    assert failed == {"encoder_int8.tflite"}


@pytest.mark.parametrize(
    ("kind", "vocabulary", "arguments", "reason"),
    [
        ("encoder", TYPED, {}, "is a TypedVocabulary; the model encoder needs a Word"),
        ("encoder", WORDS, {"tags": TAGS}, "neither labels nor tags, not with tags="),
        ("classifier", WORDS, {}, "exported with labels=, not with nothing"),
        ("tagger", WORDS, {"labels": LABELS}, "with tags=, not with labels="),
        ("tagger", WORDS, {"tags": TAGS[:1]}, "1 tags do not fit the model's 3"),
        (
            "classifier",
            WORDS,
            {"labels": LABELS, "held_out": LabelledSentences(("ugly",), ("a",))},
            "have the label 'ugly', which is none of good, bad",
        ),
        ("encoder", WORDS, {"held_out": []}, "held_out is empty"),
        ("char_rnn", Vocabulary.from_text("abc"), {}, "has 3 characters but"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    kind, vocabulary, arguments, reason, tmp_path
):
    with pytest.raises(ValueError, match=reason):
        export(build(kind), vocabulary, tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()


def test_a_model_of_another_builder_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)], name="mine")
    with pytest.raises(ValueError, match="name is 'mine', and files are made of enc"):
        export(model, WORDS, tmp_path)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = PLAIN | st.lists(PLAIN, max_size=3) | st.just("x" * 10**5)


@given(section=st.dictionaries(st.sampled_from(["corpus", "F1", "loss"]), VALUES))
def test_whatever_a_report_says_the_card_with_it_can_be_read(section):
    card = json.dumps(remarks(section)).encode()
    assert len(card) < 20_000
    read_object("card.json", card)


def test_texts_and_numbers_of_a_report_reach_the_card():
    section = {"corpus": "a.txt", "loss": 1.5, "sentences": 7, "checks": [], "n": None}
    assert list(remarks(section)) == ["corpus", "loss", "sentences"]
