"""Beam search, compared with looking at every translation, and with plain Python."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.signatures.beam_search import beam_search
from kerasseq.signatures.sampling import Settings, sampler, uniform_numbers
from kerasseq.text.subwords import END, PAD, START

V, D, S = 6, 5, 3  # ids, size of a state, source steps
few = settings(max_examples=10, deadline=None)
seeds = st.integers(0, 2**32 - 1)


class Toy:
    """A step whose logits depend on all ids before, for sources that are numbers."""

    def __init__(self, seed: int, num_hypotheses: int = 1) -> None:
        numbers = np.random.default_rng(seed)
        self.vectors = numbers.normal(0, 1, (V, D)).astype(np.float32)
        self.logits = numbers.normal(0, 2, (D, V)).astype(np.float32)
        self.looks = numbers.normal(0, 2, (D, S)).astype(np.float32)
        # So that some end soon, some late and some not at all.
        self.offset = np.where(np.arange(V) == END, -2, 0).astype(np.float32)
        self.num_hypotheses = num_hypotheses

    def __call__(self, ids, states):
        (state,) = states
        state = tf.tanh(0.7 * state + tf.gather(self.vectors, ids))
        rows = tf.reshape(state, (-1, self.num_hypotheses, D))
        return (
            rows @ self.logits + self.offset,
            tf.nn.softmax(rows @ self.looks),
            [state],
        )

    def log_probabilities(self, ids):
        """Of every id after these, by plain numpy."""
        state = np.zeros(D)
        for each in (START, *ids):
            state = np.tanh(0.7 * state + self.vectors[each])
        logits = state @ self.logits + self.offset
        return logits - np.log(np.exp(logits).sum())

    def score(self, ids, alpha):
        total = sum(
            self.log_probabilities(ids[:step])[ids[step]] for step in range(len(ids))
        )
        return total / ((5 + len(ids)) / 6) ** alpha


def search(toy, limits, alpha, num_hypotheses, width=None, draw=None):
    toy.num_hypotheses = num_hypotheses
    found = beam_search(
        toy,
        [(len(limits) * num_hypotheses, D)],
        tf.constant(limits),
        tf.constant(alpha, tf.float32),
        (num_hypotheses, max(limits), S),
        width,
        draw,
    )
    return [each.numpy() for each in found]


def plain_search(toy, limit, alpha, num_hypotheses):
    """Lists of ids, best first, as the docstring has it."""
    beams = [((), 0.0)]
    for _ in range(limit):
        found = []
        for ids, total in beams:
            if END in ids:
                found.append((ids, total))
                continue
            after = toy.log_probabilities(ids)
            found += [((*ids, each), total + after[each]) for each in range(END, V)]
        found.sort(key=lambda each: -each[1] / ((5 + len(each[0])) / 6) ** alpha)
        beams = found[:num_hypotheses]
    return [ids for ids, _ in beams]


@few
@given(seeds, st.integers(1, 3), st.floats(0, 2))
def test_enough_hypotheses_find_the_best_of_all_translations(seed, limit, alpha):
    toy = Toy(seed)
    every = [
        (*ids, END)
        for length in range(limit)
        for ids in itertools.product(range(END + 1, V), repeat=length)
    ]
    best = max(every, key=lambda ids: toy.score(ids, alpha))
    ids, score, alignment, finished = search(toy, [limit], alpha, 4**limit)
    assert tuple(ids[0][ids[0] != PAD]) == best
    assert math.isclose(score[0], toy.score(best, alpha), abs_tol=1e-4)
    assert finished[0] == 1
    np.testing.assert_allclose(alignment[0].sum(-1), ids[0] != PAD, atol=1e-5)


@few
@given(seeds, st.integers(1, 5), st.floats(0, 2))
def test_the_hypotheses_kept_are_those_of_a_search_in_plain_python(seed, count, alpha):
    toy, limit = Toy(seed), 7
    beams = plain_search(toy, limit, alpha, count)
    ended = [ids for ids in beams if END in ids]
    ids, score, _, finished = search(toy, [limit], alpha, count)
    best = (ended or beams)[0]
    assert tuple(ids[0][ids[0] != PAD]) == best
    assert math.isclose(score[0], toy.score(best, alpha), abs_tol=1e-4)
    assert finished[0] == bool(ended)


def test_one_hypothesis_is_a_greedy_search():
    for seed in range(8):
        toy, greedy = Toy(seed), []
        while len(greedy) < 9 and END not in greedy:
            greedy.append(END + int(toy.log_probabilities(greedy)[END:].argmax()))
        ids, _, _, finished = search(toy, [9], 1.0, 1)
        assert ids[0][ids[0] != PAD].tolist() == greedy
        assert finished[0] == (END in greedy)


def test_sources_are_searched_alone():
    """Each stops at its own limit, and none changes what is found for another."""
    toy, limits = Toy(3), [5, 1, 8, 3]
    together = search(toy, limits, 1.0, 3)
    for row, limit in enumerate(limits):
        alone = search(toy, [limit], 1.0, 3)
        for one, other in zip(alone, together, strict=True):
            found = other[row, :limit] if other.ndim > 1 else other[row]
            np.testing.assert_allclose(found, one[0], atol=1e-6)
        assert not together[0][row, limit:].any()


@pytest.mark.parametrize("width", [1, 2, 3])
def test_some_of_the_rows_search_like_that_many(width):
    for seed in range(4):
        fewer = search(Toy(seed), [7], 0.6, width)
        masked = search(Toy(seed), [7], 0.6, 4, tf.constant(width))
        for one, other in zip(fewer, masked, strict=True):
            np.testing.assert_allclose(other, one, atol=1e-6)


def test_what_never_ends_is_cut_and_says_so():
    toy = Toy(1)
    toy.offset[END] = -50
    ids, score, _, finished = search(toy, [6], 0.0, 2)
    assert finished[0] == 0 and (ids[0] > END).all()
    assert math.isclose(score[0], toy.score(ids[0], 0.0), abs_tol=1e-4)


def test_equal_ids_are_taken_in_their_order():
    toy = Toy(0)
    toy.logits, toy.offset = np.zeros((D, V), np.float32), np.zeros(V, np.float32)
    for count in (1, 2, 3):
        ids, *_ = search(toy, [4], 0.0, count)
        assert ids[0].tolist() == [END, 0, 0, 0]
    toy.offset[END] = -9
    ids, *_ = search(toy, [4], 0.0, 1)
    assert ids[0].tolist() == [END + 1] * 4


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_samples_are_as_frequent_as_the_step_says(temperature):
    """Each of 4,000 sources has a number of its own for each step."""
    toy, count, limit = Toy(1), 4_000, 2
    # So that each translation occurs often enough to be counted.
    toy.logits, toy.offset = toy.logits / 4, 0 * toy.offset
    numbers = uniform_numbers(tf.constant(1), tf.constant(0), limit * count)
    numbers = tf.reshape(numbers, (limit, count, 1, 1))
    choose = sampler(Settings(temperature), filtered=False)
    ids, score, _, finished = search(
        toy,
        [limit] * count,
        0.0,
        1,
        draw=lambda step, logits: choose(logits, tf.gather(numbers, step)),
    )

    def probabilities(ids):
        weights = np.exp(toy.log_probabilities(ids)[END:] / temperature)
        return dict(zip(range(END, V), weights / weights.sum(), strict=True))

    expected = {(END, PAD): (first := probabilities(()))[END]}
    for one in range(END + 1, V):
        for other, p in probabilities((one,)).items():
            expected[one, other] = first[one] * p
    counts = {pair: 0 for pair in expected}
    for row, each, ended in zip(ids.tolist(), score, finished, strict=True):
        counts[tuple(row)] += 1
        real = [index for index in row if index != PAD]
        assert math.isclose(each, toy.score(real, 0.0), abs_tol=1e-4)
        assert ended == (END in real)
    wanted = count * np.array(list(expected.values()))
    assert wanted.min() > 5
    chi_square = np.sum((np.array(list(counts.values())) - wanted) ** 2 / wanted)
    assert chi_square < 32.9  # 0.1 % lie above, with 12 degrees of freedom
