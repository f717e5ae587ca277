"""translate.py, as a command and as a class, on a file that the recipe wrote."""

import functools
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasseq.data.pairs import Pair
from kerasseq.files.runtimes import open_signatures
from kerasseq.models.translation import TranslationConfig, build_translation
from kerasseq.on_device.command import HIDDEN
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.opening import open_tflite
from kerasseq.on_device.sampling import choose_token
from kerasseq.on_device.tokens import uniform_numbers
from kerasseq.on_device.translate import Translator
from kerasseq.recipes import translation, translations
from kerasseq.recipes.exporting import export
from kerasseq.recipes.shipping import open_file
from kerasseq.recipes.translations import (
    certain_loss,
    chrf_of_each,
    differs_beyond_rounding,
    padded,
    translate_each,
)
from kerasseq.signatures.translating import Translation, translate_ids
from kerasseq.signatures.translation import TranslationOnIds
from kerasseq.text.subwords import END, START, Subwords
from tests.support.programs import run_program
from tests.support.searching import draw_by_steps, search_by_steps
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
@pytest.mark.parametrize("beam_width", [1, 4])
def test_a_search_in_python_by_encode_and_step_finds_the_same(exported, beam_width):
    file = Model(exported)
    for text in TEXTS[:3]:
        source = [*PIECES.encode(text)[: LENGTH - 1], END]
        ids, score = search_by_steps(file, source, beam_width, 0.7)
        found = Translator(file).translate(text, beam_width, 0.7)
        assert (PIECES.decode(ids), len(ids)) == (found.text, len(found.target))
        assert found.score == pytest.approx(score, rel=1e-4)


@slow
@pytest.mark.parametrize("temperature", [0.0, 0.6, 1.0])
def test_a_sampler_in_python_by_encode_and_step_gives_the_same(exported, temperature):
    file, different = Model(exported), set()
    source = [*PIECES.encode("the cat"), END]
    for seed in range(4):
        numbers = uniform_numbers(seed, 0, LENGTH)
        ids = list(
            draw_by_steps(
                file,
                source,
                lambda step, logits, numbers=numbers: choose_token(
                    logits, numbers[step], temperature=temperature
                ),
            )
        )
        found = Translator(file).translate("the cat", 1, 0.7, temperature, seed)
        assert (PIECES.decode(ids), len(ids)) == (found.text, len(found.target))
        different.add(found.text)
    assert len(different) == (4 if temperature else 1)


@slow
def test_a_seed_gives_the_sample_of_keras(model, exported):
    translating, file = TranslationOnIds(model), Model(exported)
    ids = [PIECES.encode(text) for text in TEXTS]
    runtimes = [
        open_signatures(file.flatbuffer, each)["translate"]
        for each in ("interpreter", "compiled_model")
    ]
    source_ids = padded(ids, LENGTH)
    for temperature in (0.5, 1.3):
        expected = translate_ids(
            translating, ids, temperature=temperature, seed=translations.SEED
        )
        for run_translate in runtimes:
            # The width does not matter.
            found, _ = translate_each(run_translate, source_ids, 8, temperature)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one.ids, other.ids)
                assert one.score == pytest.approx(other.score, rel=1e-4)
                np.testing.assert_allclose(one.alignment, other.alignment, atol=1e-5)


@slow
def test_each_text_is_answered_on_one_safe_line(exported):
    done = run(exported, input="\n".join(TEXTS).encode())
    assert done.returncode == 0
    lines = done.stdout.decode().split("\n")
    assert len(lines) == len(TEXTS) + 1 and not any(map(HIDDEN.search, lines))
    assert b"read the first 14 of " in done.stderr
    done = run(exported, "--json", "--beam", 2, input="\n".join(TEXTS).encode())
    translator = open_tflite(exported)
    sampled = ("--temperature", 0.8, "--seed", 2**31 - 1)
    more = run(exported, "--json", *sampled, input="\n".join(TEXTS).encode())
    for text, line in zip(TEXTS, more.stdout.splitlines(), strict=True):
        found = translator.translate(text, temperature=0.8, seed=2**31 - 1)
        assert json.loads(line)["target"] == found.target
        assert found.left_out == max(0, len(PIECES.encode(text)) + 1 - LENGTH)
    for text, line in zip(TEXTS, done.stdout.splitlines(), strict=True):
        answer, found = json.loads(line), translator.translate(text, 2)
        assert (answer["text"], answer["target"]) == (found.text, found.target)
        np.testing.assert_allclose(answer["alignment"], found.alignment, atol=1e-6)


@slow
@pytest.mark.parametrize(
    "options",
    [
        ("--beam", 0),
        ("--length-penalty", "nan"),
        ("--temperature", "nan"),
        ("--seed", -1),
    ],
)
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
        open_file(exported, "float32"),
        model=other,
        vocabulary=PIECES,
        expected=expected,
        graph_bytes=0,
    )
    for promise in ("first logits", "samples", "bytes of the model"):
        assert not any(check.passed for check in checks if promise in check.promise)
    assert not all(check.passed for check in checks if "beam" in check.promise)


def test_a_loss_counts_only_beyond_chance():
    def translated(text: str) -> Translation:
        return Translation(PIECES.encode(text), 0.0, np.zeros((1, 1)), True)

    both = [translated("the cat sat"), translated("no dog")]
    found = chrf_of_each(both, ["the cat sat"] * 2, PIECES)
    assert found[0] == pytest.approx(100)
    good, bad = (np.full(40, each) for each in found)
    assert certain_loss(bad, good) > 50
    assert certain_loss(good, good) == 0
    mixed = np.tile(found, 20)
    assert certain_loss(mixed[::-1], mixed) < 0


def test_a_sample_may_differ_where_rounding_decides(model):
    """Where a number lies between two ids, either may follow, and no other."""
    source_ids = padded([PIECES.encode("the cat")], LENGTH)
    start = np.array([[START]], np.int32)
    logits = model({"source_ids": source_ids, "target_ids": start})["logits"]
    weights = np.exp(logits.numpy()[0, 0, END:].astype(np.float64))
    sums = np.cumsum(weights) / weights.sum()
    first = int(np.searchsorted(sums, 0.4))

    def differs(one: int, other: int) -> bool:
        found, wanted = (
            Translation(np.array([END + each, 9]), 0.0, np.zeros((1, 1)), True)
            for each in (one, other)
        )
        return differs_beyond_rounding(found, wanted, source_ids[0], model)

    with pytest.MonkeyPatch.context() as patch:
        for number, allowed in ((sums[first], True), (sums[first] - 1e-3, False)):
            patch.setattr(
                translations, "uniform_numbers", lambda *_, at=number: np.array([at])
            )
            assert differs(first, first + 1) != allowed
            assert differs(first, first + 2)
            assert not differs(first, first)
