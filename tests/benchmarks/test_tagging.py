"""The parts that settings of the tagger are chosen by."""

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.tagging import folds
from kerasseq.data.tagged import TaggedSentence


@given(st.integers(10, 60), st.integers(2, 10))
def test_each_sentence_is_held_out_once_and_never_learned_from(count, number):
    sentences = [TaggedSentence((f"word{index}",), ("O",)) for index in range(count)]
    parts = folds(sentences, number)
    assert [each for _, held_out in parts for each in held_out] == sentences
    for learned, held_out in parts:
        assert not set(learned) & set(held_out)
        assert len(learned) + len(held_out) == count
    sizes = [len(held_out) for _, held_out in parts]
    assert len(sizes) == number and max(sizes) - min(sizes) <= 1
