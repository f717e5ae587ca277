"""Words: the same in Python and in a graph, and never a hidden place left untold."""

import json
import math
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.words import (
    MASK,
    PAD,
    SENTENCES,
    SPECIALS,
    UNKNOWN,
    WordTable,
    WordVocabulary,
    masked_word_batches,
    pad,
    read_sentences,
    split_words,
    split_words_in_graph,
    unigram_loss,
)

VOCABULARY = WordVocabulary.from_sentences(SENTENCES)
SEQUENCES = [VOCABULARY.encode(sentence) for sentence in SENTENCES]

graph = tf.function(
    split_words_in_graph, input_signature=[tf.TensorSpec([None], tf.string)]
)


def in_graph(*sentences: bytes) -> list[list[str]]:
    words = graph(tf.constant(sentences, tf.string, shape=[len(sentences)]))
    return [[word.decode() for word in row] for row in words.to_list()]


# --- splitting


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("", []),
        (" \t\n\v\f\r", []),
        (" The bank\tof\n\nthe  RIVER. ", ["the", "bank", "of", "the", "river."]),
        ("ΟΔΟΣ ΣΔΣ", ["οδοσ", "σδσ"]),  # str.lower ends them in ς
        ("İI", ["i\u0307i"]),
        ("ß ẞ", ["ß", "ß"]),
        ("\u13a0 \uab70", ["\uab70", "\uab70"]),  # Cherokee, capitals came first
        ("\u2c2f \U00010570", ["\u2c5f", "\U00010597"]),  # of Unicode 14
        ("A\0B C", ["a\0b", "c"]),
        # White space, but not of ASCII, and the separators that str.split takes.
        ("a\u00a0b\u2003c\u2028d\x85e\x1cf", ["a\u00a0b\u2003c\u2028d\x85e\x1cf"]),
        ("\ufeffA", ["\ufeffa"]),
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


def test_graph_and_python_split_every_code_point_alike():
    points = [p for p in range(0x110000) if not 0xD800 <= p < 0xE000]
    sentences = [
        " ".join(f"x{chr(point)}Y" for point in points[start : start + 4096])
        for start in range(0, len(points), 4096)
    ]
    expected = [split_words(sentence) for sentence in sentences]
    assert in_graph(*(sentence.encode() for sentence in sentences)) == expected


def test_lower_case_stays_as_it_is():
    text = "".join(chr(p) for p in range(0x110000) if not 0xD800 <= p < 0xE000)
    words = split_words(text)
    assert split_words(" ".join(words)) == words


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=12))
def test_bytes_that_are_not_utf8_become_replacement_characters(data):
    assert in_graph(data) == [split_words(data.decode("utf-8", "replace"))]


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


def test_a_sentence_cannot_spell_a_special():
    vocabulary = WordVocabulary.from_sentences(["<mask> <PAD> word"])
    assert vocabulary.words[3:] == ("<mask>", "<pad>", "word")
    for special in SPECIALS:
        assert VOCABULARY.encode(special).tolist() == [UNKNOWN]
        assert WordTable(VOCABULARY)([special]).numpy().tolist() == [[UNKNOWN]]
    assert vocabulary.encode("<MASK>").tolist() == [3]


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
        ([*SPECIALS, ""], "'' is not one word"),
        ([*SPECIALS, "a", "<MASK>"], "'<MASK>' is not one word"),
        ([*SPECIALS, 5], "5 is not one word"),
        ([*SPECIALS, ["a"]], r"\['a'\] is not one word"),
        ([*SPECIALS, "a\ud800"], r"'a\\ud800' holds a lone surrogate"),
        ([*SPECIALS, "a", "b", "a"], "'a' is in the vocabulary twice"),
        ("abc", "begin with"),
        (None, "NoneType"),
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
    ids = WordTable(VOCABULARY)(tf.constant(sentences))
    assert ids.dtype == tf.int32
    expected = pad([VOCABULARY.encode(sentence) for sentence in sentences])
    np.testing.assert_array_equal(ids, expected)


# None in sys.modules makes an import fail, and -I keeps the checkout off the path.
LOADER = """
import sys
sys.modules["kerasseq"] = sys.modules["keras"] = None
import tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
sentences = tf.constant([b"The BANK lends", b"", b"\\xff R\\xc4\\xb0VER river"])
print(serve(sentences=sentences)["ids"].numpy().tolist())
"""


def test_table_in_a_saved_model_needs_only_tensorflow(tmp_path):
    class Server(tf.Module):
        def __init__(self):
            super().__init__()
            self.table = WordTable(VOCABULARY)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "sentences")])
        def serve(self, sentences):
            return {"ids": self.table(sentences)}

    server = Server()
    tf.saved_model.save(server, str(tmp_path / "model"), signatures=server.serve)
    run = subprocess.run(
        [sys.executable, "-I", "-c", LOADER, str(tmp_path / "model")],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    the, bank, lends, river = VOCABULARY.encode("the bank lends river").tolist()
    expected = [[the, bank, lends], [PAD] * 3, [UNKNOWN, UNKNOWN, river]]
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"{expected}\n"


# --- sentences


def test_built_in_sentences_show_what_they_should():
    split = [split_words(sentence) for sentence in SENTENCES]
    assert all(7 <= len(words) <= 10 for words in split)
    # With one word hidden, the rest tells which sentence it is.
    holed = [
        (*words[:place], None, *words[place + 1 :])
        for words in split
        for place in range(len(words))
    ]
    assert len(set(holed)) == len(holed)
    first, second = split[:2]
    assert first[1] == second[1] == "bank"
    assert len(first) != len(second)


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


# --- batches


def test_pad():
    padded = pad([np.array([5, 6, 7]), np.array([], np.int32), [8]])
    assert padded.tolist() == [[5, 6, 7], [PAD] * 3, [8, PAD, PAD]]
    assert padded.dtype == np.int32
    assert pad([[5, 6, 7], [8]], 2).tolist() == [[5, 6], [8, PAD]]
    assert pad([[5], [8]], 3).shape == (2, 1)
    assert pad([]).shape == (0, 0)


def arrays(batches: tf.data.Dataset) -> tuple[np.ndarray, ...]:
    """Inputs, targets and weights of all batches, each (num_batches, B, T)."""
    return tuple(map(np.stack, zip(*batches.as_numpy_iterator(), strict=True)))


ids = st.integers(UNKNOWN, 9).filter(lambda index: index != MASK)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(ids, max_size=7), min_size=1, max_size=5),
    st.integers(1, 4),
    st.integers(1, 3),
    st.floats(0, 1),
    st.integers(1, 8),
    st.integers(0, 2**31 - 1),
)
def test_masked_batches_hide_words_alone(
    sequences, batch_size, passes, rate, max_length, seed
):
    usable = [s[:max_length] for s in sequences if max(s[:max_length], default=0) > 2]
    if not usable:
        with pytest.raises(ValueError, match="has a known word to hide"):
            masked_word_batches(sequences, batch_size, max_length=max_length)
        return
    batches = masked_word_batches(
        sequences,
        batch_size,
        passes=passes,
        rate=rate,
        max_length=max_length,
        seed=seed,
    )
    inputs, targets, weights = arrays(batches)
    num_batches = math.ceil(passes * len(usable) / batch_size)
    shape = batch_size, max(map(len, usable))
    assert int(batches.cardinality()) == num_batches
    for spec, dtype in zip(
        batches.element_spec, (tf.int32, tf.int32, tf.float32), strict=True
    ):
        assert (spec.shape, spec.dtype) == (shape, dtype)
    hidden = weights == 1
    assert np.isin(weights, (0, 1)).all()
    np.testing.assert_array_equal(inputs, np.where(hidden, MASK, targets))
    assert (targets[hidden] >= len(SPECIALS)).all()
    assert hidden.any(axis=-1).all()
    # Each pass has every usable sentence once.
    rows = targets.reshape(-1, shape[1]).tolist()
    for start in range(0, passes * len(usable), len(usable)):
        assert sorted(rows[start : start + len(usable)]) == sorted(pad(usable).tolist())
    for again, before in zip(arrays(batches), (inputs, targets, weights), strict=True):
        np.testing.assert_array_equal(again, before)


def test_masked_batches_follow_the_seed_alone():
    one, same, other = (
        arrays(masked_word_batches(SEQUENCES, 5, passes=9, seed=seed))
        for seed in (3, 3, 4)
    )
    for left, right in zip(one, same, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(one[1], other[1])


def test_every_pass_has_another_order():
    _, targets, _ = arrays(masked_word_batches(SEQUENCES, 12, passes=30))
    assert len({batch.tobytes() for batch in targets}) == 30


def test_every_pass_and_every_seed_hides_other_words():
    # In one sentence alone, so that no change of order passes for another choice.
    one, other = (
        arrays(masked_word_batches(SEQUENCES[:1], 1, passes=30, seed=seed))[2]
        for seed in (0, 1)
    )
    assert len({weights.tobytes() for weights in one}) > 10
    assert not np.array_equal(one, other)


def test_rate_is_the_share_of_hidden_words():
    # Long sentences, in which the one that is hidden in any case hardly counts.
    sequences = np.full((1000, 60), 3)
    _, _, weights = arrays(masked_word_batches(sequences, 1000, rate=0.3))
    assert abs(weights.mean() - 0.3) < 0.01  # five standard deviations
    # Alone, one word of each, at every place alike.
    _, _, weights = arrays(masked_word_batches(sequences[:, :4], 1000, rate=0.0))
    assert weights.sum() == 1000
    assert (abs(weights.sum(axis=(0, 1)) - 250) < 70).all()
    _, _, weights = arrays(masked_word_batches(sequences, 1000, rate=1.0))
    assert weights.all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size=0 must be at least 1"),
        ({"passes": 0}, "passes=0 must be at least 1"),
        ({"max_length": 0}, "max_length=0 must be at least 1"),
        ({"rate": 1.5}, "rate=1.5 is no probability"),
        ({"rate": math.nan}, "rate=nan is no probability"),
        ({"sequences": []}, "none of 0 sentences"),
    ],
)
def test_masked_batches_refuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        masked_word_batches(**{"sequences": SEQUENCES, "batch_size": 2, **arguments})


def test_masked_batches_feed_fit():
    batches = masked_word_batches(SEQUENCES, 4, passes=2)
    model = keras.Sequential(
        [
            keras.layers.Embedding(len(VOCABULARY), 3, mask_zero=True),
            keras.layers.Dense(len(VOCABULARY), kernel_initializer="zeros"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"
    )
    model.compile("sgd", loss)
    # A model that gives every word the same probability: this loss is a mean over
    # what is hidden and nothing else.
    assert math.isclose(
        model.evaluate(batches, verbose=0), math.log(len(VOCABULARY)), rel_tol=1e-6
    )
    model.fit(batches, shuffle=False, verbose=0)
    assert model.evaluate(batches, verbose=0) < math.log(len(VOCABULARY))


# --- the yardstick


def test_unigram_loss_is_the_entropy_of_the_words():
    assert math.isclose(unigram_loss([[3, 4, 5], [6, 7, 8]]), math.log(6))
    # A word three times of four: ln 4 - 3/4 ln 3, specials not counted.
    expected = math.log(4) - 0.75 * math.log(3)
    ids = [[3, 9, 3, UNKNOWN, PAD], [3, MASK]]
    assert math.isclose(unigram_loss(ids), expected)
    assert unigram_loss([[3, 3]]) == 0


@pytest.mark.parametrize("sequences", [[], [[]], [[UNKNOWN, PAD, MASK]]])
def test_unigram_loss_refuses(sequences):
    with pytest.raises(ValueError, match="hold no known word"):
        unigram_loss(sequences)
