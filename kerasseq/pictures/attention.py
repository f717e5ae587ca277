"""Scaled dot-product attention of a few random vectors, as a page and pictures."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from kerasseq.files.writing import write_file
from kerasseq.pictures.drawing import (
    BLUE,
    ORANGE,
    figure_with_panels,
    legend_below,
    set_title,
    write_figure,
)
from kerasseq.pictures.heatmap import plot_attention
from kerasseq.scores.attention import Demo, attention_demo, scaling_study


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
        "largest difference to NumPy in float64": demo.difference_to_numpy(),
        "scaling": scaling,
    }


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
