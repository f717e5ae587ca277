"""The tagger: what padding, case and order do, and what a batch holds."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from kerasseq.data.tagged import TaggedSentence
from kerasseq.data.tagged_batches import encode_tokens, swap_names, tagged_batches
from kerasseq.files.keras_models import load_model, save_model
from kerasseq.files.labels import read_labels, write_labels
from kerasseq.layers.reverse import ReverseTokens
from kerasseq.models.tagger import TaggerConfig, build_tagger
from kerasseq.signatures.tagger import TaggerOnIds
from kerasseq.text.words import UNKNOWN, WordVocabulary

SENTENCES = [
    TaggedSentence(("Ada", "sang", "in", "ada"), ("B-x", "O", "O", "B-y")),
    TaggedSentence(("in", "ΟΔΟΣ"), ("O", "B-y")),
    TaggedSentence(("sang",), ("O",)),
]
VOCABULARY = WordVocabulary.from_sentences(["ada sang in"])
CONFIG = TaggerConfig(
    len(VOCABULARY),
    ("x", "y"),
    num_letters=5,
    word_size=6,
    letter_size=4,
    num_filters=7,
    units=3,
)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(2)
    return build_tagger(CONFIG)


def test_tokens_become_ids():
    word_ids, letters = encode_tokens(
        [sentence.tokens for sentence in SENTENCES], VOCABULARY, 5
    )
    ada, sang, read = VOCABULARY.encode("ada sang in")
    assert word_ids.tolist() == [
        [ada, sang, read, ada],
        [read, UNKNOWN, 0, 0],
        [sang, 0, 0, 0],
    ]
    assert bytes(letters[0, 0]) == b"Ada\0\0"
    assert bytes(letters[0, 3]) == b"ada\0\0"
    assert bytes(letters[1, 1]) == "ΟΔΟΣ".encode()[:5]
    assert not letters[1, 2:].any()
    cut, _ = encode_tokens([SENTENCES[0].tokens], VOCABULARY, 5, length=2)
    assert cut.tolist() == [[ada, sang]]
    longer, _ = encode_tokens([("ada",)], VOCABULARY, 5, length=3)
    assert longer.tolist() == [[ada, 0, 0]]


def test_reversing_leaves_padding_in_place():
    x = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    mask = np.array([[True, True, True], [True, True, False]])
    turned = ReverseTokens()(x, mask).numpy()
    assert turned[0].tolist() == x[0, ::-1].tolist()
    assert turned[1].tolist() == x[1, [1, 0, 2]].tolist()


def test_padding_and_neighbours_change_nothing(model):
    word_ids, letters = encode_tokens(
        [sentence.tokens for sentence in SENTENCES], VOCABULARY, 5, length=9
    )
    together = model.predict_on_batch([word_ids, letters])
    assert together.shape == (3, 9, 5)
    for row, sentence in enumerate(SENTENCES):
        alone = model.predict_on_batch(encode_tokens([sentence.tokens], VOCABULARY, 5))
        count = len(sentence.tokens)
        np.testing.assert_allclose(together[row, :count], alone[0], atol=1e-6)


def test_both_directions_are_read(model):
    """The first token's logits know the last word, and the last's the first."""
    first, last = (
        model.predict_on_batch(encode_tokens([tokens], VOCABULARY, 5))[0]
        for tokens in (("Ada", "in", "sang"), ("Ada", "in", "ada"))
    )
    assert np.abs(first[0] - last[0]).max() > 1e-5
    other = model.predict_on_batch(encode_tokens([("in", "in", "sang")], VOCABULARY, 5))
    assert np.abs(first[2] - other[0, 2]).max() > 1e-5


def test_only_the_bytes_show_the_case(model):
    upper, lower = (
        model.predict_on_batch(encode_tokens([tokens], VOCABULARY, 5))
        for tokens in (("Ada",), ("ada",))
    )
    assert np.abs(upper - lower).max() > 1e-5


def test_the_two_layers_are_keras_s_bidirectional():
    """The same weights in Keras's own layer, on a sentence without padding.

    The scores of the spellings are among its inputs, and are added to its logits. The
    linear model is the other half of the mean.
    """
    model = build_tagger(CONFIG)
    guess, near, around = map(model.get_layer, ("guess", "near", "around"))
    for layer in (guess, near, around):
        layer.table.assign(np.random.default_rng(1).normal(size=layer.table.shape))
    inputs = encode_tokens([SENTENCES[0].tokens], VOCABULARY, 5)
    x = keras.Model(model.inputs, model.get_layer("tokens").output)(inputs)
    theirs = keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True))
    theirs.build(x.shape)
    forward, backward = model.get_layer("forward"), model.get_layer("backward")
    theirs.set_weights([*forward.get_weights(), *backward.get_weights()])
    count = len(CONFIG.tags)
    scores = guess(inputs[1])
    np.testing.assert_array_equal(x[..., -count:], scores)
    beside = np.pad(near(inputs[1]), ((0, 0), (1, 1), (0, 0)))
    linear = scores + around(inputs[0])
    linear += beside[:, :-2, :count] + beside[:, 2:, count:]
    expected = (model.get_layer("logits")(theirs(x)) + scores + linear) / 2
    np.testing.assert_allclose(model(inputs), expected, atol=1e-5)


def test_batches_by_hand():
    batches = tagged_batches(
        SENTENCES,
        VOCABULARY,
        CONFIG.tags,
        CONFIG.num_letters,
        3,
        3,
        swap_rate=0,
        word_dropout=0,
        letter_dropout=0,
        seed=1,
    )
    whole, spelled = encode_tokens(
        [s.tokens for s in SENTENCES], VOCABULARY, 5, length=3
    )
    tags = {"O": 0, "B-x": 1, "B-y": 3}
    seen = set()
    for (word_ids, letters), right, weights in batches.take(5):
        assert letters.shape == (3, 3, 5)
        order = [whole.tolist().index(row) for row in word_ids.numpy().tolist()]
        assert sorted(order) == [0, 1, 2], "each sentence once per pass"
        seen.add(tuple(order))
        for row, index in enumerate(order):
            kept = SENTENCES[index].tags[:3]
            count = len(kept)
            assert (letters[row].numpy() == spelled[index]).all()
            assert right[row, :count].numpy().tolist() == [tags[tag] for tag in kept]
            # 3 of the 7 tokens are in entities.
            expected = [(4 / 3) ** 0.6 if tag != "O" else 1.0 for tag in kept]
            np.testing.assert_allclose(weights[row, :count], expected, rtol=1e-6)
            assert not weights[row, count:].numpy().any()
    assert len(seen) > 1, "the order changes"


def test_words_are_hidden_at_the_rate_and_padding_never():
    def batches(seed):
        return tagged_batches(
            SENTENCES * 30,
            VOCABULARY,
            CONFIG.tags,
            CONFIG.num_letters,
            90,
            4,
            swap_rate=0,
            word_dropout=0.4,
            seed=seed,
        ).take(10)

    known = hidden = 0
    for (word_ids, _), _, weights in batches(1):
        assert ((word_ids.numpy() != 0) == (weights.numpy() > 0)).all()
        hidden += (word_ids.numpy() == UNKNOWN).sum() - 30  # one is always unknown
        known += 90 * 2
    assert 0.35 < hidden / known < 0.45
    first, again, other = (
        np.concatenate([words.numpy() for (words, _), _, _ in batches(seed)])
        for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_bytes_are_hidden_at_the_rate_and_padding_never():
    batches = tagged_batches(
        SENTENCES,
        VOCABULARY,
        CONFIG.tags,
        CONFIG.num_letters,
        3,
        4,
        swap_rate=0,
        letter_dropout=0.2,
    )
    _, spelled = encode_tokens([s.tokens for s in SENTENCES], VOCABULARY, 5)
    letters = np.stack([letters.numpy() for (_, letters), _, _ in batches.take(60)])
    assert (letters > 0).sum() == 60 * (spelled > 0).sum()
    assert 0.16 < (letters == 1).sum() / (letters > 0).sum() < 0.24


def test_names_are_swapped_within_their_kind():
    names = {"x": [("Ada",), ("Ada", "Byron", "King")], "y": [("Rome",)]}
    sentence = TaggedSentence(
        ("o", "Bob", "p", "Paris", "now"), ("O", "B-x", "O", "B-y", "O")
    )
    generator = np.random.default_rng(0)
    found = {swap_names(sentence, names, 1.0, generator) for _ in range(20)}
    assert found == {
        TaggedSentence(("o", "Ada", "p", "Rome", "now"), ("O", "B-x", "O", "B-y", "O")),
        TaggedSentence(
            ("o", "Ada", "Byron", "King", "p", "Rome", "now"),
            ("O", "B-x", "I-x", "I-x", "O", "B-y", "O"),
        ),
    }
    assert swap_names(sentence, names, 0.0, generator) == sentence
    swapped = [swap_names(sentence, names, 0.3, generator) for _ in range(500)]
    rate = sum("Rome" in each.tokens for each in swapped) / 500
    assert 0.24 < rate < 0.36


FRESH = """
import sys
import numpy as np
from kerasseq.files.keras_models import load_model
model = load_model(sys.argv[1])
np.save(sys.argv[2], model.predict_on_batch([np.load(p) for p in sys.argv[3:]]))
"""


@pytest.mark.slow
def test_saved_and_loaded_in_a_fresh_process(model, tmp_path):
    inputs = encode_tokens([s.tokens for s in SENTENCES], VOCABULARY, 5)
    path = save_model(model, tmp_path / "tagger.keras")
    files = [tmp_path / "found.npy", tmp_path / "words.npy", tmp_path / "letters.npy"]
    for file, array in zip(files[1:], inputs, strict=True):
        np.save(file, array)
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(path), *map(str, files)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    np.testing.assert_allclose(
        np.load(files[0]), model.predict_on_batch(inputs), atol=1e-6
    )
    assert load_model(path).output_names == model.output_names


def test_names_of_tags_in_a_file(tmp_path):
    path = write_labels(CONFIG.tags, tmp_path / "tags.json")
    assert read_labels(path) == CONFIG.tags == ("O", "B-x", "I-x", "B-y", "I-y")
    for text in ('{"tags": [1, 2]}', '{"tags": ["O"]}', "[]", "{", '{"a": 1}'):
        path.write_text(text)
        with pytest.raises(ValueError, match="is not a list of names"):
            read_labels(path)
    with pytest.raises(ValueError, match="is not a list of names"):
        read_labels(tmp_path / "none.json")


@pytest.mark.parametrize(
    "tags",
    [("O", "B-x", "I-x", "I-y", "B-y"), ("O", "B-x", "B-y", "I-x", "I-y"), "abcde"],
)
def test_tags_that_are_not_bio_are_refused(tags):
    with pytest.raises(ValueError, match=r"are not BIO tags; use the tags\.json"):
        TaggerOnIds(build_tagger(CONFIG), tags)
