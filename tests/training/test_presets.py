"""Whatever the size of a text, a preset gives a plan that can be run."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.presets import (
    MOST_PASSES,
    MOST_WORDS,
    NEXT_WORD,
    NEXT_WORD_MOST_RARE,
    PRESETS,
    TRANSFORMERS,
    classifier_dropout,
    classifier_model_size,
    classifier_rows,
    dropout_for,
    most_characters,
    next_word_sizes,
    tagger_tables,
    units_for,
)


@given(
    st.sampled_from([*PRESETS.values(), *TRANSFORMERS.values()]),
    st.integers(66, 10**9),
)
def test_a_text_of_any_size_gets_the_passes_of_the_preset(preset, num_characters):
    characters = most_characters(preset, num_characters)
    assert characters <= preset.characters
    assert characters <= MOST_PASSES * num_characters
    assert characters in (preset.characters, MOST_PASSES * num_characters)
    config = TrainingConfig.for_text(num_characters, budget=characters)
    read = config.epochs * config.steps_per_epoch * config.batch_size * config.length
    assert read <= 1.5 * characters + 1_200_000


@given(st.sampled_from([*PRESETS.values()]), st.integers(66, 10**9))
def test_a_short_text_gets_no_more_units_than_a_long_one(preset, num_characters):
    units = units_for(preset, num_characters)
    assert units == (
        preset.units if num_characters > 40_000 else min(preset.units, 256)
    )
    assert units <= units_for(preset, 2 * num_characters) <= preset.units


@given(
    st.floats(0.001, 1000),
    st.floats(0.001, 1000),
    st.sampled_from([(0, 0.5), (383, 0.5), (384, 0.6), (512, 0.6)]),
)
def test_dropout_grows_with_the_passes(one, other, units_and_most):
    units, most = units_and_most
    fewer, more = sorted((one, other))
    assert 0 <= dropout_for(fewer, units) <= dropout_for(more, units) <= most
    assert dropout_for(more) <= dropout_for(more, units)


@pytest.mark.parametrize(("units", "most"), [(0, 0.5), (256, 0.5), (512, 0.6)])
def test_a_single_pass_needs_no_dropout(units, most):
    assert dropout_for(1, units) == 0
    assert dropout_for(0.01, units) == 0
    assert dropout_for(2, units) == pytest.approx(0.12)
    assert dropout_for(math.inf, units) == most


def test_dropout_is_what_the_trials_found_best():
    assert dropout_for(14, units=256) == 0.46
    assert dropout_for(14, units=512) == 0.6
    assert dropout_for(7.5, units=512) == 0.35
    assert dropout_for(3, units=512) == dropout_for(3, units=256) == 0.19


@pytest.mark.parametrize("presets", [PRESETS, TRANSFORMERS])
def test_more_time_is_for_more_text_and_more_weights(presets):
    assert list(presets) == ["fast", "default", "best"]
    fast, default, best = presets.values()
    assert fast.characters < default.characters < best.characters
    sizes = [preset.units * preset.layers for preset in (fast, default, best)]
    assert sizes[0] < sizes[1] < sizes[2]


@given(st.sampled_from([*NEXT_WORD.values()]), st.integers(5, MOST_WORDS["next_word"]))
def test_a_keyboard_stays_below_two_megabytes_in_int8(preset, words):
    units, size = next_word_sizes(preset, words)
    weights = words * size + 3 * units * (units + size) + units * size
    # Each row has a scale, a zero point and a bias; a word takes some five bytes.
    rows = words + 2 * 3 * units + size
    vocabulary = 5 * (words + NEXT_WORD_MOST_RARE)
    assert weights + 15 * rows + vocabulary + 40_000 < 2_000_000
    assert units % 16 == 0 and 128 <= units <= preset.units
    assert size % 8 == 0 and 96 <= size <= 128


@given(st.integers(2, 2_000), st.integers(4, 20_000))
def test_a_classifier_of_few_classes_stays_below_a_megabyte_in_int8(classes, words):
    rows = classifier_rows(classes)
    words = min(words, rows)
    size = classifier_model_size(words)
    weights = words * size + (words + 2 * rows) * classes
    assert weights <= 840_000 or classes > 52
    assert size % 4 == 0 and 4 <= size <= 64


def test_a_classifier_drops_less_for_many_classes():
    assert classifier_dropout(2) == classifier_dropout(4) == (0.4, 0.5)
    assert classifier_dropout(16) == (0.2, 0.25)


def test_a_tagger_s_tables_do_not_grow_with_its_kinds():
    assert list(tagger_tables(13).values()) == [16_381, 2_039, 2_000], (
        "as in the trials"
    )
    rows = [list(tagger_tables(tags).values()) for tags in (3, 13, 41, 101, 1001)]
    for table in zip(*rows, strict=True):
        assert list(table) == sorted(table, reverse=True)
    # A row has one, two and five weights for each tag.
    ngrams, near, around = tagger_tables(101).values()
    assert 101 * (ngrams + 2 * near + 5 * around) < 440_000
    assert rows[-1] == [2_047, 254, 250], "some, however many kinds there are"
