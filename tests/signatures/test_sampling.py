"""From logits to a token and from a seed to numbers, compared with the contract.

The contract is export/README.md. The code here implements it sentence by sentence, on
Python's own numbers, and shares nothing with the code under test.
"""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.on_device import tokens as on_device
from kerasseq.signatures.sampling import Settings, uniform_numbers
from tests.support.sampling import choose_token

LARGEST_UNIFORM = 1 - 2**-24


def probabilities_by_the_contract(logits, temperature, top_k, top_p, min_p):
    """Steps 1 to 6 of "From logits to a token", in double precision: p by id."""
    ids = sorted(range(len(logits)), key=lambda i: (-logits[i], i))
    if temperature == 0:
        return {ids[0]: 1.0}
    if top_k > 0:
        ids = ids[:top_k]
    p = {i: math.exp((logits[i] - logits[ids[0]]) / temperature) for i in ids}
    p = renormalised(p)
    p = renormalised({i: p[i] for i in ids if p[i] >= min_p * p[ids[0]]})
    head, reached = {}, 0.0
    for i in p:
        head[i] = p[i]
        reached += p[i]
        if reached >= top_p:
            break
    return renormalised(dict(sorted(head.items())))


def renormalised(p):
    total = math.fsum(p.values())
    return {i: value / total for i, value in p.items()}


def walk(p, u):
    """The walk of step 6."""
    running = 0.0
    for i in p:
        running += p[i]
        if running > u:
            break
    return i


def allowed_by_the_contract(logits, uniforms, temperature, top_k, top_p, min_p):
    """For each number its token, or several where float32 may cross a border."""
    near = (0, 1e-5, -1e-5)
    several = [
        probabilities_by_the_contract(
            logits, temperature, top_k, top_p + b, min(1, min_p * (1 + c))
        )
        for b in near
        for c in near
    ]
    return [{walk(p, u + a) for p in several for a in near} for u in uniforms]


@tf.function
def chosen(logits, uniforms, *settings):
    return tf.map_fn(
        lambda uniform: choose_token(logits, uniform, Settings(*settings)),
        uniforms,
        fn_output_signature=tf.int32,
    )


def choose_all(logits, uniforms, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    """A token for each of the numbers."""
    values = (logits, uniforms, temperature, top_k, top_p, min_p)
    dtypes = (tf.float32, tf.float32, tf.float32, tf.int32, tf.float32, tf.float32)
    return chosen(*map(tf.constant, values, dtypes)).numpy()


def choose(logits, uniform, *values, **changes):
    (token,) = choose_all(logits, [uniform], *values, **changes)
    return token


# Eighths have exact differences in float32, and few different values give many ties.
LOGITS = st.sampled_from([2, 5, 11]).flatmap(
    lambda size: st.lists(
        st.integers(-40, 40).map(lambda n: n / 8), min_size=size, max_size=size
    )
)
UNIFORMS = st.integers(0, 2**24 - 1).map(lambda n: n / 2**24)
TEMPERATURES = st.sampled_from([0.0, 0.125, 0.5, 1.0, 1.5, 7.0])
TOP_KS = st.sampled_from([0, 1, 2, 3, 5, 13])
FRACTIONS = st.sampled_from([0.0, 1.0]) | st.floats(0.001, 0.999)


NUMBERS = (np.arange(17) + 0.5) / 17


@settings(max_examples=200)
@given(LOGITS, TEMPERATURES, TOP_KS, FRACTIONS, FRACTIONS)
def test_the_token_is_the_contracts(logits, temperature, top_k, top_p, min_p):
    values = (temperature, top_k, top_p, min_p)
    tokens = choose_all(logits, NUMBERS, *values)
    allowed = allowed_by_the_contract(logits, NUMBERS, *values)
    assert all(token in some for token, some in zip(tokens, allowed, strict=True))


@given(LOGITS, st.sampled_from(["temperature", "top_k", "top_p", "min_p"]))
def test_each_setting_alone_is_the_contracts(logits, name):
    values = {"temperature": 0.7, "top_k": 3, "top_p": 0.8, "min_p": 0.3}
    changes = Settings()._asdict() | {name: values[name]}
    tokens = choose_all(logits, NUMBERS, **changes)
    allowed = allowed_by_the_contract(logits, NUMBERS, **changes)
    assert all(token in some for token, some in zip(tokens, allowed, strict=True))


@given(LOGITS, UNIFORMS, TOP_KS, FRACTIONS, FRACTIONS)
def test_temperature_0_is_greedy_whatever_else_is_set(logits, u, top_k, top_p, min_p):
    best = int(np.argmax(logits))  # the lowest of equals
    assert choose(logits, u, 0.0, top_k, top_p, min_p) == best


@given(LOGITS, UNIFORMS, TEMPERATURES)
def test_one_kept_token_is_the_greedy_one(logits, u, temperature):
    best = int(np.argmax(logits))
    assert choose(logits, u, temperature, top_k=1) == best
    assert choose(logits, u, temperature, top_p=0.0) == best
    assert logits[choose(logits, u, temperature, min_p=1.0)] == logits[best]


@given(LOGITS, UNIFORMS, TEMPERATURES)
def test_settings_that_keep_all_change_nothing(logits, u, temperature):
    neutral = choose(logits, u, temperature)
    assert choose(logits, u, temperature, top_k=len(logits)) == neutral
    assert choose(logits, u, temperature, top_k=2**31 - 1) == neutral
    assert choose(logits, u, temperature, min_p=1e-38) == neutral


@given(LOGITS, UNIFORMS, UNIFORMS, TEMPERATURES, TOP_KS, FRACTIONS)
def test_a_larger_number_never_chooses_a_lower_id(logits, u, v, temperature, k, top_p):
    tokens = [choose(logits, n, temperature, k, top_p) for n in sorted((u, v))]
    assert tokens == sorted(tokens)


def test_quarters_are_worked_out_by_hand():
    # Four equal logits: a running sum has to exceed the number, so 1/4 is id 1's.
    uniforms = [0, 0.25 - 2**-24, 0.25, 0.5, 0.75, LARGEST_UNIFORM]
    expected = [0, 0, 1, 2, 3, 3]
    assert choose_all([7, 7, 7, 7], uniforms).tolist() == expected
    assert choose_all([7, 7, 7, 7], uniforms, temperature=3.0).tolist() == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"top_k": 3}, {1, 2, 4}),  # ties by lower id
        ({"top_k": 2}, {1, 2}),
        ({"top_p": 0.5}, {1, 2}),  # two of four equals reach a half
        ({"top_p": 0.500001}, {1, 2, 4}),
        ({"top_p": 0.499999}, {1, 2}),
        ({"top_p": 0.25}, {1}),
        ({"min_p": 1.0}, {1, 2, 4, 6}),
        ({"top_k": 2, "top_p": 0.5}, {1}),  # the half of what top-k left
        ({"top_k": 5, "top_p": 0.75}, {1, 2, 4}),
    ],
)
def test_ties_keep_the_lower_ids(changes, expected):
    logits = [-99, 7, 7, -99, 7, -99, 7]
    uniforms = np.linspace(0, LARGEST_UNIFORM, 101)
    assert set(choose_all(logits, uniforms, **changes)) == expected


def test_min_p_compares_with_the_largest_and_comes_before_top_p():
    logits = np.log([0.4, 0.3, 0.2, 0.1])
    uniforms = np.linspace(0, LARGEST_UNIFORM, 101)
    assert set(choose_all(logits, uniforms, min_p=0.74)) == {0, 1}
    assert set(choose_all(logits, uniforms, min_p=0.76)) == {0}
    # Of all tokens, two reach 0.5; of the two that min-p keeps, one does.
    assert set(choose_all(logits, uniforms, top_p=0.5)) == {0, 1}
    assert set(choose_all(logits, uniforms, top_p=0.5, min_p=0.7)) == {0}


def test_top_p_comes_after_temperature_and_top_k():
    logits = np.log([0.4, 0.3, 0.2, 0.1])
    uniforms = np.linspace(0, LARGEST_UNIFORM, 101)
    assert set(choose_all(logits, uniforms, top_p=0.65)) == {0, 1}
    assert set(choose_all(logits, uniforms, top_p=0.65, temperature=0.25)) == {0}
    assert set(choose_all(logits, uniforms, top_p=0.56, top_k=2)) == {0}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 2.0},
        {"top_k": 4},
        {"top_p": 0.9},
        {"min_p": 0.1},
        {"temperature": 0.7, "top_k": 5, "top_p": 0.95, "min_p": 0.05},
    ],
    ids=str,
)
def test_evenly_spread_numbers_choose_each_token_by_its_probability(changes):
    p = np.array([0.05, 0.3, 0.02, 0.25, 0.2, 0.08, 0.1])
    values = Settings(**changes)
    kept = p ** (1 / values.temperature)
    if values.top_k:
        kept[np.argsort(kept)[: -values.top_k]] = 0
    kept[kept < values.min_p * kept.max()] = 0
    kept /= kept.sum()
    order = np.argsort(-kept)
    before = np.cumsum(kept[order]) - kept[order]
    kept[order[before > values.top_p]] = 0
    kept /= kept.sum()
    numbers = (np.arange(4096) + 0.5) / 4096
    counts = np.bincount(choose_all(np.log(p), numbers, **changes), minlength=len(p))
    np.testing.assert_allclose(counts, 4096 * kept, atol=1.01)


def test_a_seeds_numbers_choose_tokens_as_often_as_they_are_likely():
    p = np.array([0.05, 0.3, 0.02, 0.25, 0.2, 0.08, 0.1])
    numbers = uniform_numbers(tf.constant(3), tf.constant(0), 10_007)
    counts = np.bincount(choose_all(np.log(p), numbers), minlength=len(p))
    chi_square = np.sum((counts - 10_007 * p) ** 2 / (10_007 * p))
    assert chi_square < 22.5  # 0.1 % lie above, with 6 degrees of freedom


@pytest.mark.parametrize("size", [3, 7, 11, 13, 251])
@pytest.mark.parametrize("changes", [{}, {"top_k": 3}, {"min_p": 0.2}], ids=str)
def test_a_number_next_to_1_chooses_the_last_kept_token(size, changes):
    # Where rounding keeps the running sum below the number, nothing exceeds it.
    for seed in range(31):
        logits = np.random.default_rng(seed).normal(size=size).astype(np.float32)
        kept = np.argsort(-logits)[: changes.get("top_k") or size]
        ratios = np.exp(logits[kept] - logits.max())
        kept = kept[ratios >= changes.get("min_p", 0)]
        assert choose(logits, LARGEST_UNIFORM, **changes) == kept.max()


def test_logits_of_any_size_are_chosen_from():
    huge = np.float32([-3e38, 3e38, 0, 3e38])
    for temperature in (0.0, 1e-30, 1e-6, 1.0):
        assert choose(huge, 0.0, temperature) == 1
    assert choose(huge, 0.75, 1.0) == 3
    assert choose(huge, 0.0, 1.0, min_p=0.5) == 1
    assert choose([-90, -100, -95], 0.5) == 0


def test_a_tiny_temperature_is_greedy_and_a_huge_one_is_even():
    assert choose([1.0, 1.001, 0.5], 0.999, temperature=1e-30) == 1
    numbers = [0, 0.32, 0.34, 0.66, 0.67, LARGEST_UNIFORM]
    tokens = choose_all([5.0, -3.0, 1.0], numbers, temperature=3e38)
    assert tokens.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    "values",
    [
        Settings(),
        Settings(0, 0, 0, 0),
        Settings(9e9, 2**31 - 1, 1, 1),
        Settings(0.8, 40, 0.95, 0.05),
    ],
)
def test_settings_within_their_ranges_pass(values):
    assert values.check() is values


@pytest.mark.parametrize("bad", [-0.01, math.nan, math.inf, -math.inf])
def test_impossible_temperatures_are_refused(bad):
    with pytest.raises(ValueError, match=f"temperature={bad} .* use 0 for the like"):
        Settings(temperature=bad).check()


@pytest.mark.parametrize("bad", [-1, 2**31])
def test_impossible_top_k_are_refused(bad):
    with pytest.raises(ValueError, match=f"top_k={bad} is not within 0 to 2"):
        Settings(top_k=bad).check()


@pytest.mark.parametrize("name", ["top_p", "min_p"])
@pytest.mark.parametrize("bad", [-0.01, 1.01, math.nan, math.inf])
def test_impossible_fractions_are_refused(name, bad):
    with pytest.raises(ValueError, match=f"{name}={bad} is not within 0 to 1"):
        Settings(**{name: bad}).check()


def test_default_settings_change_nothing():
    assert Settings() == (1.0, 0, 1.0, 0.0)


def mix(x):
    """MurmurHash3's finalizer, on Python's unbounded integers."""
    x ^= x >> 16
    x = x * 0x85EBCA6B % 2**32
    x ^= x >> 13
    x = x * 0xC2B2AE35 % 2**32
    return x ^ x >> 16


def number_by_the_contract(seed, index):
    start = mix((seed + 0x9E3779B9) % 2**32)
    return (mix((start + index * 0x9E3779B9) % 2**32) >> 8) / 2**24


def in_tensorflow(seed, start, count):
    return uniform_numbers(tf.constant(seed), tf.constant(start), count).numpy()


IMPLEMENTATIONS = [in_tensorflow, on_device.uniform_numbers]


@pytest.mark.parametrize("numbers", IMPLEMENTATIONS)
@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (0, [0.66501397, 0.82743257, 0.47985673, 0.88226104]),
        (1, [0.44126546, 0.54480857, 0.12062562, 0.46536672]),
    ],
)
def test_the_numbers_are_those_printed_in_the_contract(numbers, seed, expected):
    found = numbers(seed, 0, 4)
    assert found.dtype == np.float32
    assert [round(float(number), 8) for number in found] == expected


@pytest.mark.parametrize("numbers", IMPLEMENTATIONS)
@given(seed=st.integers(0, 2**31 - 1), start=st.integers(0, 2**31 - 20))
def test_the_numbers_are_the_contracts_to_the_last_bit(numbers, seed, start):
    expected = [number_by_the_contract(seed, start + index) for index in range(17)]
    assert numbers(seed, start, 17).tolist() == expected


@pytest.mark.parametrize("numbers", IMPLEMENTATIONS)
@settings(max_examples=10)
@given(st.lists(st.integers(1, 61), min_size=2, max_size=5))
def test_numbers_in_chunks_are_the_numbers_at_once(numbers, counts):
    starts = np.cumsum([0, *counts[:-1]]).tolist()
    parts = [numbers(7, *part) for part in zip(starts, counts, strict=True)]
    whole = numbers(7, 0, sum(counts))
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_the_numbers_are_even_along_a_seed_and_across_seeds():
    along = in_tensorflow(5, 0, 10_007)
    across = [number_by_the_contract(seed, 0) for seed in range(10_007)]
    for numbers in (along, np.array(across)):
        assert 0 <= numbers.min() and numbers.max() < 1
        counts = np.bincount((numbers * 20).astype(int), minlength=20)
        chi_square = np.sum((counts - 10_007 / 20) ** 2 / (10_007 / 20))
        assert chi_square < 43.8  # 0.1 % lie above, with 19 degrees of freedom
        correlation = np.corrcoef(numbers[:-1], numbers[1:])[0, 1]
        assert abs(correlation) < 0.033  # 3.3 standard deviations
