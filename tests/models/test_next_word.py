"""The next-word model: Keras, the exported step and the strings agree."""

import math
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.files.keras_models import load_model, save_model
from kerasseq.files.runtimes import open_signatures
from kerasseq.files.tflite import convert
from kerasseq.models.next_word import (
    NextWordConfig,
    build_next_word_model,
)
from kerasseq.models.rare_words import read_rare_words, with_rare_words
from kerasseq.models.stateful import STEPS_AT_ONCE, logits_along
from kerasseq.models.word_cache import histories, with_cache
from kerasseq.on_device.operators import list_operators
from kerasseq.on_device.words import divide
from kerasseq.signatures.cache_step import CacheStep
from kerasseq.signatures.next_word import NextWordOnText, suggest
from kerasseq.signatures.next_word_on_ids import NextWordOnIds
from kerasseq.text.caret import Caret
from kerasseq.text.keyboard import OWN_WORDS, TypedVocabulary
from kerasseq.text.words import SPECIALS
from tests.support.weights import with_random_weights

WORDS = (*SPECIALS, ".", "3", "a", "I", "I'm", "king", "kin", "Rome", "of", "the", "ß")
RARE = ("keg", "Zen", "zoo")
CAPITALS = {"Keg", "Zen", "Zoo"}
VOCABULARY = TypedVocabulary(WORDS + RARE, len(RARE))
# Without and with the rare words.
KNOWN, V = len(WORDS), len(WORDS + RARE)
# Only in the first is a table of V rows smaller than embedding and kernel.
SIZES = {
    "folded": {"units": 5, "embedding_size": 17},
    "plain": {"units": 7, "embedding_size": 3},
    "deep": {"units": 7, "embedding_size": 3, "num_layers": 2},
}


def build(name: str) -> keras.Model:
    """Weights so large that each word makes a difference."""
    model = build_next_word_model(NextWordConfig(KNOWN, **SIZES[name]))
    return with_random_weights(model, 23, 0.9)


@pytest.fixture(scope="module", params=SIZES)
def model(request) -> keras.Model:
    return build(request.param)


@pytest.fixture(scope="module")
def plain() -> keras.Model:
    return build("plain")


@pytest.fixture(scope="module")
def module(plain) -> NextWordOnText:
    return NextWordOnText(NextWordOnIds(plain, len(RARE)), VOCABULARY)


IDS = np.random.default_rng(5).integers(0, KNOWN, 11).astype(np.int32)


def test_the_embedding_computes_the_logits_in_reverse(plain):
    weights = {w.path.removeprefix("next_word/"): w.numpy() for w in plain.weights}
    table, bias = weights["embedding/embeddings"], weights["embedding/bias"]
    kernel, other = weights["projection/kernel"], weights["projection/bias"]
    hidden = plain.get_layer("gru_0")(table[IDS][None]).numpy()[0]
    expected = (hidden @ kernel + other) @ table.T + bias
    np.testing.assert_allclose(plain(IDS[None])[0], expected, atol=1e-4)


def test_a_further_layer_adds_its_output_to_its_input():
    deep = build("deep")
    x = deep.get_layer("embedding")(IDS[None])
    x = deep.get_layer("gru_0")(x)
    x = x + deep.get_layer("gru_1")(x)
    expected = deep.get_layer("embedding")(
        deep.get_layer("projection")(x), reverse=True
    )
    np.testing.assert_allclose(deep(IDS[None]), expected, atol=1e-5)


def test_it_starts_with_the_words_frequencies():
    counts = np.arange(V)
    config = NextWordConfig(V, units=4, embedding_size=3)
    model = build_next_word_model(config, counts)
    model.get_layer("embedding").embeddings.assign(np.zeros((V, 3)))
    probabilities = tf.nn.softmax(model(IDS[None]))[0, 0].numpy()
    expected = np.maximum(counts, 0.5) / (counts.sum() + 0.5)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4)


def test_dropout_is_one_mask_for_all_steps_of_words_and_states():
    config = NextWordConfig(V, units=64, embedding_size=50, dropout=0.5)
    model = build_next_word_model(config)
    dropped = {
        layer.name: layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Dropout)
    }
    assert set(dropped) == {"words_dropped", "dropout_0"}
    for layer in dropped.values():
        values = layer(np.ones((2, 5, 50), np.float32), training=True).numpy()
        share = (values == 0).mean()
        assert abs(share - (0.25 if layer.name == "words_dropped" else 0.5)) < 0.15
        assert (values == values[:, :1]).all() and (values[0] != values[1]).any()
    one, other = model(IDS[None]), model(IDS[None])
    np.testing.assert_array_equal(one, other)
    assert np.abs(model(IDS[None], training=True) - one).max() > 1e-4


def test_the_state_is_carried_through_a_text_of_any_length(plain):
    for length in (1, STEPS_AT_ONCE, STEPS_AT_ONCE + 3):
        ids = np.resize(IDS, length)
        parts = list(logits_along(plain, ids))
        found = np.concatenate(parts)
        np.testing.assert_allclose(found, plain(ids[None])[0], atol=1e-4)
    assert not list(logits_along(plain, IDS[:0]))


@given(st.integers(0, 5), st.booleans())
def test_rare_words_share_what_the_unknown_word_has(num_rare, normalized):
    logits = np.random.default_rng(num_rare).normal(0, 3, (2, 7)).astype(np.float32)
    if normalized:
        logits = np.log(tf.nn.softmax(logits))
    found = with_rare_words(logits, num_rare)
    assert found.shape == (2, 7 + num_rare) and found.dtype == np.float32
    known, share = np.exp(logits), np.exp(found)
    np.testing.assert_allclose(share[:, [0, *range(2, 7)]], known[:, [0, *range(2, 7)]])
    for id in (1, *range(7, 7 + num_rare)):
        expected = known[:, 1] / (num_rare + 1)
        np.testing.assert_allclose(share[:, id], expected, rtol=1e-5)


def test_rare_words_are_read_as_the_unknown_word():
    ids = np.array([0, 1, KNOWN - 1, KNOWN, V - 1, V, V + 499])
    assert read_rare_words(ids, KNOWN).tolist() == [0, 1, KNOWN - 1, 1, 1, 1, 1]


FRESH = """
import sys
import numpy as np, kerasseq
model = kerasseq.load_model(sys.argv[1])
np.save(sys.argv[2], model.predict_on_batch(np.array([[3, 5, 6, 7]])))
"""


@pytest.mark.slow
def test_a_saved_model_is_the_same_in_a_fresh_process(plain, tmp_path):
    path = save_model(plain, tmp_path / "model.keras")
    command = [sys.executable, "-c", FRESH, str(path), str(tmp_path / "out.npy")]
    subprocess.run(command, check=True, capture_output=True)
    found = np.load(tmp_path / "out.npy")
    np.testing.assert_allclose(found, plain(np.array([[3, 5, 6, 7]])), atol=1e-6)
    again = load_model(path)
    assert [w.shape for w in again.weights] == [w.shape for w in plain.weights]


def mixed_by_hand(logits: np.ndarray, history: list[int]) -> list[float]:
    """Logarithms of the probabilities with the cache, as export/README.md says it.

    Of a model's logits, or of those with rare words.
    """
    weights = [0.0] * (V + OWN_WORDS)
    begin = max(0, len(history) - 500)
    for index in range(begin, len(history)):
        weight = 0.001
        if history[index - 1] == history[-1] != 1 and index - 1 >= begin:
            weight = 0.05
            if history[index - 2] == history[-2] and index - 2 >= begin:
                weight = 0.25
        if history[index] > 1:
            weights[history[index]] += weight * 0.99 ** (len(history) - index)
    exponentials = np.exp(logits - logits.max(), dtype=np.float64)
    probabilities = (exponentials / exponentials.sum()).tolist()
    if len(logits) == KNOWN:
        probabilities[1] /= len(RARE) + 1
        probabilities += [probabilities[1]] * len(RARE)
    probabilities += [1e-6] * OWN_WORDS
    return [
        math.log((p + weight) / (1 + sum(weights)))
        for p, weight in zip(probabilities, weights, strict=True)
    ]


TEXTS = st.lists(st.sampled_from((1, 3, 5, 6, 13, 15, V, V + 1, V + 499)), min_size=1)


@given(TEXTS, st.sampled_from([1, 6, 80]), st.integers(0, 2**32 - 1))
def test_the_cache_by_hand_in_numpy_and_in_a_graph(words, times, seed):
    history = words * times
    logits = np.random.default_rng(seed).normal(0, 3, (1, V)).astype(np.float32)
    expected = mixed_by_hand(logits[0], history)
    [found] = with_cache([logits], [history], logits=True)
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    exponentials = np.exp(logits)
    [found] = with_cache([exponentials / exponentials.sum()], [np.array(history)])
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    recent = np.pad(history[:-1], (500, 0))[-500:][None].astype(np.float32)
    found, after = CacheStep(V)(logits, tf.constant(history[-1:]), tf.constant(recent))
    np.testing.assert_allclose(found[0], expected, atol=1e-4)
    assert after[0].numpy().tolist() == [*recent[0, 1:].tolist(), history[-1]]


def test_the_words_that_a_cache_remembers_along_a_text():
    ids = np.arange(1003)
    found = list(histories(ids))
    assert [len(each) for each in found] == [*range(1, 500), *[500] * 504]
    assert all(each[-1] == id for each, id in zip(found, ids, strict=True))


# With repeated words, pairs and triples, and words of one's own.
READ = [3, 5, 6, 7, 1, 5, 6, V, 5, 6, 7, V + 499, 1, V, 5, 6, KNOWN, V - 1, KNOWN]
READ = np.array(READ, np.int32)


@pytest.mark.parametrize("runtime", ["interpreter", "compiled_model"])
def test_a_device_reads_word_by_word_what_keras_reads_at_once(model, runtime):
    module = NextWordOnIds(model, len(RARE))
    flatbuffer = convert(module, module.device_signatures())
    assert not [name for name in list_operators(flatbuffer) if "CUSTOM" in name]
    step = open_signatures(flatbuffer, runtime)["step"]
    states = {
        f"state_{index}": np.zeros(shape, np.float32)
        for index, shape in enumerate(module.state_shapes)
    }
    logits_of_keras = model(np.where(READ < KNOWN, READ, 1)[None])[0].numpy()
    for end, row in enumerate(logits_of_keras, 1):
        states = dict(step(token=READ[end - 1 : end], **states))
        logits = states.pop("logits")
        expected = mixed_by_hand(row, READ[:end].tolist())
        np.testing.assert_allclose(logits, [expected], atol=1e-4)


def test_further_training_does_not_change_a_module():
    model = build("plain")
    module = NextWordOnIds(model)
    states = [tf.zeros(shape) for shape in module.state_shapes]
    before, _ = module.read_word(tf.constant([5]), states)
    model.set_weights([0 * w for w in model.get_weights()])
    after, _ = module.read_word(tf.constant([5]), states)
    np.testing.assert_array_equal(before, after)


def suggest_by_hand(model, text: str) -> list[tuple[str, float]]:
    """All words that fit, from Keras's logits, the cache and the rules alone."""
    caret = Caret.after(text)
    words = [word.text for word in divide(text + "x")][:-1]
    lowered = [word.lower() for word in WORDS + RARE]
    ids, own = [WORDS.index(".")], []
    offered = dict(enumerate((WORDS + RARE)[5:], 5))
    for word, lower in zip(words, caret.words, strict=True):
        id = lowered.index(lower) if lower in lowered[3:] else 1
        if id == 1 and any(map(str.isalpha, lower)):
            own += [lower] if lower not in own else []
            id = V + own.index(lower)
            offered[id] = word
        ids.append(id)
    logits = model(np.array([[id if id < KNOWN else 1 for id in ids]]))[0, -1].numpy()
    logits = np.array(mixed_by_hand(logits, ids))
    beginning = "".join(letter.lower() for letter in caret.unfinished)
    fits = [
        id
        for id in sorted(offered)
        if "".join(map(str.lower, offered[id])).startswith(beginning)
    ]
    weights = np.exp(logits[fits])
    pairs = zip(fits, weights / weights.sum(), strict=True)
    pairs = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
    return [(caret.writes(offered[id]), weight) for id, weight in pairs]


PIECES = st.sampled_from(
    (
        *("the ", "The", "king", " k", "of", ". ", "? ", ", ", " ", "I'", "I", "ROM"),
        *("ro", "zebra ", "\n", "don\u2019t ", "ß", "SS", "3 ", "é", "\x00", "\ud83d"),
        *("keg ", "Keg", "zoo"),
    )
)


@given(st.lists(PIECES, max_size=7).map("".join), st.integers(0, V))
def test_what_is_suggested_is_what_the_logits_say(plain, module, text, k):
    found = suggest(module, text, k)
    text = text.encode("utf-8", "replace").decode()
    expected = suggest_by_hand(plain, text)[:k]
    assert [word for word, _ in found] == [word for word, _ in expected]
    np.testing.assert_allclose(
        [p for _, p in found], [p for _, p in expected], atol=1e-5
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("THE K", {"King", "Kin", "Keg"}),
        ("THE KI", {"KING", "KIN"}),
        ("the r", {"Rome"}),
        ("the zeb", set()),
        ("the zebra k", {"king", "kin", "keg"}),
        ("the Zebra, zebra z", {"zebra", "Zen", "zoo"}),
        ("zebra, ZEBRA Ze", {"ZEBRA", "Zen"}),
        ("ßzebra, ß8 SSS", set()),
        ("kiwi 12 ki", {"king", "kin", "kiwi"}),
        ("the ", {*WORDS[5:], *RARE}),
        ("", {"A", "I", "I'm", "King", "Kin", "Rome", "Of", "The", "SS"} | CAPITALS),
    ],
)
def test_all_words_that_fit_and_no_others_with_their_capitals(module, text, words):
    found = suggest(module, text, 100)
    assert {word for word, _ in found} == words
    assert sum(p for _, p in found) == pytest.approx(1 if words else 0, abs=1e-5)


def test_each_text_of_a_batch_is_answered_as_if_alone(module):
    texts = ["", "the ki", "zzz", "of the ", "zulu of zen z", "the z"]
    found = module.suggest(text=tf.constant(texts), k=tf.constant(4))
    assert found["words"].shape == found["probabilities"].shape == (6, 4)
    for text, words, probabilities in zip(
        texts, found["words"].numpy(), found["probabilities"].numpy(), strict=True
    ):
        alone = suggest(module, text, 4)
        padding = [""] * (4 - len(alone))
        assert [word.decode() for word in words] == [*(w for w, _ in alone), *padding]
        np.testing.assert_allclose(
            probabilities, [*(p for _, p in alone), *(0 for _ in padding)], atol=1e-6
        )
    none = module.suggest(text=tf.constant([], tf.string), k=tf.constant(2))
    assert none["words"].shape == (0, 2)


@pytest.mark.parametrize("k", [-1, 2**31])
def test_an_impossible_count_is_refused(module, k):
    with pytest.raises(ValueError, match=f"k={k} is not a count of words"):
        suggest(module, "the ", k)


def test_special_words_in_a_text_are_read_as_ordinary_ones(module):
    assert suggest(module, "<UNK> <mask> k", 3) == suggest(module, "< zu > < zm > k", 3)


def test_a_vocabulary_that_does_not_fit_is_refused(plain):
    other = TypedVocabulary((*SPECIALS, "a"))
    with pytest.raises(ValueError, match="has 4 words but the model 14"):
        NextWordOnText(NextWordOnIds(plain), other)
    with pytest.raises(ValueError, match="has 17 words but the model 14"):
        NextWordOnText(NextWordOnIds(plain), VOCABULARY)


@pytest.mark.slow
def test_a_long_text_is_read_whole(plain, module):
    text = "the king of Rome . " * 200 + "k"
    [(word, probability)] = suggest(module, text, 1)
    expected_word, expected = suggest_by_hand(plain, text)[0]
    assert word == expected_word
    assert probability == pytest.approx(expected, abs=1e-4)
