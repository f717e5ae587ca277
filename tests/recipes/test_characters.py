"""The checks of a character model pass a correct file and no other."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasseq.files.formats import FORMATS
from kerasseq.files.saved_model import write_saved_model
from kerasseq.files.tflite import convert, convert_all, write_tflite
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.recipes.characters import Expected, describe
from kerasseq.recipes.rounding import common_length, possible_tokens
from kerasseq.recipes.shipping import open_file
from kerasseq.recipes.stepping import cross_entropy
from kerasseq.signatures.characters import build_generating_module
from kerasseq.text.characters import Vocabulary
from tests.support.weights import with_random_weights

pytestmark = pytest.mark.usefixtures("without_xla")

VOCABULARY = Vocabulary.from_text("\n abcdefgh")
HELD_OUT = np.random.default_rng(2).integers(0, 10, 401).astype(np.int32)


def build(scale: float) -> keras.Model:
    """The same model with weights of another scale."""
    model = build_char_rnn(CharRNNConfig(10, units=13, embedding_size=7))
    return with_random_weights(model, 4, scale)


def frozen(model):
    return build_generating_module(model, VOCABULARY, frozen=True)


def write(path, module, flatbuffer, number_format="float32"):
    files = {"vocabulary.json": VOCABULARY.to_json()}
    # A card says nothing of the weights.
    card = describe(build(1.0), module.state_shapes, {})
    write_tflite(path, flatbuffer, card, files)
    return open_file(path, number_format)


@pytest.fixture(scope="module")
def expected() -> Expected:
    return Expected(build(0.8), VOCABULARY, HELD_OUT)


@pytest.fixture(scope="module")
def correct():
    """Writes a correct file in a format, and opens it."""
    module = frozen(build(0.8))
    flatbuffers = dict(convert_all(module, module.device_signatures(), FORMATS))
    return lambda path, name: write(path, module, flatbuffers[name], name)


@pytest.mark.parametrize("number_format", FORMATS)
def test_a_correct_file_passes(expected, correct, tmp_path, number_format):
    file = correct(tmp_path / "true.tflite", number_format)
    figures, checks = expected.check(file)
    assert [check.promise for check in checks if not check.passed] == []
    for runtime in ("interpreter", "compiled_model"):
        assert figures[f"characters read a second, {runtime}"] > 0
        assert figures[f"characters written a second, {runtime}"] > 0
    assert 0 < figures["seconds from the command to the first character"] < 60
    assert 10 < figures["megabytes of memory that the command held"] < 1000


def test_a_text_read_in_chunks_has_the_loss_of_the_whole(correct, tmp_path):
    expected = Expected(build(0.8), VOCABULARY, np.resize(HELD_OUT, 2502))
    file = correct(tmp_path / "true.tflite", "float32")
    figures, checks = expected.check(file)
    assert [check.promise for check in checks if not check.passed] == []
    assert figures["loss, interpreter"] == pytest.approx(expected.loss, abs=1e-6)


def test_a_saved_model_may_differ_by_rounding_only(expected, tmp_path):
    for scale, passed in ((0.8, True), (0.81, False)):
        module = frozen(build(scale))
        path = tmp_path / f"saved_model_{scale}"
        write_saved_model(module, path, {"generate": module.generate})
        checks = expected.check_saved_model(tf.saved_model.load(str(path)))
        assert all(check.passed for check in checks) is passed


def test_a_file_of_other_weights_fails(expected, tmp_path):
    module = frozen(build(0.81))
    flatbuffer = convert(module, module.device_signatures())
    file = write(tmp_path / "other.tflite", module, flatbuffer)
    figures, checks = expected.check(file)
    failed = " ".join(check.promise for check in checks if not check.passed)
    for runtime in ("interpreter", "compiled_model"):
        assert f"largest difference of a logit from Keras's, {runtime}" in failed
        assert f"text differs from Keras's beyond rounding, seed 1, {runtime}" in failed
        assert figures[f"characters like Keras's, seed 1, {runtime}"] < 500
    assert "text differs from Keras's beyond rounding, generate.py" in failed


def test_a_difference_beyond_rounding_is_found(expected):
    def difference(written):
        return expected.check_text("file", "", written, 1.0).value

    text = expected.texts[1.0]
    assert difference(text) == "no"
    for index in (0, 7, 9, 499):
        other = "a" if text[index] != "a" else "b"
        changed = text[:index] + other + text[index + 1 :]
        assert difference(changed) == f"at character {index}"
        short = text[:index] + other
        assert difference(short) == f"at character {index}"
    assert difference(text[:-1]) == "at character 499"


def test_rounding_decides_only_at_the_border_of_two_tokens():
    logits = np.log(np.array([0.2, 0.3, 0.5], np.float32))
    assert possible_tokens(logits, 0.2) == {0, 1}
    assert possible_tokens(logits, 0.20001) == {0, 1}
    assert possible_tokens(logits, 0.2003) == {1}
    assert possible_tokens(logits, 0.1997) == {0}
    # Weights of 0.04, 0.09 and 0.25.
    assert possible_tokens(logits, 0.04 / 0.38, temperature=0.5) == {0, 1}
    assert possible_tokens(logits, 0.9, temperature=0.0) == {2}
    # The second is kept if 0.3 / 0.5 rounds to 0.6 or more; the first never is.
    assert possible_tokens(logits, 0.1, min_p=0.6) == {1, 2}
    close = np.array([1.0, 1.00003, 0.0], np.float32)
    assert possible_tokens(close, 0.9, temperature=0.0) == {0, 1}
    assert possible_tokens(close, 0.0, top_k=1) == {0, 1}


def test_the_loss_is_that_of_the_whole_text_read_once(expected):
    model = build(0.8)
    logits = model.predict_on_batch(HELD_OUT[None, :-1])[0]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert expected.loss == pytest.approx(float(loss(HELD_OUT[1:], logits)), abs=1e-5)
    assert expected.num_characters == 400


@pytest.mark.parametrize("count", [1, 999, 1000, 1001, 2500])
def test_what_is_computed_in_chunks_is_that_of_the_whole(count):
    rng = np.random.default_rng(count)
    one = rng.normal(0, 3, (count, 7)).astype(np.float32)
    targets = rng.integers(0, 7, count)
    chosen = one[np.arange(count), targets].astype(np.float64)
    expected = np.mean(np.log(np.exp(one.astype(np.float64)).sum(axis=1)) - chosen)
    assert cross_entropy(one, targets) == pytest.approx(expected, rel=1e-12)


def test_cross_entropy_of_one_position_by_hand():
    logits = np.log(np.array([[0.2, 0.5, 0.3]]))
    assert cross_entropy(logits, np.array([2])) == pytest.approx(-np.log(0.3))


def test_common_length_is_the_first_difference():
    assert common_length("abcd", "abxd") == 2
    assert common_length("abc", "abcd") == 3
    assert common_length("", "a") == 0


@pytest.mark.parametrize(
    "length", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 50, 1002))]
)
def test_a_short_held_out_text_is_accepted(length):
    held_out = np.resize(HELD_OUT, length)
    expected = Expected(build(0.8), VOCABULARY, held_out)
    assert expected.num_characters == length - 1


def test_a_held_out_text_of_one_character_is_refused():
    with pytest.raises(ValueError, match="has 1 characters; give at least 2"):
        Expected(build(0.8), VOCABULARY, HELD_OUT[:1])
