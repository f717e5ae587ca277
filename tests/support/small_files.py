"""Small exported files of every kind: `python -m tests.support.small_files DIR`."""

import json
import string
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from kerasseq.files.formats import FORMATS
from kerasseq.files.tflite import convert_all, write_tflite
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.char_transformer import (
    CharTransformerConfig,
    build_char_transformer,
)
from kerasseq.models.classifier import ClassifierConfig, build_classifier
from kerasseq.models.encoder import EncoderConfig, build_encoder
from kerasseq.models.next_word import NextWordConfig, build_next_word_model
from kerasseq.models.tagger import TaggerConfig, build_tagger
from kerasseq.on_device.card import CONTRACT_VERSION
from kerasseq.signatures.characters import build_generating_module
from kerasseq.signatures.classifier import ClassifierOnIds
from kerasseq.signatures.encoder import EncoderOnIds
from kerasseq.signatures.next_word_on_ids import NextWordOnIds
from kerasseq.signatures.tagger import TaggerOnIds
from kerasseq.text.characters import Vocabulary
from kerasseq.text.keyboard import OWN_WORDS, TypedVocabulary
from kerasseq.text.words import SPECIALS, WordVocabulary
from tests.support.translators import PIECES, build_translator
from tests.support.weights import with_random_weights

CHARACTERS = Vocabulary.from_text("\n " + string.ascii_letters)
WORDS = WordVocabulary.from_sentences(["the cat sat on a mat b", "dog"])
KEYBOARD = TypedVocabulary((*SPECIALS, ".", *string.ascii_lowercase, "the"), 5)
SETTINGS = {"length": 37, "temperature": 0.9, "top_k": 6, "top_p": 0.95, "min_p": 0.01}
LENGTH = 7


def modules(scale: float = 0.5) -> Iterable[tuple[str, object, dict, dict, object]]:
    """For each file a name, what it is made from, signatures, its card and words.

    Args:
        scale: the standard deviation of the weights.
    """
    with_weights = partial(with_random_weights, seed=17, scale=scale)
    for name, model in {
        "gru": build_char_rnn(CharRNNConfig(54, "gru", 48, 1, 24)),
        "lstm": build_char_rnn(CharRNNConfig(54, "lstm", 48, 2, 24)),
        "transformer": build_char_transformer(
            CharTransformerConfig(54, 32, 2, 2, context=19)
        ),
    }.items():
        module = build_generating_module(with_weights(model), CHARACTERS, frozen=True)
        card = {
            "kind": "character model",
            "state_shapes": module.state_shapes,
            "sampling_defaults": SETTINGS,
        }
        yield name, module, module.device_signatures(), card, CHARACTERS
    next_word = with_weights(
        build_next_word_model(NextWordConfig(KEYBOARD.num_known, 48, embedding_size=48))
    )
    module = NextWordOnIds(next_word, KEYBOARD.num_rare)
    card = {
        "kind": "next-word model",
        "state_shapes": module.state_shapes,
        "first_word": KEYBOARD.first,
        "own_words": OWN_WORDS,
    }
    yield "next_word", module, module.device_signatures(), card, KEYBOARD
    size = len(WORDS)
    classifier = with_weights(
        build_classifier(ClassifierConfig(size, 3, 32, num_letters=5))
    )
    tagger = with_weights(build_tagger(TaggerConfig(size, ("x",), num_letters=5)))
    encoder = with_weights(build_encoder(EncoderConfig(size, 32, 2, 2, 48, 13)))
    for module, card in (
        (
            ClassifierOnIds(classifier),
            {"kind": "classifier", "num_letters": 5, "labels": ["γ", "a b", "c"]},
        ),
        (
            TaggerOnIds(tagger, ["O", "B-x", "I-x"]),
            {"kind": "tagger", "num_letters": 5, "tags": ["O", "B-x", "I-x"]},
        ),
        (EncoderOnIds(encoder), {"kind": "encoder"}),
    ):
        signatures = module.device_signatures(LENGTH)
        yield card["kind"], module, signatures, card | {"length": LENGTH}, WORDS
    yield "translator", *build_translator(), PIECES


def write_files(folder: Path, scale: float = 0.5) -> None:
    """Write all of them to a folder."""
    for name, module, signatures, card, vocabulary in modules(scale):
        text = vocabulary.to_json()
        entries, *_ = json.loads(text).values()
        size = {"contract": CONTRACT_VERSION, "vocabulary_size": len(entries)}
        # Four bits are for matrices that multiply a state.
        formats = [
            each for each in FORMATS if each != "int4" or name in ("gru", "lstm")
        ]
        for number_format, flatbuffer in convert_all(module, signatures, formats):
            path = folder / f"{name}_{number_format}.tflite"
            write_tflite(path, flatbuffer, size | card, {"vocabulary.json": text})


if __name__ == "__main__":
    write_files(Path(sys.argv[1]))
