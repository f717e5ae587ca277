"""BLEU and chrF equal sacrebleu's, and the baseline finds the nearest source."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sacrebleu import corpus_bleu, corpus_chrf

from kerasseq.data.pairs import Pair
from kerasseq.scores.translation import NearestSource, bleu, chrf

# Few words, so that many match, and what the tokenization treats in its own way.
WORDS = st.sampled_from(
    "a Ein Mann 3.5 1,000 x-y 5- ... &amp;lt; <skipped> \u00a0 don't läuft. -\n 好 "
    '&quot; "so" ,, 日本。'.split(" ")
)
TEXTS = st.lists(WORDS, max_size=9).map(" ".join) | st.text(max_size=20)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6)


@given(PAIRS)
@example([("", "")])
@example([("a b c", "a b c")])
@example([("a b c d e", "")])
@example([("ab", "abcdefgh"), ("abcdefgh", "ab")])
def test_scores_are_those_of_sacrebleu(pairs):
    translations, references = zip(*pairs, strict=True)
    expected = corpus_bleu(list(translations), [list(references)], force=True).score
    assert bleu(translations, references) == pytest.approx(expected, abs=1e-9)
    expected = corpus_chrf(list(translations), [list(references)]).score
    assert chrf(translations, references) == pytest.approx(expected, abs=1e-9)


def test_bleu_by_hand():
    """Precisions 6/6, 2/5, 1/4 and 0/3, which counts as a half; six of seven words."""
    translation, reference = "the cat sat on a mat", "a cat sat on the big mat"
    expected = 100 * (6 / 6 * 2 / 5 * 1 / 4 * 0.5 / 3) ** 0.25 * 2.718281828 ** (-1 / 6)
    assert bleu([translation], [reference]) == pytest.approx(expected)


def test_the_nearest_source_shares_rare_words():
    pairs = [
        Pair("a man in a hat", "0"),
        Pair("a man on a red bicycle", "1"),
        Pair("a man", "2"),
        Pair("the", "3"),
    ]
    nearest = NearestSource(pairs)
    assert [
        nearest.translate(text)
        for text in ("A woman on a bicycle", "in the hat", "A man", "nothing known")
    ] == ["1", "0", "2", "0"]
