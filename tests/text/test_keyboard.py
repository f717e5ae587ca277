"""Words as they are typed: the same in Python, in a graph and on a device."""

import json
import os
import re

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.on_device import suggest as device
from kerasseq.text.caret import Caret, capitalized
from kerasseq.text.in_graph import forms_in_graph, has_letter_in_graph
from kerasseq.text.keyboard import (
    LONGEST_WORD,
    SENTENCE_ENDS,
    TypedText,
    TypedVocabulary,
    has_letter,
)
from kerasseq.text.words import SPECIALS, lower_case

# What real texts contain, and what breaks programs.
FRAGMENTS = st.text(
    st.one_of(
        st.sampled_from("abIİẞΣς'’-_ \t\n\r\v\f\x85\xa0\u2028!?.…:;\"“(।؟"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)


@given(FRAGMENTS)
def test_a_device_splits_and_lower_cases_as_python_does(text):
    *words, last = device.divide(text + "x")
    caret = Caret.after(text)
    assert [device.lower_case(word.text) for word in words] == caret.words
    assert last.text[:-1] == caret.unfinished
    starts = not caret.words or caret.words[-1] in SENTENCE_ENDS
    for word in ("rome", "I", "d'or", "ße"):
        assert device.with_capitals(word, caret.unfinished, starts) == caret.writes(
            word
        )


@pytest.mark.parametrize(
    ("text", "words", "unfinished"),
    [
        ("", [], ""),
        ("The ki", ["the"], "ki"),
        ("The king ", ["the", "king"], ""),
        ("The king,", ["the", "king", ","], ""),
        ("The king\n", ["the", "king"], ""),
        ("Don\u2019", [], "Don'"),
        ("'t", ["'"], "t"),
        ("dogs' ", ["dogs", "'"], ""),
        ("la rue\u00a0", ["la", "rue"], ""),
        ("str\u00ad", [], "str"),
        ("x", [], "x"),
    ],
)
def test_a_text_ends_within_a_word_or_after_it(text, words, unfinished):
    assert Caret.after(text) == (words, unfinished)


@pytest.mark.parametrize(
    ("text", "word", "written"),
    [
        ("", "king", "King"),
        ("it is ", "king", "king"),
        ("it is. ", "king", "King"),
        ("it is… ", "king", "King"),
        ("वह है। ", "king", "King"),
        ("من هنا؟ ", "king", "King"),
        ("it is, ", "king", "king"),
        ("it is. k", "king", "king"),
        ("it is K", "king", "King"),
        ("it is KI", "king", "KING"),
        ("it is Ki", "king", "King"),
        ("it is I'", "I'm", "I'm"),
        ("it is r", "Rome", "Rome"),
        ("3", "3d", "3d"),
    ],
)
def test_a_word_is_capitalized_as_its_position_wants(text, word, written):
    assert Caret.after(text).writes(word) == written


def test_a_text_has_words_and_where_capitals_carry_no_meaning():
    text = TypedText.from_text('He said: "Go, Ann."\nSo Ann went.')
    forms = [text.forms[index] for index in text.ids]
    assert forms == 'He said : " Go , Ann . " So Ann went .'.split()
    free = [form for form, may in zip(forms, text.free, strict=True) if may]
    assert free == ["He", '"', "Go", '"', "So"]
    assert text.ids.dtype == np.int32 and len(set(text.forms)) == len(text.forms)


def test_the_last_tenth_is_held_out():
    train, held_out = TypedText.from_text("a b c d e f g h i j " * 3).split()
    assert (len(train.ids), len(held_out.ids)) == (27, 3)
    assert [held_out.forms[index] for index in held_out.ids] == ["h", "i", "j"]


TEXT = "Paris, I say: Paris. the Nice nice nice (4 4) THE The the, once" + "z" * 99


def test_the_vocabulary_has_frequent_words_in_their_usual_form():
    vocabulary = TypedVocabulary.from_text(TypedText.from_text(TEXT))
    assert vocabulary.words[3:] == (",", "4", "the", "nice", "Paris")
    assert vocabulary.first == 5
    # A capital at the start of a sentence does not count: "The" follows a full stop.
    other = TypedText.from_text("The. The. The. The. a the the")
    assert TypedVocabulary.from_text(other).words[3:] == (".", "the")
    # Where there is no other evidence, it counts.
    other = TypedText.from_text("Yes\nYes\nno a no")
    assert TypedVocabulary.from_text(other).words[3:] == ("no", "Yes")


def test_a_word_is_listed_once_whatever_space_or_quotation_mark_is_beside_it():
    text = "La rue est là. Une rue\u00a0! La rue\u202f; «\u00a0rue\u00a0» (rue)\n" * 2
    words = TypedVocabulary.from_text(TypedText.from_text(text)).words
    assert [word for word in words if "rue" in word.lower()] == ["rue"]
    text = "'I see him,' said Tom. 'I do.'\nI know them, I know. 'The dogs\u2019'\n" * 2
    words = TypedVocabulary.from_text(TypedText.from_text(text)).words
    rest = "' , . I know do dogs him said see The them Tom"
    assert set(words[3:]) == set(rest.split())


def test_a_capital_after_a_sentence_s_end_of_any_script_says_nothing():
    text = TypedText.from_text("है। Rome ؟ Rome 。 Rome ' Rome \u2018 Rome, ¿Rome")
    free = [form for form, may in zip(text.ids, text.free, strict=True) if may]
    assert free.count(text.forms.index("Rome")) == 6


def test_the_vocabulary_is_as_large_as_it_may_be():
    text = TypedText.from_text("a a a b b b . . c c d")
    words = TypedVocabulary.from_text(text, most=3).words
    assert words[3:] == (".", "a", "b")
    assert TypedVocabulary.from_text(text, most=2).words[3:] == ("a", "b")
    assert TypedVocabulary.from_text(text, least_count=1).words[3:] == (*".abcd",)
    assert TypedVocabulary.from_text(text, least_count=3).words[3:] == ("a", "b")
    with pytest.raises(ValueError, match="no word of the text is in it 4 times"):
        TypedVocabulary.from_text(text, least_count=4)
    long = TypedText.from_text(f"{'x' * LONGEST_WORD} {'y' * (LONGEST_WORD + 1)} " * 2)
    assert TypedVocabulary.from_text(long).words[3:] == ("x" * LONGEST_WORD,)


def test_rare_words_come_last_and_are_in_the_text():
    text = TypedText.from_text("a a . . 4 4 c c d d Zoo b 5 zoo e f a b g h h")
    train, _ = text.split()
    vocabulary = TypedVocabulary.from_text(train, most=4, most_rare=3)
    assert vocabulary.words[3:] == (".", "4", "a", "b", "c", "d", "zoo")
    assert (vocabulary.num_known, vocabulary.num_rare, vocabulary.first) == (7, 3, 5)
    # Neither numbers, nor words that only the held-out end has.
    every = TypedVocabulary.from_text(train, most_rare=99)
    assert every.words[every.num_known :] == ("e", "f", "g")
    assert TypedVocabulary.from_text(train, most=4).num_rare == 0


def test_rare_words_are_saved_and_loaded(tmp_path):
    vocabulary = TypedVocabulary((*SPECIALS, ".", "a", "b", "c"), num_rare=2)
    path = vocabulary.save(tmp_path / "vocabulary.json")
    assert json.loads(path.read_text())["rare_words"] == 2
    assert TypedVocabulary.load(path) == vocabulary
    words = '{"words": ["<PAD>", "<UNK>", "<MASK>", "a", "b"], "rare_words": %s}'
    for number in ("-1", "2", "1.0", "true", "null", '"1"'):
        path.write_text(words % number)
        with pytest.raises(ValueError, match=r"rare_words is .* from 0 to 1"):
            TypedVocabulary.load(path)


def test_punctuation_alone_is_no_vocabulary():
    with pytest.raises(ValueError, match="no word of the text"):
        TypedVocabulary.from_text(TypedText.from_text(". . 3 3"))
    with pytest.raises(ValueError, match="none of 5 words has a letter"):
        TypedVocabulary(("<PAD>", "<UNK>", "<MASK>", ".", "3"))


@given(FRAGMENTS)
def test_a_text_has_the_same_ids_as_a_whole_and_word_by_word(text):
    vocabulary = TypedVocabulary.from_text(TypedText.from_text(TEXT))
    typed = TypedText.from_text(text)
    ids = vocabulary.encode(text)
    assert vocabulary.encode_typed(typed).tolist() == ids.tolist()
    lowered = [lower_case(typed.forms[index]) for index in typed.ids]
    known = {lower_case(word): id for id, word in enumerate(vocabulary.words)}
    assert ids.tolist() == [known.get(word, 1) for word in lowered]


def test_a_text_starts_as_after_a_full_stop():
    text = TypedText.from_text("a . a .")
    assert TypedVocabulary.from_text(text).start == 3
    assert TypedVocabulary.from_text(TypedText.from_text("a a")).start == 1


def test_a_vocabulary_is_saved_and_loaded(tmp_path):
    vocabulary = TypedVocabulary.from_text(TypedText.from_text(TEXT))
    path = vocabulary.save(tmp_path / "vocabulary.json")
    assert TypedVocabulary.load(path) == vocabulary
    assert json.loads(path.read_text())["words"][-1] == "Paris"


@pytest.mark.parametrize(
    ("content", "quoted"),
    [
        ("", "Expecting value"),
        ("[]", "no list under the key"),
        ('{"words": ["a"]}', "the words begin with"),
        ('{"words": ["<PAD>", "<UNK>", "<MASK>", "a b"]}', "'a b' is not one word"),
        ('{"words": ["<PAD>", "<UNK>", "<MASK>", "A", "a"]}', "'a' is in the voc"),
        ('{"words": ["<PAD>", "<UNK>", "<MASK>", 3]}', "3 is not a name"),
        ('{"words": ["<PAD>", "<UNK>", "<MASK>", "."]}', "has a letter"),
    ],
)
def test_what_is_no_vocabulary_is_refused(tmp_path, content, quoted):
    path = tmp_path / "vocabulary.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=re.escape(quoted)) as caught:
        TypedVocabulary.load(path)
    assert os.fspath(path) in str(caught.value)


@given(st.lists(st.text(min_size=1), max_size=5))
def test_letters_and_capitals_in_a_graph_are_python_s(words):
    words = [word.encode("utf-8", "replace").decode() for word in words]
    found = has_letter_in_graph(tf.constant(words, tf.string)).numpy().tolist()
    assert found == [has_letter(word) for word in words]
    forms = forms_in_graph(tf.constant(words, tf.string)).numpy().tolist()
    expected = [words, [*map(capitalized, words)], [word.upper() for word in words]]
    assert [[word.decode() for word in row] for row in forms] == expected
