"""Scores, compared with nervaluate's, and the lookup by hand."""

import nervaluate
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.tagged import TaggedSentence
from kerasseq.scores.entities import (
    OVERALL,
    EntityLookup,
    EntityScore,
    score_entities,
)
from kerasseq.text.tags import may_follow, tag_names

KINDS = ["overall", "creative-work", "person"]  # whatever a kind is called


@st.composite
def legal(draw, length: int) -> list[str]:
    names, tags = tag_names(KINDS), ["O"]
    for _ in range(length):
        tags.append(
            draw(st.sampled_from([n for n in names if may_follow(tags[-1], n)]))
        )
    return tags[1:]


@st.composite
def pairs(draw) -> list[tuple[list[str], list[str]]]:
    lengths = draw(st.lists(st.integers(1, 8), min_size=1, max_size=5))
    return [(draw(legal(length)), draw(legal(length))) for length in lengths]


@given(pairs())
def test_counts_are_those_of_nervaluate(pairs):
    actual, predicted = map(list, zip(*pairs, strict=True))
    theirs = nervaluate.Evaluator(
        actual, predicted, tags=KINDS, loader="list"
    ).evaluate()
    ours = score_entities(actual, predicted)
    expected = {OVERALL: theirs["overall"]["strict"]}
    for kind in set(ours) - {OVERALL}:
        expected[kind] = theirs["entities"][kind]["strict"]
    for kind, result in expected.items():
        score = ours[kind]
        assert score.correct == result.correct
        assert score.actual == result.possible
        if kind == OVERALL:
            # nervaluate counts a guess of the wrong kind under the right kind.
            assert score.predicted == result.actual
            assert score.precision == pytest.approx(result.precision)
            assert score.f1 == pytest.approx(result.f1)
        assert score.recall == pytest.approx(result.recall)


@given(pairs())
def test_kinds_add_up_and_order_does_not_matter(pairs):
    actual, predicted = map(list, zip(*pairs, strict=True))
    scores = score_entities(actual, predicted)
    overall = scores.pop(OVERALL)
    for field in EntityScore._fields:
        assert sum(getattr(score, field) for score in scores.values()) == getattr(
            overall, field
        )
    turned = score_entities(predicted, actual)[OVERALL]
    assert (turned.precision, turned.recall) == (overall.recall, overall.precision)
    assert turned.f1 == overall.f1
    assert score_entities(actual, actual)[OVERALL].correct == overall.actual


def test_the_shared_task_s_own_example():
    """A wrong border or kind counts as two errors: one missed, one spurious."""
    actual = [["B-person", "I-person", "O", "B-person", "O", "B-corporation"]]
    predicted = [["B-person", "O", "O", "B-person", "O", "B-person"]]
    scores = score_entities(actual, predicted)
    assert scores[OVERALL] == EntityScore(correct=1, predicted=3, actual=3)
    assert scores["person"] == EntityScore(1, 3, 2)
    assert scores["corporation"] == EntityScore(0, 0, 1)
    assert scores["corporation"].precision == 0.0
    assert scores["person"].precision == pytest.approx(1 / 3)
    assert scores["person"].recall == pytest.approx(1 / 2)
    assert scores["person"].f1 == pytest.approx(0.4)
    assert list(scores) == [OVERALL, "corporation", "person"]


def test_nothing_there_and_nothing_found():
    assert score_entities([["O"]], [["O"]]) == {OVERALL: EntityScore(0, 0, 0)}
    assert EntityScore(0, 0, 0).f1 == EntityScore(0, 0, 0).recall == 0.0


def test_different_lengths_are_refused():
    with pytest.raises(ValueError, match="1 predicted tags for a sentence of 2"):
        score_entities([["O", "O"]], [["O"]])
    with pytest.raises(ValueError):
        score_entities([["O"]], [])


def sentence(text: str) -> TaggedSentence:
    tokens, tags = zip(*(each.split("/") for each in text.split()), strict=True)
    return TaggedSentence(tokens, tags)


def test_the_lookup_by_hand():
    lookup = EntityLookup(
        [
            sentence("New/B-place York/I-place and/O York/B-place"),
            sentence("the/B-team york/I-team won/O York/B-team"),
            sentence("York/B-team may/B-place"),
            sentence("it/O may/O or/O may/O not/O"),
            sentence("half/B-team of/O half/O"),
        ]
    )
    assert lookup.tag(["NEW", "york", "york", "the", "York"]) == [
        "B-place",
        "I-place",
        "B-team",
        "B-team",
        "I-team",
    ]
    # Mostly it was not an entity.
    assert lookup.tag(["may"]) == ["O"]
    assert lookup.tag(["half"]) == ["B-team"]
    assert lookup.tag(["New", "and"]) == ["O", "O"]
    assert lookup.tag([]) == []


def test_tied_kinds_give_the_first_by_name():
    sentences = [sentence("a/B-y b/O"), sentence("a/B-x b/O")]
    assert EntityLookup(sentences).tag(["a"]) == ["B-x"]
    assert EntityLookup(sentences[::-1]).tag(["a"]) == ["B-x"]
