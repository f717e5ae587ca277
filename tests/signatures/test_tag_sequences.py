"""Viterbi's algorithm, compared with scoring every sequence."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.signatures.tag_sequences import allowed_transitions, best_sequence
from kerasseq.text.tags import may_follow, tag_names

TAGS = tag_names(["x", "y"])
ONE = np.array([[True]])


def best_of_all(logits: np.ndarray, allowed: np.ndarray) -> tuple[int, ...]:
    """The best tags of one sentence (T, K), by scoring each allowed sequence."""
    sums = {
        tags: sum(float(row[tag]) for row, tag in zip(logits, tags, strict=True))
        for tags in itertools.product(range(len(allowed)), repeat=len(logits))
        if all(allowed[pair] for pair in zip((0, *tags), tags, strict=False))
    }
    return max(sums, key=sums.get)


@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    length=st.integers(5, 6),
    seed=st.integers(0, 2**16),
)
def test_the_best_is_the_best_of_all(lengths, length, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(lengths), length, 3)).astype(np.float32)
    mask = np.arange(length) < np.array(lengths)[:, None]
    # An arbitrary rule, so that rows and columns cannot be confused.
    allowed = rng.random((3, 3)) < 0.6
    allowed[:, 0] = True
    best = best_sequence(logits, mask, allowed).numpy()
    for row, count in enumerate(lengths):
        assert tuple(best[row, :count]) == best_of_all(logits[row, :count], allowed)
        assert not best[row, count:].any(), "padding has tag 0"


def test_one_token_and_ties():
    allowed = allowed_transitions(TAGS)
    zeros = np.zeros((1, 1, 5), np.float32)
    assert best_sequence(zeros, ONE, allowed).numpy().tolist() == [[0]]
    logits = np.array([[[0, 1, 9, 1, 2]]], np.float32)  # no sentence begins with I
    assert best_sequence(logits, ONE, allowed).numpy().tolist() == [[1]]


@given(seed=st.integers(0, 2**16), size=st.sampled_from([1.0, 1e2, 1e5]))
def test_forbidden_transitions_never_occur(seed, size):
    logits = np.random.default_rng(seed).normal(0, size, (2, 40, 5)).astype(np.float32)
    mask = np.arange(40) < np.array([[40], [7]])
    allowed = allowed_transitions(TAGS)
    for ids in best_sequence(logits, mask, allowed).numpy():
        tags = [TAGS[index] for index in ids]
        assert all(map(may_follow, ["O", *tags], tags))


def test_in_a_graph_of_unknown_sizes():
    allowed = allowed_transitions(TAGS)
    logits = np.random.default_rng(3).normal(size=(2, 7, 5)).astype(np.float32)
    mask = np.arange(7) < np.array([[7], [4]])
    specs = [
        tf.TensorSpec((None, None, 5), tf.float32),
        tf.TensorSpec((None, None), tf.bool),
    ]
    run = tf.function(
        lambda logits, mask: best_sequence(logits, mask, allowed), input_signature=specs
    )
    found = run(logits, mask).numpy()
    assert tuple(found[1, :4]) == best_of_all(logits[1, :4], allowed)
    assert found.dtype == np.int32
    assert found.shape == (2, 7)


@pytest.mark.parametrize("tags", [TAGS, tag_names(["z"])])
def test_the_transitions_are_those_of_the_names(tags):
    allowed = allowed_transitions(tags)
    for i, before in enumerate(tags):
        for j, tag in enumerate(tags):
            assert allowed[i, j] == may_follow(before, tag)
