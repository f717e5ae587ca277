"""SavedModels of every kind, in one process that has neither Keras nor this package."""

import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasseq.files.saved_model import write_saved_model
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.classifier import (
    SURE,
    ClassifierConfig,
    build_classifier,
    predict,
)
from kerasseq.models.encoder import EncoderConfig, build_encoder
from kerasseq.models.next_word import NextWordConfig, build_next_word_model
from kerasseq.models.tagger import TaggerConfig, build_tagger
from kerasseq.models.translation import TranslationConfig, build_translation
from kerasseq.recipes.encoder import encode_by_keras
from kerasseq.signatures.characters import build_generating_module, generate
from kerasseq.signatures.classifier import ClassifierOnIds, ClassifierOnText
from kerasseq.signatures.encoder import EncoderOnIds, EncoderOnText
from kerasseq.signatures.next_word import NextWordOnText, suggest
from kerasseq.signatures.next_word_on_ids import NextWordOnIds
from kerasseq.signatures.tagger import TaggerOnIds, TaggerOnText, tag_sentences
from kerasseq.signatures.translating import translate_ids
from kerasseq.signatures.translation import TranslationOnIds
from kerasseq.signatures.translation_of_text import TranslationOnText
from kerasseq.text.characters import Vocabulary
from kerasseq.text.in_graph import WordTable, divide_in_graph
from kerasseq.text.keyboard import TypedVocabulary
from kerasseq.text.subwords import Subwords
from kerasseq.text.subwords_in_graph import SubwordTable
from kerasseq.text.words import PAD, SPECIALS, UNKNOWN, WordVocabulary

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_xla")]

SENTENCES = ["the ΟΔΟΣ runs", "A cat\tand the dog and İt", "nothing known here", "dog"]
WORDS = WordVocabulary.from_sentences(SENTENCES[:2])
LABELS = ("好", "β", "c d")
TAGS = TaggerConfig(len(WORDS), ("x", "y"), 6, 5, 4, 7, 3)
CHARACTERS = Vocabulary.from_text("\n abcdefghé")
TYPED = TypedVocabulary(
    (*SPECIALS, ".", "3", "a", "I", "I'm", "king", "kin", "Rome", "of", "the", "ß")
)
PIECES = Subwords((" The", " C", "AT", "ru", "run"))
TEXTS = ["", "the ki", "of the ", "ΟΔΟΣ I"]
PROMPTS = ["a bad cab", "", "?é😀"]
SETTINGS = [
    {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "seed": 3},
    {"temperature": 0.7, "top_k": 7, "top_p": 0.9, "min_p": 0.05, "seed": 2**31 - 1},
]
RAW = [b"The CAT runs", b"", b"\xff \xc4\xb0T dog"]

# Imports of Keras and of the package are blocked before a model is loaded.
ALONE = """
import pickle, sys
import tensorflow as tf

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("keras", "kerasseq", "export"):
            raise ImportError(f"{name} is not here")

for name in list(sys.modules):
    if name.partition(".")[0] == "keras":
        del sys.modules[name]
sys.meta_path.insert(0, Refuse())
try:
    import keras
except ImportError:
    pass
else:
    raise SystemExit("keras is still there")
answers = {}
for case, (path, name, inputs) in pickle.load(sys.stdin.buffer).items():
    loaded = tf.saved_model.load(path)
    inputs = {key: tf.constant(value, dtype) for key, (value, dtype) in inputs.items()}
    answers[case] = [
        {key: output.numpy() for key, output in function(**inputs).items()}
        for function in (loaded.signatures[name], getattr(loaded, name))
    ]
with open(sys.argv[1], "wb") as file:
    pickle.dump(answers, file)
"""


class Table(tf.Module):
    """A module that is only a table of words."""

    def __init__(self):
        super().__init__()
        self.table = WordTable(WORDS)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "sentences")])
    def ids(self, sentences):
        return {"ids": self.table(divide_in_graph(sentences)[0])}


class Pieces(tf.Module):
    """A module that is only a table of pieces of words."""

    def __init__(self):
        super().__init__()
        self.table = SubwordTable(PIECES)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])
    def divide(self, texts):
        ids = self.table.encode(texts).to_tensor()
        return {"ids": ids, "texts": self.table.decode(ids)}


def with_random_weights(model: keras.Model, scale: float = 0.7) -> keras.Model:
    """Weights so large that each input makes a difference."""
    rng = np.random.default_rng(17)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0, scale, variable.shape))
    return model


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    built = {
        "encoder": build_encoder(EncoderConfig(len(WORDS), 12, 3, 2, 17, 13)),
        **{
            f"classifier_{blocks}": build_classifier(
                ClassifierConfig(len(WORDS), len(LABELS), 12, blocks, 3, 17)
            )
            for blocks in (0, 1)
        },
        "tagger": build_tagger(TAGS),
        "next_word": build_next_word_model(
            NextWordConfig(len(TYPED), units=7, embedding_size=3)
        ),
        "characters": build_char_rnn(CharRNNConfig(len(CHARACTERS), "gru", 5, 1, 3)),
        "translation": build_translation(
            TranslationConfig(len(PIECES), 12, 3, 1, 2, 17, max_length=9)
        ),
    }
    return {name: with_random_weights(model) for name, model in built.items()}


@pytest.fixture(scope="module")
def modules(models) -> dict[str, tf.Module]:
    found = {
        "encoder": EncoderOnText(EncoderOnIds(models["encoder"]), WORDS),
        "tagger": TaggerOnText(TaggerOnIds(models["tagger"], TAGS.tags), WORDS),
        "next_word": NextWordOnText(NextWordOnIds(models["next_word"]), TYPED),
        "characters": build_generating_module(models["characters"], CHARACTERS),
        "table": Table(),
        "pieces": Pieces(),
        "translation": TranslationOnText(
            TranslationOnIds(models["translation"]), PIECES
        ),
    }
    for name in ("classifier_0", "classifier_1"):
        found[name] = ClassifierOnText(ClassifierOnIds(models[name]), WORDS, LABELS, 11)
    return found


@pytest.fixture(scope="module")
def answers(models, modules, tmp_path_factory) -> dict[str, dict[str, np.ndarray]]:
    """The outputs of each SavedModel's signature there, by case."""
    folder = tmp_path_factory.mktemp("saved_models")
    sentences = {"sentences": (SENTENCES, "string")}
    texts = {"text": (TEXTS, "string"), "k": (3, "int32")}
    kinds = {"length": "int32", "top_k": "int32", "seed": "int32"}
    # A GRU's output is its state.
    embedding, gru, _ = models["characters"].layers[1:]
    state_after_3 = gru(embedding(np.array([[3]]))).numpy()[:, 0]
    step = {"token": ([7], "int32"), "state_0": (state_after_3, "float32")}
    cases = {
        "encoder": ("encoder", "encode", sentences),
        "classifier_0": ("classifier_0", "classify", sentences),
        "classifier_1": ("classifier_1", "classify", sentences),
        "tagger": ("tagger", "tag", sentences),
        "table": ("table", "ids", {"sentences": (RAW, "string")}),
        "pieces": ("pieces", "divide", {"texts": (RAW, "string")}),
        **{
            f"translation_{temperature}": (
                "translation",
                "translate",
                {
                    "sentences": (RAW, "string"),
                    "temperature": (temperature, "float32"),
                    "seed": (5, "int32"),
                },
            )
            for temperature in (0.0, 0.9)
        },
        "next_word": (
            "next_word",
            "suggest",
            texts,
        ),
        "step": (
            "characters",
            "step",
            step,
        ),
    }
    for index, values in enumerate(SETTINGS):
        numbers = {
            name: (value, kinds.get(name, "float32"))
            for name, value in {"length": 283, **values}.items()
        }
        inputs = {"prompt": (PROMPTS, "string"), **numbers}
        cases[f"characters_{index}"] = ("characters", "generate", inputs)
    for case, (model, name, inputs) in list(cases.items()):
        if name != "step":
            empty = {
                key: ([] if kind == "string" else value, kind)
                for key, (value, kind) in inputs.items()
            }
            cases[f"{case} of nothing"] = (model, name, empty)
    signatures: dict[str, dict] = {}
    for model, name, _ in cases.values():
        function = getattr(modules[model], name)
        if name == "step":
            function = modules[model].device_signatures()[name]
        signatures.setdefault(model, {})[name] = function
    for model, functions in signatures.items():
        write_saved_model(modules[model], folder / model, functions)
    work = {
        case: (str(folder / model), name, inputs)
        for case, (model, name, inputs) in cases.items()
    }
    command = [sys.executable, "-I", "-c", ALONE, str(folder / "answers")]
    done = subprocess.run(
        command, input=pickle.dumps(work), cwd=folder, capture_output=True
    )
    assert done.returncode == 0, done.stderr[-2000:].decode()
    found = pickle.loads((folder / "answers").read_bytes())
    for by_signature, by_attribute in found.values():
        for name, output in by_signature.items():
            np.testing.assert_array_equal(output, by_attribute[name])
    return {case: by_signature for case, (by_signature, _) in found.items()}


def decoded(texts: np.ndarray) -> list:
    """Strings instead of bytes, in lists of the same shape."""
    return np.vectorize(lambda text: text.decode(), otypes=[object])(texts).tolist()


def test_the_encoder_gives_the_vectors_and_weights_of_keras(answers, models):
    found = answers["encoder"]
    ids = keras.utils.pad_sequences(
        [WORDS.encode(line) for line in SENTENCES], padding="post"
    )
    assert decoded(found["tokens"]) == np.array(WORDS.words)[ids].tolist()
    np.testing.assert_array_equal(found["token_mask"], ids != PAD)
    embeddings, weights = encode_by_keras(models["encoder"], ids)
    np.testing.assert_allclose(found["embeddings"], embeddings, atol=1e-5)
    np.testing.assert_allclose(found["weights"], weights, atol=1e-5)


@pytest.mark.parametrize("name", ["classifier_0", "classifier_1"])
def test_the_classifier_gives_the_answers_of_keras(answers, models, name):
    found = answers[name]
    labels, tokens = decoded(found["labels"]), decoded(found["tokens"])
    spelled = [WORDS.encode_spelled(sentence, 24, 11) for sentence in SENTENCES]
    sequences = [ids for ids, _ in spelled]
    for row, expected in enumerate(predict(models[name], spelled)):
        probabilities, count = found["probabilities"][row], len(sequences[row])
        np.testing.assert_allclose(probabilities, expected.probabilities, atol=1e-5)
        known = max(sequences[row]) > UNKNOWN or probabilities.max() >= SURE
        label = LABELS[expected.probabilities.argmax()] if known else ""
        assert labels[row] == label
        weights = found["weights"][row]
        np.testing.assert_allclose(weights[:count], expected.weights, atol=1e-5)
        assert not weights[count:].any()
        assert tokens[row][:count] == [WORDS.words[index] for index in sequences[row]]


def test_the_tagger_gives_the_tags_of_keras(answers, models):
    found = answers["tagger"]
    tokens, tags = decoded(found["tokens"]), decoded(found["tags"])
    longest = max(len(sentence.split()) for sentence in SENTENCES)
    expected = tag_sentences(
        TaggerOnIds(models["tagger"], TAGS.tags),
        [sentence.split() for sentence in SENTENCES],
        WORDS,
    )
    assert len({tag for row in expected for tag in row}) > 1
    for row, names in enumerate(expected):
        count, rest = len(names), longest - len(names)
        assert tokens[row][:count] == SENTENCES[row].split()
        assert tags[row] == names + ["O"] * rest
        assert found["token_mask"][row].tolist() == [True] * count + [False] * rest


def test_the_next_word_model_suggests_what_keras_does(answers, modules):
    rows = decoded(answers["next_word"]["words"])
    for text, words in zip(TEXTS, rows, strict=True):
        expected = [word for word, _ in suggest(modules["next_word"], text, 3)]
        assert words == expected + [""] * (3 - len(expected))


@pytest.mark.parametrize("index", range(len(SETTINGS)))
def test_the_character_model_writes_the_text_of_keras(answers, modules, index):
    assert decoded(answers[f"characters_{index}"]["text"]) == [
        generate(modules["characters"], prompt, 283, **SETTINGS[index])
        for prompt in PROMPTS
    ]


def test_a_step_gives_the_logits_of_keras(answers, models):
    expected = models["characters"](np.array([[3, 7]]))[:, 1]
    np.testing.assert_allclose(answers["step"]["logits"], expected, atol=1e-5)


def test_a_table_of_words_reads_any_bytes(answers):
    the, cat, runs, dog = WORDS.encode("the cat runs dog").tolist()
    expected = [[the, cat, runs], [PAD] * 3, [UNKNOWN, WORDS.encode("İt")[0], dog]]
    assert answers["table"]["ids"].tolist() == expected


def test_a_table_of_pieces_divides_any_bytes_and_joins_them(answers):
    texts = [row.decode("utf-8", "replace") for row in RAW]
    ids = [PIECES.encode(text) for text in texts]
    padded = keras.utils.pad_sequences(ids, padding="post")
    np.testing.assert_array_equal(answers["pieces"]["ids"], padded)
    assert decoded(answers["pieces"]["texts"]) == texts


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_a_translator_answers_as_keras_does(models, answers, temperature):
    ids = [PIECES.encode(text.decode("utf-8", "replace")) for text in RAW]
    translating = TranslationOnIds(models["translation"])
    expected = translate_ids(translating, ids, temperature=temperature, seed=5)
    found = answers[f"translation_{temperature}"]
    texts = [PIECES.decode(each.ids).encode() for each in expected]
    assert found["translations"].tolist() == texts
    scores = [each.score for each in expected]
    np.testing.assert_allclose(found["scores"], scores, rtol=1e-4)
    for row, read, each in zip(found["source_pieces"], ids, expected, strict=True):
        pieces = [PIECES.contents[index] for index in read[:8]]
        assert row[: len(pieces)].tolist() == pieces and not any(row[8:])
        assert each.alignment.shape == (len(each.ids), len(pieces) + 1)
    for row, each in zip(found["alignment"], expected, strict=True):
        count, length = each.alignment.shape
        np.testing.assert_allclose(row[:count, :length], each.alignment, atol=1e-5)


def test_an_empty_batch_has_an_empty_answer(answers):
    cases = [case for case in answers if f"{case} of nothing" in answers]
    assert len(cases) == len(answers) // 2 > 8, "all but a step"
    for case in cases:
        found, whole = answers[f"{case} of nothing"], answers[case]
        assert found.keys() == whole.keys()
        for name, output in found.items():
            shape = output.shape
            assert shape[0] == 0 and len(shape) == whole[name].ndim, (case, name)
