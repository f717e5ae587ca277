"""Attention of random vectors, compared with NumPy and closed forms."""

import math

import numpy as np
import pytest

from kerasseq.scores.attention import (
    attention_demo,
    entropy,
    jacobian_norm,
    scaling_study,
)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_demo_is_attention_in_float64():
    demo = attention_demo(3)
    query, key, value = (array.astype(np.float64) for array in demo[:3])
    assert (query.shape, key.shape, value.shape) == ((5, 64), (7, 64), (7, 3))
    products = query @ key.T
    for array, expected in (
        (demo.products, products),
        (demo.scores, products / 8),
        (demo.weights, softmax(products / 8)),
        (demo.unscaled_weights, softmax(products)),
        (demo.output, softmax(products / 8) @ value),
    ):
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, expected, atol=1e-5)


def test_demo_follows_the_seed():
    one, same, other = attention_demo(1), attention_demo(1), attention_demo(2)
    for left, right in zip(one, same, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(one.query, other.query)


def test_entropy_by_hand():
    weights = np.array([[0.25, 0.25, 0.25, 0.25], [0, 0, 1, 0], [0.5, 0.5, 0, 0]])
    np.testing.assert_allclose(entropy(weights), [math.log(4), 0, math.log(2)])


def test_jacobian_norm_by_finite_differences():
    scores = np.random.default_rng(0).standard_normal((3, 5))
    step = 1e-6 * np.eye(5)
    # (3, 5, 5): the change of every weight with every score.
    jacobian = (
        softmax(scores[:, None] + step) - softmax(scores[:, None] - step)
    ) / 2e-6
    expected = np.sqrt((jacobian**2).sum((1, 2)))
    np.testing.assert_allclose(jacobian_norm(softmax(scores)), expected, rtol=1e-8)


def test_jacobian_norm_by_hand():
    n = 7
    assert jacobian_norm([0.0, 1.0, 0.0]) == 0
    assert math.isclose(jacobian_norm([0.5, 0.5]), 0.5)
    # For equal weights: diag(1/n) - 1/n², with norm sqrt(n - 1) / n.
    assert math.isclose(jacobian_norm([1 / n] * n), math.sqrt(n - 1) / n)
    # For two weights p and 1 - p: 2 p (1 - p), however small p is.
    assert math.isclose(jacobian_norm([1e-12, 1 - 1e-12]), 2e-12, rel_tol=1e-3)


STUDY = scaling_study((4, 64, 1024), num_queries=400)


@pytest.mark.parametrize("row", STUDY, ids=lambda row: row["key size"])
def test_products_have_variance_d_and_scores_variance_1(row):
    # 400 queries, each with 16 products that share its norm: five standard deviations
    # of the mean of their squares.
    tolerance = 5 * math.sqrt((2 / 16 + 2 / row["key size"]) / 400)
    assert math.isclose(row["scaled variance"], 1, rel_tol=tolerance)
    assert math.isclose(row["unscaled variance"], row["key size"], rel_tol=tolerance)


def test_softmax_without_scale_sharpens_and_loses_its_gradient():
    entropies = [row["unscaled entropy"] for row in STUDY]
    gradients = [row["unscaled gradient"] for row in STUDY]
    assert entropies[0] > 1.5 > entropies[1] > 0.3 > entropies[2]
    assert gradients[0] > 0.3 > gradients[1] > 0.1 > gradients[2]
    # A sharp softmax depends on the gap of the best two scores, whose density at 0 is
    # proportional to 1/sqrt(D): 16 times the size gives a fourth of the entropy.
    assert math.isclose(entropies[1] / entropies[2], 4, rel_tol=0.35)


def test_softmax_with_scale_does_not_change():
    # For scores from the standard normal distribution, by NumPy.
    weights = softmax(np.random.default_rng(1).standard_normal((20_000, 16)))
    for row in STUDY[1:]:
        assert math.isclose(
            row["scaled entropy"], entropy(weights).mean(), rel_tol=0.03
        )
        gradient = jacobian_norm(weights).mean()
        assert math.isclose(row["scaled gradient"], gradient, rel_tol=0.05)


def test_study_follows_the_seed():
    one, same, other = (scaling_study((5,), 3, 2, seed) for seed in (1, 1, 2))
    assert one == same != other
