"""Keystrokes saved, compared with typing character by character."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.scores.keystrokes import (
    Ranks,
    Typing,
    measure_keystrokes,
    typical_passage,
)
from kerasseq.text.keyboard import OWN_WORDS, TypedText, TypedVocabulary
from kerasseq.text.words import SPECIALS

WORDS = (*SPECIALS, ".", "3", "a", "An", "and", "ant", "b", "Bee", "bees", "é")
VOCABULARY = TypedVocabulary(WORDS)
FIRST = VOCABULARY.first


def by_hand(scores, id: int, word: str, own: dict[int, str]) -> tuple[list[int], int]:
    """Characters typed for 1, 3 and 5 suggestions, and the rank before any."""
    offered = dict(enumerate(VOCABULARY.lower_cased.words)) | own
    typed, rank = [], 0
    for most in (1, 3, 5):
        for count in range(len(word) + 1):
            fits = [
                other
                for other in offered
                if other >= FIRST and offered[other].startswith(word[:count])
            ]
            fits.sort(key=lambda other: (-scores[other], other))
            if count == 0 and offered.get(id) == word and id in fits:
                rank = fits.index(id) + 1
            if count == len(word) or (id in fits[:most] and offered[id] == word):
                typed.append(count)
                break
    return typed, rank


@given(
    st.lists(
        st.sampled_from([*WORDS[3:], "unknown", "under", "AND", "bee's", ",", "42"]),
        min_size=1,
        max_size=12,
    ),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_it_is_typing_character_by_character(words, seed, own_words):
    text = TypedText.from_text(" ".join(words))
    size = len(WORDS) + (OWN_WORDS if own_words else 0)
    # Few distinct scores, so that there are ties.
    scores = np.random.default_rng(seed).integers(0, 4, (len(words), size))
    parts = [scores[:1], scores[1:]]
    asked = []
    typing = measure_keystrokes(
        lambda ids: (asked.append(ids.tolist()), parts)[1],
        text,
        VOCABULARY,
        own_words=own_words,
    )
    ids = VOCABULARY.encode(" ".join(words)).tolist()
    if own_words:
        ids = VOCABULARY.encode_own(words)[0].tolist()
    assert asked == [[VOCABULARY.start, *ids[:-1]]]
    expected, own = [], {}
    for row, id, word in zip(scores, ids, map(str.lower, words), strict=True):
        if any(map(str.isalpha, word)):
            expected.append((len(word), *by_hand(row, id, word, own)))
        if id >= len(WORDS):
            own[id] = word
    found = list(zip(*(each.tolist() for each in typing), strict=True))
    assert found == expected


def test_ranks_after_each_character_by_hand():
    ranks = Ranks(VOCABULARY.lower_cased.words, FIRST)
    #                  specials . 3  a An and ant b Bee bees é
    scores = np.array([9, 9, 9, 9, 9, 1, 5, 3, 4, 6, 7, 3, 2])
    # Before any character bee 7, b 6, an 5 and ant 4 precede "and"; bees does not.
    assert ranks(scores, WORDS.index("and")).tolist() == [5, 3, 3, 1]
    assert ranks(scores, WORDS.index("bees")).tolist() == [6, 3, 2, 2, 1]


def test_hit_rates_and_savings_by_hand():
    letters = np.array([[3, 0, 0], [4, 2, 1], [1, 1, 1], [8, 8, 8]])
    typing = Typing(np.array([3, 4, 1, 8]), letters, np.array([1, 4, 3, 0]))
    assert typing.hit_rate(1) == 0.25
    assert typing.hit_rate(3) == 0.5
    # 1 + 3 + 2 + 9 keys for 4 + 5 + 2 + 9.
    assert typing.saved() == pytest.approx(1 - 15 / 20)
    assert typing.figures() == {
        "hit rate at 1": 0.25,
        "hit rate at 3": 0.5,
        "hit rate at 5": 0.75,
        "keystrokes saved": pytest.approx(0.25),
        "keystrokes saved with 1 suggestion": 0,
        "keystrokes saved with 5 suggestions": pytest.approx(0.3),
    }


def test_a_perfect_keyboard_needs_a_tap_per_word_and_a_blind_one_saves_nothing():
    text = TypedText.from_text("a bee and an ant")
    ids = VOCABULARY.encode("a bee and an ant")
    perfect = measure_keystrokes(lambda _: [np.eye(len(WORDS))[ids]], text, VOCABULARY)
    assert not perfect.letters.any() and perfect.hit_rate(1) == 1
    assert perfect.saved() == pytest.approx(1 - 5 / 17)
    other = TypedText.from_text("zebras zoom")
    blind = measure_keystrokes(lambda _: [np.ones((2, len(WORDS)))], other, VOCABULARY)
    assert blind.saved() == 0 and blind.hit_rate(3) == 0


def thrice(letters: np.ndarray) -> np.ndarray:
    """The same for 1, 3 and 5 suggestions."""
    return np.repeat(letters[:, None], 3, axis=1)


def test_a_typical_passage_saves_the_fraction_of_the_whole():
    text = TypedText.from_text("aa aa . bb bb , . cc cc . dd 3 dd")
    # The four sentences save 0, 2, 1 and 1 of 2 characters; the last is like the whole.
    letters = np.array([2, 2, 0, 0, 1, 1, 1, 1])
    ours = Typing(np.full(8, 2), thrice(letters), np.ones(8))
    other = Typing(np.full(8, 2), thrice(np.arange(8)), np.ones(8))
    found = typical_passage(text, {"ours": ours, "other": other}, 3)
    assert found == {
        "ours": [("cc", 1), ("cc", 1), (".", None)],
        "other": [("cc", 4), ("cc", 5), (".", None)],
    }
    short = TypedText.from_text("aa aa")
    [(_, passage)] = typical_passage(
        short, {"": Typing(np.full(2, 2), thrice(np.full(2, 1)), np.ones(2))}
    ).items()
    assert passage == [("aa", 1), ("aa", 1)]
