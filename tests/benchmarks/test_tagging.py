"""The parts that settings of the tagger are chosen by."""

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.tagging import folds, without_names_of
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


_tokens = st.sampled_from(["Ada", "ada", "ADA", "Rome", "rome", "sang"])
_tags = st.sampled_from(["O", "B-x", "I-x", "B-y", "I-y"])
_sentences = st.lists(
    st.lists(st.tuples(_tokens, _tags), min_size=1, max_size=4).map(
        lambda pairs: TaggedSentence(*zip(*pairs, strict=True))
    ),
    max_size=8,
)


@given(_sentences, _sentences)
def test_sentences_that_share_no_name_are_kept_and_no_others(learned, held_out):
    # The shared task's own reading of tags, by another road: as text.
    def spans(sentence):
        text = ""
        for token, tag, before in zip(
            *sentence, ("O", *sentence.tags[:-1]), strict=True
        ):
            inside = tag[:2] == "I-" and before[2:] == tag[2:]
            text += (" " if inside else "\n") + (token.lower() if tag != "O" else "")
        return set(filter(None, text.split("\n")))

    there = {name for sentence in held_out for name in spans(sentence)}
    expected = [each for each in learned if not spans(each) & there]
    assert without_names_of(held_out, learned) == expected
