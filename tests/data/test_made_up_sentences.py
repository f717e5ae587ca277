"""Made-up sentences: what tells the sense, and what does not."""

import collections
import math

import numpy as np

from kerasseq.data.made_up_sentences import (
    SENSES,
    TOPICS,
    make_up_sentences,
)

SENTENCES = make_up_sentences(3840, seed=5)
TRAIN, HELD_OUT = SENTENCES[:3000], SENTENCES[3000:]


def accuracy_of_naive_bayes(features) -> float:
    """How often features of a sentence tell the sense of its word."""
    counts = collections.defaultdict(collections.Counter)
    for sentence in TRAIN:
        word = sentence.words[sentence.ambiguous]
        for feature in features(sentence):
            counts[word, sentence.sense][feature] += 1
    right = 0
    for sentence in HELD_OUT:
        word = sentence.words[sentence.ambiguous]
        scores = {
            sense: sum(
                math.log(counts[word, sense][feature] + 0.5)
                for feature in features(sentence)
            )
            for sense in SENSES[word]
        }
        right += max(scores, key=scores.get) == sentence.sense
    return right / len(HELD_OUT)


def test_they_differ_and_follow_from_the_seed():
    assert len(set(map(str, SENTENCES))) == len(SENTENCES)
    assert make_up_sentences(50, seed=5)[:3] != make_up_sentences(50, seed=6)[:3]
    assert make_up_sentences(50, seed=5) == make_up_sentences(50, seed=5)


def test_both_senses_of_a_word_are_as_frequent():
    counts = collections.Counter(
        (sentence.words[sentence.ambiguous], sentence.sense) for sentence in SENTENCES
    )
    assert set(counts.values()) == {len(SENTENCES) / 24}
    assert len(counts) == 24


def test_other_words_tell_the_sense_but_position_and_neighbours_do_not():
    def others(sentence):
        return [word for word in sentence.words if word not in SENSES]

    def around(sentence):
        at, padded = sentence.ambiguous, ("", *sentence.words, "")
        yield from (f"at {at}", f"of {len(padded)}", f"end {len(padded) - at}")
        yield from (f"left {padded[at]}", f"right {padded[at + 2]}")
        yield f"both {padded[at]} {padded[at + 2]}"

    assert accuracy_of_naive_bayes(others) > 0.99
    assert abs(accuracy_of_naive_bayes(around) - 0.5) < 5 * 0.5 / math.sqrt(840)


def test_each_sentence_has_one_word_with_two_senses_and_words_of_its_topic():
    for sentence in SENTENCES[:200]:
        assert [word in SENSES for word in sentence.words].count(True) == 1
        topic = {word for words in TOPICS[sentence.sense] for word in words}
        assert len(topic & set(sentence.words)) >= 2
        for name, topical in TOPICS.items():
            if name != sentence.sense:
                words = {*topical.people, *topical.verbs, *topical.things}
                assert not words & set(sentence.words)


def test_arrows_point_to_what_their_names_say():
    seen = collections.Counter()
    for sentence in SENTENCES[:500]:
        topic = TOPICS[sentence.sense]
        for name, arrows in sentence.arrows().items():
            for query, keys in arrows:
                words = [sentence.words[key] for key in keys]
                if name == "the noun that the adjective stands before":
                    assert keys == (query + 1,)
                elif name == "the words that tell the sense":
                    assert query == sentence.ambiguous
                    assert set(words) <= {word for each in topic for word in each}
                elif name == "the name that his or her stands for":
                    male = sentence.words[query] == "his"
                    assert words[0] in (("tom", "peter") if male else ("anna", "maria"))
                elif name == "the verb's object":
                    assert words[0] in topic.things
                else:
                    continue
                seen[name] += 1
    assert len(seen) == 4 and min(seen.values()) > 20


def test_vocabularies_of_topics_do_not_overlap():
    words = [word for topic in TOPICS.values() for kind in topic for word in kind]
    assert len({*words, *SENSES}) == len(words) + len(SENSES)
    assert np.isin(
        [topic for pair in SENSES.values() for topic in pair], [*TOPICS]
    ).all()
