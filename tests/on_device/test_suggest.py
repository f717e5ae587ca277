"""suggest.py, as a command and as a class."""

import contextlib
import functools
import json
import re
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.files.tflite import convert, write_tflite
from kerasseq.models.next_word import NextWordConfig, build_next_word_model
from kerasseq.on_device import suggest as suggest_program
from kerasseq.on_device.card import CONTRACT_VERSION
from kerasseq.on_device.card import WORDS as KIND
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.suggest import Keyboard
from kerasseq.signatures.next_word import NextWordOnText, suggest
from kerasseq.signatures.next_word_on_ids import NextWordOnIds
from kerasseq.signatures.states import named_states, state_specs, states_in_order
from kerasseq.text.keyboard import OWN_WORDS, TypedVocabulary
from kerasseq.text.words import SPECIALS
from tests.support.programs import run_program

WORDS = (*SPECIALS, ".", "3", "a", "I", "I'm", "king", "kin", "Rome", "of", "the", "ß")
RARE = ("keg", "Xenia", "xylo")
ALL = WORDS + RARE
VOCABULARY = TypedVocabulary(ALL, len(RARE))


@pytest.fixture(scope="module")
def next_word() -> NextWordOnIds:
    config = NextWordConfig(len(WORDS), units=7, embedding_size=3, num_layers=2)
    model = build_next_word_model(config)
    numbers = np.random.default_rng(29)
    model.set_weights([numbers.normal(0, 0.9, w.shape) for w in model.get_weights()])
    return NextWordOnIds(model, len(RARE))


@pytest.fixture(scope="module")
def module(next_word) -> NextWordOnText:
    return NextWordOnText(next_word, VOCABULARY)


@pytest.fixture(scope="module")
def write(next_word, tmp_path_factory):
    """Writes a file like the recipe's, with any card."""
    flatbuffer = convert(next_word, next_word.device_signatures())
    card = {
        "contract": CONTRACT_VERSION,
        "kind": KIND,
        "vocabulary_size": len(ALL),
        "first_word": VOCABULARY.first,
        "own_words": OWN_WORDS,
        "state_shapes": next_word.state_shapes,
    }

    def written(vocabulary: str = VOCABULARY.to_json(), **changes: object) -> Path:
        return write_tflite(
            tmp_path_factory.mktemp("exported") / "model.tflite",
            flatbuffer,
            card | changes,
            {"vocabulary.json": vocabulary},
        )

    return written


@pytest.fixture(scope="module")
def exported(write) -> Path:
    return write()


def same(found: list[tuple[str, float]], expected: list[tuple[str, float]]) -> None:
    assert [word for word, _ in found] == [word for word, _ in expected]
    np.testing.assert_allclose([p for _, p in found], [p for _, p in expected], 1e-4)


PIECES = st.sampled_from(
    (
        *("the ", "The", "king", " k", "of", ". ", "? ", ", ", " ", "I'", "I", "ROM"),
        *(
            "ro",
            "zebra ",
            "Zoo",
            " z",
            "\n",
            "don\u2019t ",
            "ß",
            "SS",
            "3 ",
            "é",
            "\x00",
            "x",
        ),
    )
)
TEXTS = st.lists(st.lists(PIECES, max_size=6).map("".join), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def keyboard(exported) -> Keyboard:
    """One for all tests: what it read before must not matter."""
    return Keyboard(Model(exported))


@pytest.fixture(scope="module")
def exported_model(exported) -> Model:
    model = Model(exported)
    model.signatures = functools.cache(model.signatures)
    return model


@given(TEXTS, st.integers(1, len(WORDS)))
def test_it_suggests_what_keras_does_whatever_it_read_before(
    keyboard, module, texts, k
):
    for text in texts:
        same(keyboard.suggest(text, k), suggest(module, text, k))


@given(st.lists(st.tuples(TEXTS.map("".join), st.booleans()), min_size=1, max_size=4))
def test_neither_forgotten_words_nor_an_interruption_change_a_suggestion(
    keyboard, exported_model, texts
):
    step = keyboard._step

    def interrupted(**arrays):
        step(**arrays)
        raise KeyboardInterrupt

    with mock.patch.object(suggest_program, "REMEMBERED", 2):
        for text, interrupt in texts:
            if interrupt:
                with mock.patch.object(keyboard, "_step", interrupted):
                    with contextlib.suppress(KeyboardInterrupt):
                        keyboard.suggest(text + "the king ")
            assert keyboard.suggest(text) == Keyboard(exported_model).suggest(text)
            assert len(keyboard._memory[1]) <= 3  # the last two, and the beginning


def test_more_words_of_ones_own_than_ids(keyboard, module):
    """The first of them is offered again only where it was typed again."""
    words = [
        f"z{a}{b}" for a in "abcdefghijklmnopqrstuv" for b in "abcdefghijklmnopqrstuvw"
    ]
    text = " ".join(words[: OWN_WORDS + 1]) + " z"
    found = [word for word, _ in keyboard.suggest(text, 1000)]
    assert set(found) == {*words[1 : OWN_WORDS + 1]}
    same(keyboard.suggest(text, 9), suggest(module, text, 9))
    again = keyboard.suggest(f"{text} ZAA z", 1000)
    assert {word for word, _ in again} == {"ZAA", "z", *words[2:OWN_WORDS]}


def test_a_file_from_before_the_cache_still_suggests(next_word, write, tmp_path):
    """Its logits are those of V words, and its card says nothing of own words."""
    network, shapes = next_word._network, next_word._network.state_shapes

    class Before(tf.Module):
        @tf.function
        def step(self, token, **states):
            logits, after = network(token, states_in_order(states))
            return {"logits": logits, **named_states(after)}

    before = Before()
    before.network = network
    step = before.step.get_concrete_function(
        token=tf.TensorSpec((1,), tf.int32), **state_specs(shapes)
    )
    size = {"vocabulary_size": len(WORDS)}
    card = dict(Model(write()).card, state_shapes=shapes) | size
    del card["own_words"]
    path = write_tflite(
        tmp_path / "before.tflite",
        convert(before, {"step": step}),
        card,
        {"vocabulary.json": TypedVocabulary(WORDS).to_json()},
    )
    found = Keyboard(Model(path)).suggest("the zebra k")
    assert {word for word, _ in found} == {"king", "kin"}
    assert Keyboard(Model(path)).suggest("the zebra z") == []


def test_k_must_be_positive(keyboard):
    with pytest.raises(ValueError, match="k=0: give 1 or more"):
        keyboard.suggest("the ", 0)


def test_a_character_costs_no_step_and_a_word_one(exported):
    keyboard = Keyboard(Model(exported))
    step, count = keyboard._step, [0]

    def counted(**arrays):
        count[0] += 1
        return step(**arrays)

    keyboard._step = counted
    for text, steps in (
        ("", 1),  # the full stop before a text
        ("t", 0),
        ("the", 0),
        ("the ", 1),
        ("the king of Rome", 2),
        ("the king of Rome ", 1),
        ("the king of ", 1),  # a word is deleted
        ("the king of k", 0),
        ("a king ", 2),
        ("A  KING ", 0),
    ):
        count[0] = 0
        keyboard.suggest(text)
        assert count[0] == steps, text


def test_at_a_tie_the_lower_id_comes_first(exported):
    keyboard = Keyboard(Model(exported))
    states = keyboard._memory[1][0]
    logits = np.zeros((1, len(ALL) + OWN_WORDS), np.float32)
    logits[0, len(WORDS) - 2] = 1
    keyboard._step = lambda **_: {"logits": logits, **states}
    found = [word for word, _ in keyboard.suggest("a ", 6)]
    assert found == ["the", "a", "I", "I'm", "king", "kin"]


def test_the_command_prints_a_word_a_line(exported, module):
    done = run_program("suggest", exported, "The k", "-k", "2")
    assert (done.returncode, done.stderr) == (0, b"")
    expected = suggest(module, "The k", 2)
    lines = [f"{probability:.3f} {word}" for word, probability in expected]
    assert done.stdout.decode().splitlines() == lines


def test_each_line_of_standard_input_is_a_text(exported, module):
    texts = ["the ", "the k", "", "zzz", "ΟΔΟΣ i'"]
    done = run_program("suggest", exported, input="\n".join(texts).encode())
    assert (done.returncode, done.stderr) == (0, b"")
    expected = [
        "  ".join(f"{word} {p:.3f}" for word, p in suggest(module, text))
        for text in texts
    ]
    assert done.stdout.decode().split("\n") == [*expected, ""]


def refused(path: Path, *arguments: str) -> str:
    """The one line that the program prints when it exits with 2."""
    done = run_program("suggest", path, "the ", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("suggest.py: ")
    return line


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"kind": "encoder", "length": 7},
            "of the kind 'encoder', not 'next-word model'",
        ),
        ({"first_word": 99}, "first_word=99 is no id of 17 words"),
        ({"first_word": None}, "first_word is None, not a whole number"),
        ({"first_word": True}, "first_word is True, not a whole number"),
        (
            {"vocabulary": '{"characters": ["a"]}', "vocabulary_size": 1},
            "vocabulary.json has no words",
        ),
        ({"state_shapes": [[1, 7]]}, "step has the inputs"),
        ({"contract": 99}, "speaks contract 99"),
        (
            {"own_words": 3},
            "logits of step is float32[1, 517], where the card promises",
        ),
        ({"own_words": None}, "own_words is None, not a whole number"),
        *(
            (
                {"vocabulary": json.dumps({"words": ALL, "rare_words": number})},
                complaint,
            )
            for number, complaint in (
                (True, "rare_words is True, not a whole number"),
                (-1, "rare_words is -1, not a whole number"),
                (2, "no embedding of 15 rows"),
                (0, "no embedding of 17 rows"),
                (10**9, "no embedding of -999999983 rows"),
            )
        ),
        ({"vocabulary_size": 3}, "vocabulary.json has 17 words, the model 3"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_a_line(write, changes, complaint):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Keyboard(Model(write(**changes)))


def test_bad_arguments_and_files_exit_with_2_and_one_line(exported, tmp_path):
    assert "-k 0: give 1 to 1000" in refused(exported, "-k", "0")
    assert "missing.tflite cannot be read" in refused(tmp_path / "missing.tflite")
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(exported.read_bytes()[:-100])
    assert "not a whole .tflite" in refused(broken)
