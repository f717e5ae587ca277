"""Scaled dot-product attention, demonstrated on a few random vectors."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from kerasseq.files.writing import write_file
from kerasseq.layers.attention import scaled_dot_product_attention
from kerasseq.pictures.drawing import (
    BLUE,
    ORANGE,
    figure_with_panels,
    legend_below,
    set_title,
    write_figure,
)
from kerasseq.pictures.heatmap import plot_attention


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


def attention_demo(
    seed: int = 0,
    num_queries: int = 5,
    num_keys: int = 7,
    key_size: int = 64,
    value_size: int = 3,
) -> Demo:
    """Let random queries attend to random keys, with the scale and without.

    The sizes are T, S, D and Dv of `Demo`.
    """
    generator = np.random.default_rng(seed)
    query, key, value = (
        generator.standard_normal(shape).astype(np.float32)
        for shape in (
            (num_queries, key_size),
            (num_keys, key_size),
            (num_keys, value_size),
        )
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


def demo_tables(demo: Demo) -> str:
    """The values of a demonstration as Markdown that a terminal shows well too."""
    key_size = demo.query.shape[-1]
    queries = [f"query {index + 1}" for index in range(len(demo.query))]
    keys = [f"key {index + 1}" for index in range(len(demo.key))]
    elements = [f"element {index + 1}" for index in range(demo.value.shape[-1])]
    one_query = {
        "product": demo.products[0],
        "softmax of the products": demo.unscaled_weights[0],
        f"score: product / sqrt({key_size})": demo.scores[0],
        "weight: softmax of the scores": demo.weights[0],
    }
    sums = demo.weights.sum(-1, keepdims=True)
    return "\n".join(
        [
            "## One query",
            "",
            _table("query 1", keys, one_query),
            "## The weights of all queries",
            "",
            _table(
                "weights",
                [*keys, "sum"],
                dict(zip(queries, np.hstack([demo.weights, sums]), strict=True)),
            ),
            "## The values, and the outputs: weighted means of the values",
            "",
            _table("values", elements, dict(zip(keys, demo.value, strict=True))),
            _table("outputs", elements, dict(zip(queries, demo.output, strict=True))),
        ]
    )


def write_demo(directory: str | os.PathLike, seed: int = 0) -> dict[str, Any]:
    """Write `demo.md`, `weights.png` and `scaling.png`.

    Args:
        directory: made if missing.
        seed: not negative.

    Returns:
        The main results by name; under "scaling" the rows of `scaling_study`.
    """
    directory = Path(directory)
    demo = attention_demo(seed)
    scaling = scaling_study(seed=seed)
    (num_queries, key_size), num_keys = demo.query.shape, len(demo.key)
    plot_attention(
        demo.weights[None],
        [f"query {index + 1}" for index in range(num_queries)],
        [f"key {index + 1}" for index in range(num_keys)],
        directory / "weights.png",
        f"The weights of {num_queries} random queries over {num_keys} keys",
    )
    plot_scaling(scaling, directory / "scaling.png")
    write_file(directory / "demo.md", _explained(demo, scaling))
    return {
        "seed": seed,
        "queries": num_queries,
        "keys": num_keys,
        "key size": key_size,
        "largest difference to NumPy in float64": _difference_to_numpy(demo),
        "scaling": scaling,
    }


def _attend(
    query: np.ndarray, key: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Output, weights and scores as arrays."""
    attention = scaled_dot_product_attention(query, key, value)
    return tuple(keras.ops.convert_to_numpy(tensor) for tensor in attention)


def _without_scale(query: np.ndarray) -> np.ndarray:
    """The query that cancels attention's division by sqrt(D)."""
    return query * np.float32(np.sqrt(query.shape[-1]))


def _difference_to_numpy(demo: Demo) -> float:
    """The largest difference of the output from equation 1, computed in float64."""
    query, key, value = (array.astype(np.float64) for array in demo[:3])
    powers = np.exp(query @ key.T / np.sqrt(query.shape[-1]))
    output = powers @ value / powers.sum(-1, keepdims=True)
    return float(abs(demo.output - output).max())


def _explained(demo: Demo, scaling: Sequence[Mapping[str, float]]) -> str:
    (num_queries, key_size), num_keys = demo.query.shape, len(demo.key)
    columns = [name for name in scaling[0] if name != "key size"]
    rows = {f"{row['key size']}": [row[name] for name in columns] for row in scaling}
    return f"""\
# Attention in numbers

Here {num_queries} queries attend to {num_keys} keys, all random vectors of size
{key_size}. The product of a query and a key says how well they match; divided by
sqrt({key_size}) it is a score. Softmax turns the scores of a query into weights,
which are positive and sum to 1, and the output is the mean of the values with these
weights (Vaswani et al. 2017, section 3.2.1).

{demo_tables(demo)}
![The weights of each query over the keys](weights.png)

## What the scale is for

The product of two vectors of D elements, each of variance 1, is a sum of D terms
and has variance D: the longer the vectors, the further apart the products. If
products are far apart, softmax gives the largest nearly all the weight. The
weights then hardly change with the products, so hardly any gradient passes
through softmax to the queries and keys that have to learn. Divided by sqrt(D),
the scores have variance 1 for every D.

The picture and the table show means over many random queries: the entropy of
their weights p in nats, and the gradient as the Frobenius norm of softmax's
Jacobian, diag(p) - p pᵀ. Short vectors can do without the scale, long ones cannot.

![Entropy and gradient by the size of queries and keys](scaling.png)

{_table("key size", columns, rows)}"""


def _table(
    corner: str, columns: Sequence[str], rows: Mapping[str, Sequence[float]]
) -> str:
    """A Markdown table whose columns also line up in plain text."""
    cells = [[corner, *columns]]
    cells += [[name, *(f"{x:.3f}" for x in row)] for name, row in rows.items()]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])])
    lines = [
        [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in cells
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def plot_scaling(
    rows: Sequence[Mapping[str, float]], path: str | os.PathLike
) -> Figure:
    """Draw how the size of the keys affects softmax, with and without the scale.

    Args:
        rows: from `scaling_study`.
        path: of the picture, in the format that its suffix names.
    """
    figure, upper, lower = figure_with_panels(6.2, panels=2)
    sizes = [row["key size"] for row in rows]
    for axes, quantity, title, label in (
        (upper, "entropy", "Unscaled, the weight goes to one key", "entropy (nats)"),
        (lower, "gradient", "Unscaled, softmax loses its gradient", "gradient (norm)"),
    ):
        for kind, colour in (("scaled", BLUE), ("unscaled", ORANGE)):
            values = [row[f"{kind} {quantity}"] for row in rows]
            axes.plot(sizes, values, "o-", color=colour, label=kind, lw=2.2, ms=5)
        set_title(axes, title)
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.xaxis.set_minor_locator(NullLocator())
    lower.set_xlabel("size of queries and keys")
    legend_below(figure, lower.get_legend_handles_labels()[0])
    return write_figure(figure, path)
