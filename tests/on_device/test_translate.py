"""translate.py, as a command and as a class, on a file that the recipe wrote."""

import functools
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasseq.data.pairs import Pair
from kerasseq.models.translation import TranslationConfig, build_translation
from kerasseq.on_device.command import HIDDEN
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.opening import open_tflite
from kerasseq.on_device.translate import Translator
from kerasseq.recipes import translation
from kerasseq.recipes.exporting import export
from kerasseq.recipes.shipping import open_file
from kerasseq.recipes.translations import certain_loss
from kerasseq.signatures.translating import Translation, translate_ids
from kerasseq.signatures.translation import TranslationOnIds
from kerasseq.text.subwords import END, START, Subwords
from tests.support.programs import run_program
from tests.support.weights import with_random_weights

# An export has four graphs with loops, which take seconds to convert.
slow = pytest.mark.slow
PIECES = Subwords((" the", " c", "at", "ß", " 好"))
TEXTS = ["the cat", "", "好 ß\x1b[31m", "a longer text than the model reads"]
LENGTH = 14


@pytest.fixture(scope="module")
def model() -> keras.Model:
    config = TranslationConfig(len(PIECES), 12, 3, 1, 2, 17, max_length=LENGTH)
    return with_random_weights(build_translation(config), seed=5, scale=0.6)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        for number_format in ("float16", "int8"):
            patch.delitem(translation.ALLOWED_DIFFERENCE, number_format)
        export(model, PIECES, folder)
    return folder / "translation_float32.tflite"


run = functools.partial(run_program, "translate")


@slow
@pytest.mark.parametrize("beam_width", [1, 3, 8])
def test_a_text_is_translated_as_by_keras(model, exported, beam_width):
    translator = open_tflite(exported)
    ids = [PIECES.encode(text) for text in TEXTS]
    expected = translate_ids(
        TranslationOnIds(model), ids, beam_width=beam_width, length_penalty=0.5
    )
    for text, each in zip(TEXTS, expected, strict=True):
        found = translator.translate(text, beam_width, 0.5)
        assert found.text == PIECES.decode(each.ids)
        assert found.finished == each.finished
        assert found.score == pytest.approx(each.score, rel=1e-4)
        ended = len(found.target) - found.finished
        np.testing.assert_allclose(found.alignment[:ended], each.alignment, atol=1e-5)
        np.testing.assert_allclose(found.alignment.sum(axis=1), 1, atol=1e-5)


@slow
def test_greedy_search_by_encode_and_step_gives_the_same(exported):
    file = Model(exported)
    signatures = file.signatures()
    source = [*PIECES.encode("the cat"), END]
    source_ids = np.zeros((1, LENGTH), np.int32)
    source_ids[0, : len(source)] = source
    memory = {
        k: v.copy() for k, v in signatures["encode"](source_ids=source_ids).items()
    }
    states = {
        name: np.zeros(shape, np.float32) for name, shape in file.state_shapes().items()
    }
    rows = len(states["state_0"])
    ids, last = [], START
    while len(ids) < LENGTH and last != END:
        token = np.full(rows, last, np.int32)
        outputs = signatures["step"](token=token, **memory, **states)
        outputs = {name: value.copy() for name, value in outputs.items()}
        states = {name: outputs[name] for name in states}
        logits = outputs["logits"][0]
        last = int(np.argmax(np.where(np.arange(len(logits)) > START, logits, -np.inf)))
        ids.append(last)
    found = Translator(file).translate("the cat", beam_width=1)
    assert PIECES.decode(ids) == found.text and len(ids) == len(found.target)


@slow
def test_each_text_is_answered_on_one_safe_line(exported):
    done = run(exported, input="\n".join(TEXTS).encode())
    assert done.returncode == 0
    lines = done.stdout.decode().split("\n")
    assert len(lines) == len(TEXTS) + 1 and not any(map(HIDDEN.search, lines))
    assert b"read the first 14 of " in done.stderr
    done = run(exported, "--json", "--beam", 2, input="\n".join(TEXTS).encode())
    translator = open_tflite(exported)
    for text, line in zip(TEXTS, done.stdout.splitlines(), strict=True):
        answer, found = json.loads(line), translator.translate(text, 2)
        assert (answer["text"], answer["target"]) == (found.text, found.target)
        np.testing.assert_allclose(answer["alignment"], found.alignment, atol=1e-6)


@slow
@pytest.mark.parametrize("options", [("--beam", 0), ("--length-penalty", "nan")])
def test_a_setting_out_of_range_is_refused(exported, options):
    done = run(exported, "the cat", *options)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1
    assert str(options[1]).encode() in done.stderr


@slow
def test_worse_weights_fail_the_checks(model, exported):
    """The checks of a file see a model that is not the one that Keras runs."""
    other = keras.models.clone_model(model)
    with_random_weights(other, seed=6, scale=0.6)
    on_ids = TranslationOnIds(other)
    expected = translation.expect(other, on_ids, PIECES, [Pair("the cat", "at the")])
    _, checks = translation.check_file(
        open_file(exported, "float32"), vocabulary=PIECES, expected=expected
    )
    assert not any(check.passed for check in checks if "first logits" in check.promise)
    assert not all(check.passed for check in checks if "beam" in check.promise)


def test_a_loss_counts_only_beyond_chance():
    def translated(text: str) -> Translation:
        return Translation(PIECES.encode(text), 0.0, np.zeros((1, 1)), True)

    targets = ["the cat sat"] * 40
    good, bad = translated("the cat sat"), translated("no dog")
    assert certain_loss([bad] * 40, [good] * 40, targets, PIECES) > 50
    assert certain_loss([good] * 40, [good] * 40, targets, PIECES) == 0
    mixed = [good, bad] * 20
    assert certain_loss(mixed[::-1], mixed, targets, PIECES) < 0
