"""Words: the same in Python and in a graph."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.text.in_graph import WordTable, divide_in_graph, lower_case_in_graph
from kerasseq.text.words import (
    PAD,
    SPECIALS,
    UNKNOWN,
    WordVocabulary,
    about_spaces,
    read_sentences,
    split_words,
)
from tests.support.twelve_sentences import SENTENCES

VOCABULARY = WordVocabulary.from_sentences(SENTENCES)


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def graph(sentences):
    words, _ = divide_in_graph(sentences)
    _, lowered = lower_case_in_graph(words.flat_values)
    return words.with_flat_values(tf.strings.reduce_join(lowered, axis=-1))


def in_graph(*sentences: bytes) -> list[list[str]]:
    words = graph(tf.constant(sentences, tf.string, shape=[len(sentences)]))
    return [[word.decode() for word in row] for row in words.to_list()]


# --- splitting


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("", []),
        (" \t\n\v\f\r", []),
        (" The bank\tof\n\nthe  RIVER. ", ["the", "bank", "of", "the", "river", "."]),
        ("ΟΔΟΣ ΣΔΣ", ["οδοσ", "σδσ"]),  # str.lower ends them in ς
        ("İI", ["i\u0307i"]),
        ("ß ẞ", ["ß", "ß"]),
        ("\u13a0 \uab70", ["\uab70", "\uab70"]),  # Cherokee, whose capitals came first
        ("\u2c2f \U00010570", ["\u2c5f", "\U00010597"]),  # of Unicode 14
        ("A\0B C", ["a\0b", "c"]),
        # U+001C is no white space, though str.split splits at it.
        ("a\u00a0b\u2003c\u2028d\x85e\x1cf", ["a", "b", "c", "d", "e\x1cf"]),
        ("\ufeffA", ["a"]),
        ("String string. STRING,", ["string", "string", ".", "string", ","]),
        ("日本 Ünï", ["日本", "ünï"]),
    ],
)
def test_split_words_by_hand(sentence, words):
    assert split_words(sentence) == words
    assert in_graph(sentence.encode()) == [words]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=4))
def test_graph_and_python_split_alike(sentences):
    expected = [split_words(sentence) for sentence in sentences]
    assert in_graph(*(sentence.encode() for sentence in sentences)) == expected


@pytest.mark.slow
def test_graph_and_python_split_every_code_point_alike():
    points = [p for p in range(0x110000) if not 0xD800 <= p < 0xE000]
    sentences = [
        " ".join(f"x{chr(point)}Y" for point in points[start : start + 4096])
        for start in range(0, len(points), 4096)
    ]
    expected = [split_words(sentence) for sentence in sentences]
    assert in_graph(*(sentence.encode() for sentence in sentences)) == expected


def test_splitting_again_changes_nothing():
    text = "".join(chr(p) for p in range(0x110000) if not 0xD800 <= p < 0xE000)
    words = split_words(text)
    assert split_words(" ".join(words)) == words


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=12))
def test_bytes_that_are_not_utf8_become_replacement_characters(data):
    assert in_graph(data) == [split_words(data.decode("utf-8", "replace"))]


def test_words_that_occur_too_rarely_are_left_out():
    sentences = ["b a c b", "a b d", "e d"]
    vocabulary = WordVocabulary.from_sentences(sentences, least=2)
    assert vocabulary.words[len(SPECIALS) :] == ("b", "a", "d")
    assert WordVocabulary.from_sentences(sentences, 2, least=2).words[-1] == "a"
    with pytest.raises(ValueError, match="none of 5 words occurs 4 times"):
        WordVocabulary.from_sentences(sentences, least=4)


# --- the vocabulary


def test_vocabulary_orders_words_by_frequency_then_alphabet():
    vocabulary = WordVocabulary.from_sentences(["é b a C", "c B c"])
    assert vocabulary.words == ("<PAD>", "<UNK>", "<MASK>", "c", "b", "a", "é")
    assert len(vocabulary) == 7
    ids = vocabulary.encode("É x A")
    assert ids.tolist() == [6, UNKNOWN, 5]
    assert ids.dtype == np.int32
    assert vocabulary.encode(" ").shape == (0,)
    assert vocabulary.decode(np.array([[6, UNKNOWN], [5, PAD]])) == "é <UNK> a"


def test_vocabulary_takes_the_most_frequent_words_at_most():
    vocabulary = WordVocabulary.from_sentences(["b a c", "c b c"], most=2)
    assert vocabulary.words[3:] == ("c", "b")
    assert vocabulary.encode("a b").tolist() == [UNKNOWN, 4]


def test_a_sentence_cannot_contain_a_special_word():
    vocabulary = WordVocabulary.from_words(["<mask>", "<PAD>", "word"])
    assert vocabulary.words[3:] == ("<mask>", "<pad>", "word")
    for special in SPECIALS:
        assert VOCABULARY.encode_words([special]).tolist() == [UNKNOWN]
        row = tf.ragged.constant([[special]])
        assert WordTable(VOCABULARY)(row).numpy().tolist() == [[UNKNOWN]]
    assert vocabulary.encode_words(["<MASK>"]).tolist() == [3]
    assert vocabulary.encode("<MASK>").tolist() == [UNKNOWN] * 3


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8")), max_size=5))
def test_vocabulary_round_trips_through_json(tmp_path_factory, sentences):
    vocabulary = WordVocabulary.from_sentences([*sentences, "word"])
    path = vocabulary.save(tmp_path_factory.mktemp("words") / "vocabulary.json")
    assert WordVocabulary.load(path) == vocabulary
    assert json.loads(path.read_text("utf-8")) == {"words": list(vocabulary.words)}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], r"begin with \(\); .* lists <PAD>, <UNK>, <MASK> and then"),
        ([*SPECIALS], "and then at least one word"),
        (["<UNK>", "<PAD>", "<MASK>", "a"], "begin with"),
        ([*SPECIALS, "The"], "'The' is not one word in lower case"),
        ([*SPECIALS, "a b"], "'a b' is not one word"),
        ([*SPECIALS, ""], "'' is not a name"),
        ([*SPECIALS, "a", "<MASK>"], "'<MASK>' is listed twice"),
        ([*SPECIALS, 5], "5 is not a name"),
        ([*SPECIALS, ["a"]], r"\['a'\] is not a name"),
        ([*SPECIALS, "a\ud800"], r"the lone surrogate U\+D800"),
        ([*SPECIALS, "a", "b", "a"], "'a' is listed twice"),
        ("abc", "no list under the key 'words'"),
        (None, "no list under the key 'words'"),
    ],
)
def test_load_refuses_other_words(tmp_path, words, message):
    path = tmp_path / "vocabulary.json"
    path.write_text(json.dumps({"words": words}))
    with pytest.raises(ValueError, match=message) as refusal:
        WordVocabulary.load(path)
    assert f"{path} is not a vocabulary of words" in str(refusal.value)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"characters": ["a"]}'])
def test_load_refuses_other_files(tmp_path, content):
    path = tmp_path / "vocabulary.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r'should read \{"words": \["<PAD>"'):
        WordVocabulary.load(path)
    with pytest.raises(ValueError, match="is not a vocabulary of words"):
        WordVocabulary.load(tmp_path / "missing.json")


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ([], "at least one word"),
        ([" "], "at least one word"),
        (["\udc80"], "surrogate"),
    ],
)
def test_from_sentences_refuses(sentences, message):
    with pytest.raises(ValueError, match=message):
        WordVocabulary.from_sentences(sentences)


# --- the vocabulary in a graph


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([*VOCABULARY.words, "zzz", "THE"])).map(" ".join),
        min_size=1,
        max_size=4,
    )
)
def test_table_is_encode_and_pad(sentences):
    ids = WordTable(VOCABULARY)(divide_in_graph(tf.constant(sentences))[0])
    assert ids.dtype == tf.int32
    expected = keras.utils.pad_sequences(
        [VOCABULARY.encode(sentence) for sentence in sentences], padding="post"
    )
    np.testing.assert_array_equal(ids, expected)


# --- sentences


def test_read_sentences(tmp_path):
    path = tmp_path / "sentences.txt"
    path.write_bytes("\ufeffOne a.\r\n\r\n \t\nTwo\u2028b\rThree".encode())
    assert read_sentences(path) == ("One a.", "Two\u2028b", "Three")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\n \r\n", "holds no words"), (b"", "is empty"), (b"a\xff", "is not UTF-8")],
)
def test_read_sentences_refuses(tmp_path, content, message):
    path = tmp_path / "sentences.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_sentences(path)


def test_what_is_too_long_for_a_word_is_left_out():
    vocabulary = WordVocabulary.from_sentences([f"a {'b' * 60} {'c' * 61}"])
    assert vocabulary.words[len(SPECIALS) :] == ("a", "b" * 60)


def test_a_writing_without_spaces_is_told_from_others_by_its_letters():
    for text in (
        "（使用 --cached 保留本地文件，或用 -f 强制删除）",
        "ตัวเลือกที่เปิดใช้: %s",
    ):
        assert "no spaces between words" in about_spaces(text)
    for text in ("", "1 + 1 = 2 ...", "है। नहीं", "안녕 하세요", "He said 你好 to them."):
        assert about_spaces(text) == ""
