"""Pieces of words: longest match, any text comes back, and what is learned."""

import collections
import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.text.subwords import FIRST_PIECE, LONGEST_PIECE, Subwords
from tests.support.twelve_sentences import SENTENCES

TEXTS = [
    *SENTENCES,
    *("Zwei Männer grüßen, zwei Hunde bellen.", "我们在河边。", "1998 2016") * 3,
]
VOCABULARY = Subwords.learn(TEXTS, size=600, least=2)
# Few characters, so that long matches, their beginnings and their ends all occur.
CROWDED = Subwords(
    ("ab", "abc", "bcd", " a", "cdab", "ää", "ä", "abcdabcd", "𝄞b", "\0\n", "\ufeff")
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
CROWDED_TEXT = st.text("abcdä𝄞 \0\n", max_size=40)


def by_regular_expression(vocabulary: Subwords, text: str) -> list[int]:
    """The ids by an alternation, which takes the first that matches: the longest."""
    pieces = sorted(map(str.encode, vocabulary.pieces), key=len, reverse=True)
    ids = {piece.encode(): 259 + i for i, piece in enumerate(vocabulary.pieces)}
    any_piece = re.compile(b"|".join([*map(re.escape, pieces), b"."]), re.DOTALL)
    found = any_piece.findall(b" " + text.encode())
    return [ids[each] if each in ids else 3 + each[0] for each in found]


# --- dividing


def test_encode_by_hand():
    ids = CROWDED.encode("abcdabcdä")
    # A space and an a; then b, c, d, since "bcd" is longest there; "abcd" is no piece.
    assert ids.tolist() == [262, 261, 260, 103, 265]
    assert ids.dtype == np.int32
    assert CROWDED.encode("").tolist() == [35]
    assert CROWDED.encode("é").tolist() == [35, 3 + 0xC3, 3 + 0xA9]
    assert Subwords(()).encode("a").tolist() == [35, 100]


@settings(max_examples=200, deadline=None)
@given(st.one_of(TEXT, CROWDED_TEXT, st.sampled_from(TEXTS)))
def test_division_is_longest_match_and_gives_the_text_back(text):
    for vocabulary in (VOCABULARY, CROWDED):
        ids = vocabulary.encode(text)
        assert ids.tolist() == by_regular_expression(vocabulary, text)
        assert vocabulary.decode(ids) == text


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, len(VOCABULARY) - 1), max_size=20))
def test_any_ids_decode_and_marks_are_left_out(ids):
    contents = [VOCABULARY.pieces[i - 259].encode() for i in ids if i >= 259]
    singles = [bytes([i - 3]) for i in ids if 3 <= i < 259]
    if not singles or not contents:
        expected = b"".join(contents or singles).decode("utf-8", "replace")
        assert VOCABULARY.decode(ids) == expected.removeprefix(" ")
    assert VOCABULARY.decode([1, *ids, 0, 2]) == VOCABULARY.decode(np.array([ids]))


def test_half_characters_are_replaced_and_pairs_joined():
    text = "a\ud800b\udc00\ud834\udd1e\ud834"
    assert VOCABULARY.decode(VOCABULARY.encode(text)) == "a\ufffdb\ufffd𝄞\ufffd"
    singles = [3 + byte for byte in b"\xc3(\xe2\x82"]
    assert VOCABULARY.decode(singles) == "\ufffd(\ufffd"
    assert Subwords.learn(["x\ud800"] * 20).pieces == ("\ufffd", " x")


# --- learning


@settings(max_examples=50, deadline=None)
@given(
    # Of characters that every version of Unicode knows.
    st.lists(st.text(st.characters(max_codepoint=0x24F)) | CROWDED_TEXT, max_size=5),
    st.integers(259, 400),
    st.integers(1, 4),
)
def test_learned_pieces_are_few_occur_often_and_stay_within_words(texts, size, least):
    vocabulary = Subwords.learn(texts * 2, size, least)
    assert vocabulary == Subwords.learn(texts * 2, size, least)
    assert len(vocabulary) <= size
    spaced = [" " + text for text in texts]
    for piece in vocabulary.pieces:
        assert len(piece) <= LONGEST_PIECE
        beginnings = re.compile(f"(?={re.escape(piece)})")  # they may overlap
        assert 2 * sum(len(beginnings.findall(text)) for text in spaced) >= least
        if len(piece) > 1:  # a single character may be white space
            inside = piece.removeprefix(" ")
            assert " " not in inside
            assert len(set(map(kind_of, inside))) == 1


def kind_of(character: str) -> str:
    """Letter, digit or mark, which form no piece together."""
    category = unicodedata.category(character)[0]
    return category if category == "N" else "L" if category in "LM" else "P"


def test_bytes_and_the_most_frequent_characters_come_first():
    texts = ["äöä ö日"] * 2 + ["ä"]
    assert Subwords.learn(texts, least=2).pieces[:3] == ("ä", "ö", "日")
    assert Subwords.learn(texts, least=3).pieces[:3] == ("ä", "ö", " ä")
    assert Subwords.learn(texts, size=260, least=2).pieces == ("ä",)
    assert Subwords.learn(texts, size=259, least=2).pieces == ()
    assert Subwords.learn([]).pieces == ()


def test_the_size_follows_from_the_texts():
    few, many = (len(Subwords.learn(SENTENCES * times)) for times in (5, 20))
    assert FIRST_PIECE < few < many
    with pytest.raises(ValueError, match="size=258 has no room for the 256 bytes"):
        Subwords.learn(SENTENCES, size=258)


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["1", "2", "7"])
def test_every_process_learns_the_same_pieces(threads):
    program = (
        "import json, sys; from kerasseq.text.subwords import Subwords\n"
        "print(Subwords.learn(json.load(sys.stdin), least=1).to_json())"
    )
    environment = os.environ | {"RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        input=json.dumps(SENTENCES).encode(),
        capture_output=True,
    )
    # Many pairs are equally frequent here.
    expected = Subwords.learn(SENTENCES, least=1)
    assert json.loads(done.stdout)["pieces"] == list(expected.pieces)


# --- files


def test_vocabulary_round_trips_through_json(tmp_path):
    path = VOCABULARY.save(tmp_path / "vocabulary.json")
    assert Subwords.load(path) == VOCABULARY
    assert json.loads(path.read_text("utf-8")) == {"pieces": list(VOCABULARY.pieces)}
    VOCABULARY.require_size(FIRST_PIECE + len(VOCABULARY.pieces))
    with pytest.raises(ValueError, match="has 270 ids but the model 10; use"):
        CROWDED.require_size(10)


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        (["ab", "a"], "'a' has 1 characters; a piece has 2 bytes to 16"),
        (["a" * 17], "'aaaaaaaaaaaaaaaaa' has 17 characters; a piece has"),
        (["ab", ""], "'' is not a name"),
        (["ab", "cd", "ab"], "'ab' is listed twice"),
        (["ab", 5], "5 is not a name"),
        (["ab", "a\ud800"], r"the lone surrogate U\+D800"),
        ("ab", "no list under the key 'pieces'"),
        (None, "no list under the key 'pieces'"),
    ],
)
def test_load_refuses_other_pieces(tmp_path, pieces, message):
    path = tmp_path / "vocabulary.json"
    path.write_text(json.dumps({"pieces": pieces}))
    with pytest.raises(ValueError, match=message) as refusal:
        Subwords.load(path)
    assert str(refusal.value).startswith(f"{path} is not a vocabulary of pieces")
    assert str(refusal.value).endswith('should read {"pieces": [" the", "ing", ...]}')


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ((5,), "5 is not text"),
        (("a\ud800",), r"'a\\ud800' is not text"),
        (("",), "'' has 0 characters"),
        (("ab", "ab"), "'ab' is listed twice"),
    ],
)
def test_pieces_are_checked(pieces, message):
    with pytest.raises(ValueError, match=message):
        Subwords(pieces)


def test_load_refuses_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match="is not a vocabulary of pieces"):
        Subwords.load(tmp_path / "missing.json")


# --- a large file


@pytest.mark.slow
@pytest.mark.skipif(
    "KERASSEQ_DATA" not in os.environ,
    reason="KERASSEQ_DATA names no folder with translation_train.tsv",
)
def test_pairs_of_sentences():
    path = Path(os.environ["KERASSEQ_DATA"]) / "translation_train.tsv"
    lines = path.read_text("utf-8").splitlines()
    texts = [text for line in lines for text in line.split("\t")]
    vocabulary = Subwords.learn(texts)
    assert 5_000 < len(vocabulary) <= 8_000
    ids = [vocabulary.encode(text) for text in texts]
    assert list(map(vocabulary.decode, ids)) == texts
    for text, found in zip(texts[:200], ids[:200], strict=True):
        assert found.tolist() == by_regular_expression(vocabulary, text)
    counts = collections.Counter(np.concatenate(ids).tolist())
    # The merges of `tokenizers` give 15.05 ids a sentence.
    assert counts.total() < 15.05 * len(texts)
