"""No check fails on a sound model, whatever the size of its vocabulary."""

import keras
import pytest

from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.char_transformer import (
    CharTransformerConfig,
    build_char_transformer,
)
from kerasseq.models.classifier import ClassifierConfig, build_classifier
from kerasseq.models.encoder import EncoderConfig, build_encoder
from kerasseq.models.next_word import NextWordConfig, build_next_word_model
from kerasseq.models.tagger import TaggerConfig, build_tagger
from kerasseq.models.translation import TranslationConfig, build_translation
from kerasseq.recipes.exporting import export
from kerasseq.text.characters import Vocabulary
from kerasseq.text.keyboard import TypedVocabulary
from kerasseq.text.subwords import FIRST_PIECE, Subwords
from kerasseq.text.words import SPECIALS, WordVocabulary

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_xla")]

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def words(count: int) -> tuple[str, ...]:
    """Different words: a, b, ... z, aa, ab, ..."""
    found = [""]
    for word in found:
        if len(found) > count:
            break
        found += [word + letter for letter in LETTERS]
    return tuple(found[1 : count + 1])


def characters(count: int) -> Vocabulary:
    """Chinese characters."""
    return Vocabulary.from_text("".join(map(chr, range(0x4E00, 0x4E00 + count))))


BUILT = {
    "gru": lambda n: (build_char_rnn(CharRNNConfig(n, "gru", 16)), characters(n), {}),
    "lstm": lambda n: (
        build_char_rnn(CharRNNConfig(n, "lstm", 16)),
        characters(n),
        {},
    ),
    "char_transformer": lambda n: (
        build_char_transformer(CharTransformerConfig(n, 16, 2, 2, 16)),
        characters(n),
        {},
    ),
    "next_word": lambda n: (
        build_next_word_model(NextWordConfig(n + 3, 16, embedding_size=16)),
        TypedVocabulary((*SPECIALS, *words(2 * n)), num_rare=n),
        {},
    ),
    "encoder": lambda n: (
        build_encoder(EncoderConfig(n + 3, 16, 2, 1, 16)),
        WordVocabulary((*SPECIALS, *words(n))),
        {},
    ),
    "classifier": lambda n: (
        build_classifier(ClassifierConfig(n + 3, 2, 16)),
        WordVocabulary((*SPECIALS, *words(n))),
        {"labels": ("good", "bad")},
    ),
    "tagger": lambda n: (
        build_tagger(TaggerConfig(n + 3, ("x",))),
        WordVocabulary((*SPECIALS, *words(n))),
        {"tags": ("O", "B-x", "I-x")},
    ),
    "translation": lambda n: (
        build_translation(TranslationConfig(FIRST_PIECE + n, 16, 2, 1, 1, 16, 32)),
        Subwords(tuple(f" {word}" for word in words(n))),
        {},
    ),
}


@pytest.mark.parametrize("size", [2, 10_000])
@pytest.mark.parametrize("kind", BUILT)
def test_all_checks_pass(kind, size, tmp_path):
    # Untrained weights lie near all borders; how near is drawn.
    keras.utils.set_random_seed(0)
    model, vocabulary, names = BUILT[kind](size)
    report = export(model, vocabulary, tmp_path, **names)
    assert all(check["passed"] for check in report["checks"])
