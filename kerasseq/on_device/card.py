"""What the JSON files in a `.tflite` must say: card.json and vocabulary.json.

The programs check them here once, when they open a file, and trust them afterwards.
"""

import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

CONTRACT_VERSION = 3
CHARACTERS = "character model"
WORDS = "next-word model"
ENCODER = "encoder"
TAGGER = "tagger"
CLASSIFIER = "classifier"
TRANSLATOR = "translator"
KINDS = CHARACTERS, WORDS, ENCODER, TAGGER, CLASSIFIER, TRANSLATOR
# Ids of padding, start, end and each byte, before those of pieces.
IDS_BEFORE_PIECES = 259
# The key of the number of rare words in a keyboard's vocabulary; missing for none.
RARE_WORDS = "rare_words"
# Bytes of each file; more is out of all proportion, and would fill the memory.
MOST_BYTES = {"card.json": 2**20, "card.sha256": 100, "vocabulary.json": 2**23}
MOST_DEPTH = 8


class Rule(NamedTuple):
    """What a value must be, as a test and in words."""

    holds: Callable[[Any], Any]
    words: str


def whole(low: int, high: int = 2**31 - 1) -> Rule:
    """A whole number; 128.0 and true are not."""
    words = f"a whole number from {low} to {high}"
    return Rule(lambda value: type(value) is int and low <= value <= high, words)


def number(low: float, high: float = sys.float_info.max) -> Rule:
    """A number of any kind; NaN is in no range."""
    words = f"a number from {low} {f'to {high}' if high < 1e300 else 'up'}"
    return Rule(
        lambda value: type(value) in (int, float) and low <= value <= high, words
    )


def names(least: int, pattern: str = "(?s:.+)") -> Rule:
    """A list of different texts, each of which matches a pattern."""
    matches = re.compile(pattern).fullmatch
    return Rule(
        lambda value: (
            type(value) is list
            and len(value) >= least
            and all(type(each) is str and matches(each) for each in value)
            and len(set(value)) == len(value)
        ),
        f"a list of {least} different texts or more, each like {pattern}",
    )


SHAPE = Rule(
    lambda value: (
        type(value) is list
        and 0 < len(value) <= 8
        and all(whole(1).holds(size) for size in value)
    ),
    "a shape",
)
SHAPES = Rule(
    lambda value: type(value) is list and value and all(map(SHAPE.holds, value)),
    "a list of shapes",
)
HASH = Rule(
    lambda value: type(value) is str and re.fullmatch("[0-9a-f]{64}", value),
    "a SHA-256 in hexadecimal",
)
# A mapping of rules is the rule of an object with these entries, and maybe others.
Rules = Mapping[str, "Rule | Rules"]
CARD: Rules = {
    "contract": whole(CONTRACT_VERSION, CONTRACT_VERSION),
    "kind": Rule(lambda value: value in KINDS, f"one of {', '.join(KINDS)}"),
    "sha256": HASH,
    "attachments": {"vocabulary.json": HASH},
    "vocabulary_size": whole(1),
}
OF_KIND: Mapping[str, Rules] = {
    CHARACTERS: {
        "state_shapes": SHAPES,
        "sampling_defaults": {
            "length": whole(0),
            "temperature": number(0),
            "top_k": whole(0),
            "top_p": number(0, 1),
            "min_p": number(0, 1),
        },
    },
    WORDS: {"state_shapes": SHAPES, "first_word": whole(0)},
    ENCODER: {"length": whole(1)},
    TAGGER: {
        "length": whole(1),
        "num_letters": whole(1),
        "tags": names(1, "O|[BI]-.+"),
    },
    CLASSIFIER: {"length": whole(1), "num_letters": whole(1), "labels": names(2)},
    TRANSLATOR: {
        "length": whole(2),
        "memory_shapes": SHAPES,
        "state_shapes": SHAPES,
    },
}


def read_object(name: str, content: bytes) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        ValueError: it is none, or has a key twice, NaN or infinity, half a surrogate
            pair or too deep a nesting; the message starts with the file's name.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) < len(pairs):
            raise ValueError("an object has a key twice")
        return found

    def finite(text: str) -> float:
        if not math.isfinite(value := float(text)):
            raise ValueError(f"{text} is no finite number")
        return value

    try:
        found = json.loads(
            content.decode(),
            object_pairs_hook=unique,
            parse_float=finite,
            parse_constant=finite,
        )
        if type(found) is not dict:
            raise ValueError("it is no object")
        json.dumps(found, ensure_ascii=False).encode()  # fails for half a pair
        if _depth(found) > MOST_DEPTH:
            raise ValueError(f"it is nested more than {MOST_DEPTH} deep")
    except RecursionError:
        raise ValueError(f"{name}: it is nested too deep") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return found


def check_card(card: Mapping[str, Any]) -> None:
    """Check what a card says.

    Raises:
        ValueError: an entry is missing, or not what the contract says.
    """
    _check("card.json", card, CARD)
    _check("card.json", card, OF_KIND[card["kind"]])
    if card["kind"] == WORDS and "own_words" in card:  # files from before have none
        _check("card.json", card, {"own_words": whole(0)})


def check_vocabulary(vocabulary: Mapping[str, Any], card: Mapping[str, Any]) -> None:
    """Check that a vocabulary is what the card says.

    Raises:
        ValueError: it is not.
    """
    key, rule, before = {
        CHARACTERS: ("characters", names(1, "(?s:.)"), 0),
        TRANSLATOR: (
            "pieces",
            names(0, r"(?s:[^\x00-\x7f]|.{2,16})"),
            IDS_BEFORE_PIECES,
        ),
    }.get(card["kind"], ("words", names(2), 0))
    _check("vocabulary.json", vocabulary, {key: rule})
    size = len(vocabulary[key])
    if size + before != card["vocabulary_size"]:
        wanted = card["vocabulary_size"] - before
        raise ValueError(f"vocabulary.json has {size} {key}, the model {wanted}")
    if card["kind"] == WORDS and RARE_WORDS in vocabulary:
        _check("vocabulary.json", vocabulary, {RARE_WORDS: whole(0)})
    if card["kind"] == WORDS and card["first_word"] >= size:
        raise ValueError(
            f"card.json: first_word={card['first_word']} is no id of {size} words"
        )


def _check(where: str, found: Any, rules: Rules) -> None:
    if type(found) is not dict:
        raise ValueError(f"{where} is {_shown(found)}, not an object")
    for name, rule in rules.items():
        if name not in found:
            raise ValueError(f"{where} has no {name}")
        if isinstance(rule, Mapping):
            _check(f"{where}: {name}", found[name], rule)
        elif not rule.holds(found[name]):
            raise ValueError(
                f"{where}: {name} is {_shown(found[name])}, not {rule.words}"
            )


def _shown(value: Any) -> str:
    """The beginning of a value, as ASCII."""
    text = ascii(value)
    return text if len(text) < 60 else f"{text[:57]}..."


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(_depth, inner), default=0)
