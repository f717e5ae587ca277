"""Every size and every fraction of every model's configuration has its range."""

import dataclasses
import re

import pytest

from kerasseq.models.char_rnn import CharRNNConfig
from kerasseq.models.char_transformer import CharTransformerConfig
from kerasseq.models.classifier import ClassifierConfig
from kerasseq.models.encoder import EncoderConfig
from kerasseq.models.next_word import NextWordConfig
from kerasseq.models.tagger import TaggerConfig
from kerasseq.models.translation import TranslationConfig

CONFIGURATIONS = {
    "char_rnn": CharRNNConfig(7),
    "char_transformer": CharTransformerConfig(7),
    "classifier": ClassifierConfig(7, 3),
    "encoder": EncoderConfig(7),
    "next_word": NextWordConfig(7),
    "tagger": TaggerConfig(7, ("place",)),
    "translation": TranslationConfig(7),
}
# Where it is not 1.
LEAST = {
    ("char_transformer", "context"): 2,
    ("classifier", "num_classes"): 2,
    ("classifier", "num_blocks"): 0,
    ("translation", "vocabulary_size"): 4,
}


def fields_of(kind: type) -> list[tuple[str, str]]:
    return [
        (name, field.name)
        for name, config in CONFIGURATIONS.items()
        for field in dataclasses.fields(config)
        if field.type is kind
    ]


@pytest.mark.parametrize(("name", "size"), fields_of(int))
def test_a_size_below_its_least_value_is_refused(name, size):
    least = LEAST.get((name, size), 1)
    for value in (least - 1, -3):
        with pytest.raises(
            ValueError, match=f"{size}={value} must be at least {least}"
        ):
            dataclasses.replace(CONFIGURATIONS[name], **{size: value})


@pytest.mark.parametrize(("name", "size"), LEAST)
def test_the_least_value_is_accepted(name, size):
    dataclasses.replace(CONFIGURATIONS[name], **{size: LEAST[name, size]})


@pytest.mark.parametrize(("name", "fraction"), fields_of(float))
def test_a_fraction_is_from_0_to_below_1(name, fraction):
    for value in (0.0, 0.99):
        dataclasses.replace(CONFIGURATIONS[name], **{fraction: value})
    for value in (-0.1, 1.0, 1, float("nan")):
        with pytest.raises(ValueError, match=f"{fraction}={value} is not from 0 to"):
            dataclasses.replace(CONFIGURATIONS[name], **{fraction: value})


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("char_rnn", {"cell": "rnn"}, "cell='rnn' is none of gru, lstm, simple_rnn"),
        ("char_transformer", {"model_size": 20}, "=20 divided .* a multiple of 8"),
        (
            "classifier",
            {"model_size": 6},
            "model_size=6 is not divisible by num_heads=4",
        ),
        (
            "encoder",
            {"model_size": 30},
            "model_size=30 is not divisible by num_heads=4",
        ),
        ("tagger", {"kinds": ()}, "kinds is empty"),
        (
            "translation",
            {"model_size": 30},
            "model_size=30 is not divisible by num_heads=4",
        ),
    ],
)
def test_settings_that_make_no_model_are_refused(name, changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIGURATIONS[name], **changes)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_is_frozen(name):
    with pytest.raises(dataclasses.FrozenInstanceError):
        CONFIGURATIONS[name].vocabulary_size = 8


@pytest.mark.parametrize("name", [each for each in CONFIGURATIONS if each != "tagger"])
def test_a_configuration_is_told_in_words(name):
    told = str(CONFIGURATIONS[name])
    assert not set("=()_'") & set(told), told
    config = dataclasses.replace(CONFIGURATIONS[name], dropout=0.125)
    assert "dropout 0.125" in str(config)
    for field in dataclasses.fields(config):
        if field.name in ("units", "model_size"):
            size = dataclasses.replace(config, **{field.name: 1216})
            assert "1,216" in str(size)
    assert not re.search(r"\b1 \w+( \w+)?s\b|[2-9] (block|head|layer)\b", told), told
