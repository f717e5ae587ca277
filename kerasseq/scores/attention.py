"""Scaled dot-product attention of random vectors, with the scale and without it."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from kerasseq.layers.attention import scaled_dot_product_attention


class Demo(NamedTuple):
    """Attention of random queries to random keys, with its intermediate results.

    Shapes: T queries, S keys, D their size, Dv that of the values.

    Attributes:
        query: float32 (T, D), from the standard normal distribution.
        key: float32 (S, D), likewise.
        value: float32 (S, Dv), likewise.
        products: float32 (T, S), query times key, not scaled.
        scores: float32 (T, S), the products over sqrt(D).
        weights: float32 (T, S), softmax of the scores.
        unscaled_weights: float32 (T, S), softmax of the products.
        output: float32 (T, Dv), weights times value.
    """

    query: np.ndarray
    key: np.ndarray
    value: np.ndarray
    products: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    unscaled_weights: np.ndarray
    output: np.ndarray

    def difference_to_numpy(self) -> float:
        """The largest difference of the output from equation 1, computed in float64."""
        query, key, value = (array.astype(np.float64) for array in self[:3])
        powers = np.exp(query @ key.T / np.sqrt(query.shape[-1]))
        output = powers @ value / powers.sum(-1, keepdims=True)
        return float(abs(self.output - output).max())


def attention_demo(seed: int = 0) -> Demo:
    """Let 5 random queries attend to 7 random keys, with the scale and without."""
    generator = np.random.default_rng(seed)
    query, key, value = (
        generator.standard_normal(shape).astype(np.float32)
        for shape in ((5, 64), (7, 64), (7, 3))
    )
    output, weights, scores = _attend(query, key, value)
    _, unscaled_weights, products = _attend(_without_scale(query), key, value)
    return Demo(query, key, value, products, scores, weights, unscaled_weights, output)


def scaling_study(
    key_sizes: Sequence[int] = (4, 8, 16, 32, 64, 128, 256, 512, 1024),
    num_queries: int = 1000,
    num_keys: int = 16,
    seed: int = 0,
) -> list[dict[str, float]]:
    """Measure how the scale affects softmax, for random queries and keys.

    Queries and keys come from the standard normal distribution, so that a product has
    variance D. Vaswani et al. 2017, section 3.2.1, suspect that large products push
    softmax to where its gradient is small.

    Args:
        key_sizes: values of D to try.
        num_queries: queries to average over.
        num_keys: S, keys of each query.
        seed: not negative.

    Returns:
        A row for each D: "key size"; "scaled variance" and "unscaled variance" of the
        scores; "scaled entropy" and "unscaled entropy", the mean entropy of the
        weights in nats; "scaled gradient" and "unscaled gradient", the mean Frobenius
        norm of softmax's Jacobian.
    """
    generator = np.random.default_rng(seed)
    rows = []
    for key_size in key_sizes:
        query = generator.standard_normal((num_queries, 1, key_size), np.float32)
        key = generator.standard_normal((num_queries, num_keys, key_size), np.float32)
        row: dict[str, float] = {"key size": key_size}
        for kind, queries in (("scaled", query), ("unscaled", _without_scale(query))):
            _, weights, scores = _attend(queries, key, key[..., :1])
            row[f"{kind} variance"] = float(scores.var())
            row[f"{kind} entropy"] = float(entropy(weights).mean())
            row[f"{kind} gradient"] = float(jacobian_norm(weights).mean())
        rows.append(row)
    return rows


def entropy(weights: np.ndarray) -> np.ndarray:
    """Entropy in nats of distributions (..., S): float64 (...)."""
    weights = np.asarray(weights, np.float64)
    return -(weights * np.log(np.where(weights > 0, weights, 1.0))).sum(-1)


def jacobian_norm(weights: np.ndarray) -> np.ndarray:
    """Frobenius norm of softmax's Jacobian, diag(p) - p pᵀ, for weights p (..., S).

    Returns:
        float64 (...): 0 where one key has all the weight, so that no gradient passes.
    """
    p = np.asarray(weights, np.float64)
    jacobian = p[..., :, None] * (np.eye(p.shape[-1]) - p[..., None, :])
    return np.linalg.norm(jacobian, axis=(-2, -1))


def _attend(
    query: np.ndarray, key: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Output, weights and scores as arrays."""
    attention = scaled_dot_product_attention(query, key, value)
    return tuple(keras.ops.convert_to_numpy(tensor) for tensor in attention)


def _without_scale(query: np.ndarray) -> np.ndarray:
    """The query that cancels attention's division by sqrt(D)."""
    return query * np.float32(np.sqrt(query.shape[-1]))
