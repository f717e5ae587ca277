"""A small file for each program for devices, with random weights."""

import json
from functools import partial
from pathlib import Path

import keras

from kerasseq.files.tflite import convert, write_tflite
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.classifier import ClassifierConfig, build_classifier
from kerasseq.models.encoder import EncoderConfig, build_encoder
from kerasseq.models.next_word import NextWordConfig, build_next_word_model
from kerasseq.models.tagger import TaggerConfig, build_tagger
from kerasseq.on_device.model_file import CONTRACT_VERSION
from kerasseq.signatures.characters import build_generating_module
from kerasseq.signatures.classifier import ClassifierOnIds
from kerasseq.signatures.encoder import EncoderOnIds
from kerasseq.signatures.next_word_on_ids import NextWordOnIds
from kerasseq.signatures.steps import state_shapes
from kerasseq.signatures.tagger import TaggerOnIds
from kerasseq.text.characters import Vocabulary
from kerasseq.text.keyboard import OWN_WORDS, TypedVocabulary
from kerasseq.text.words import SPECIALS, WordVocabulary
from tests.support.translators import PIECES, build_translator
from tests.support.weights import with_random_weights

CHARACTERS = Vocabulary.from_text("\n abcdé")
WORDS = WordVocabulary.from_sentences(["the cat sat οδοσ", "好 dog"])
KEYBOARD = TypedVocabulary((*SPECIALS, ".", "a", "king", "kin", "the"))
LABELS, TAGS = ["γ", "a b", "c"], ["O", "B-x", "I-x"]
DEFAULTS = {"length": 37, "temperature": 0.9, "top_k": 6, "top_p": 0.95, "min_p": 0.01}
LENGTH = 7


with_weights = partial(with_random_weights, seed=17, scale=0.7)


def build_models() -> dict[str, keras.Model]:
    """A small model for each program, by its name."""
    size = len(WORDS)
    return {
        "generate": with_weights(
            build_char_rnn(CharRNNConfig(7, units=5, embedding_size=3))
        ),
        "suggest": with_weights(
            build_next_word_model(
                NextWordConfig(len(KEYBOARD.words), units=7, embedding_size=3)
            )
        ),
        "classify": with_weights(
            build_classifier(ClassifierConfig(size, 3, 8, num_letters=5))
        ),
        # Most seeds give every token the same tag, so that no name is found.
        "tag": with_weights(
            build_tagger(TaggerConfig(size, ("x",), num_letters=5)), seed=39
        ),
        "encode": with_weights(build_encoder(EncoderConfig(size, 12, 3, 2, 17, 13))),
    }


def build_modules(models: dict[str, keras.Model]) -> dict:
    """What each file is made from."""
    return {
        "generate": build_generating_module(models["generate"], CHARACTERS),
        "suggest": NextWordOnIds(models["suggest"]),
        "classify": ClassifierOnIds(models["classify"]),
        "tag": TaggerOnIds(models["tag"], TAGS),
        "encode": EncoderOnIds(models["encode"]),
    }


def write_files(models: dict, modules: dict, folder: Path) -> dict[str, Path]:
    """A file for each program."""
    cards = {
        "generate": {
            "kind": "character model",
            "state_shapes": state_shapes(models["generate"]),
            "sampling_defaults": DEFAULTS,
        },
        "suggest": {
            "kind": "next-word model",
            "state_shapes": modules["suggest"].state_shapes,
            "first_word": KEYBOARD.first,
            "own_words": OWN_WORDS,
        },
        "classify": {
            "kind": "classifier",
            "length": LENGTH,
            "num_letters": 5,
            "labels": LABELS,
        },
        "tag": {"kind": "tagger", "length": LENGTH, "num_letters": 5, "tags": TAGS},
        "encode": {"kind": "encoder", "length": LENGTH},
    }
    written = {}
    for name, card in cards.items():
        stateful = name in ("generate", "suggest")
        signatures = modules[name].device_signatures(*([] if stateful else [LENGTH]))
        vocabulary = {"generate": CHARACTERS, "suggest": KEYBOARD}.get(name, WORDS)
        ((_, entries),) = json.loads(vocabulary.to_json()).items()
        size = {"contract": CONTRACT_VERSION, "vocabulary_size": len(entries)}
        written[name] = write_tflite(
            folder / f"{name}.tflite",
            convert(modules[name], signatures),
            size | card,
            {"vocabulary.json": vocabulary.to_json()},
        )
    return written | {"show": written["encode"]}


def write_translator(folder: Path) -> Path:
    """A file for translate.py, which takes seconds to convert."""
    module, signatures, card = build_translator()
    return write_tflite(
        folder / "translate.tflite",
        convert(module, signatures),
        {"contract": CONTRACT_VERSION, **card},
        {"vocabulary.json": PIECES.to_json()},
    )
