"""Attention weights as a picture."""

import math
import os
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kerasseq.pictures.drawing import (
    GREY,
    INK,
    TEXT,
    WIDTH,
    add_colorbar,
    drawable,
    empty_figure,
    installed_fonts,
    label_tokens,
    write_figure,
)


def plot_attention(
    weights: np.ndarray,
    tokens_query: Sequence[str],
    tokens_key: Sequence[str],
    path: str | os.PathLike,
    title: str = "Attention weights",
    heads: Sequence[str] = (),
) -> Figure:
    """Draw the attention weights of one sentence, a heatmap for each head.

    All heads share one scale from 0 to 1. Weights are written where cells have room;
    labels are thinned out where there is too little. A character that no font has is
    drawn as □.

    Args:
        weights: float (H, T, S).
        tokens_query: T words that attend, labels of the rows.
        tokens_key: S words that are attended to, labels of the columns.
        path: of the picture, in the format that its suffix names.
        title: of the picture.
        heads: what each head is called; their numbers if there is nothing.

    Raises:
        ValueError: the weights have another shape.
    """
    weights = np.asarray(weights, float)
    expected = len(tokens_query), len(tokens_key)
    if weights.ndim != 3 or weights.shape[1:] != expected or not weights.size:
        raise ValueError(
            f"weights have shape {weights.shape}, but {expected[0]} tokens that attend "
            f"and {expected[1]} attended to want (heads, {expected[0]}, {expected[1]})"
            "; pass one sentence, without its padding"
        )
    num_heads, num_rows, num_columns = weights.shape
    columns = min(num_heads, 2)
    rows = math.ceil(num_heads / columns)
    width = (WIDTH - 1.9) / columns  # inches beside labels and colour bar
    height = np.clip(width * num_rows / num_columns, 0.5 * width, 1.6 * width)
    figure = empty_figure(rows * (height + 0.3) + 1.6)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for head, panel in enumerate(panels):
        if head >= num_heads:
            panel.remove()
            continue
        image = panel.imshow(weights[head], vmin=0, vmax=1, cmap="Blues", aspect="auto")
        label_tokens(panel, "y", tokens_query if head % columns == 0 else [], height)
        lowest = head + columns >= num_heads
        label_tokens(panel, "x", tokens_key if lowest else [], width)
        panel.spines[:].set_color(GREY)
        if heads:
            name = textwrap.fill(drawable(heads[head]), 27)
            panel.set_title(name, fontsize=TEXT - 1, color=INK)
        elif num_heads > 1:
            panel.set_title(f"head {head + 1}", fontsize=TEXT, color=INK)
        if 72 * min(width / num_columns, height / num_rows) >= 26:
            _write_numbers(panel, weights[head])
    add_colorbar(figure, image, panels[:num_heads], aspect=18 * rows)
    figure.suptitle(
        textwrap.fill(drawable(title), 60),
        fontsize=TEXT + 1,
        color=INK,
        fontfamily=installed_fonts(),
        parse_math=False,
    )
    figure.supylabel("attending (query)", fontsize=TEXT, color=INK)
    figure.supxlabel("attended to (key)", fontsize=TEXT, color=INK)
    return write_figure(figure, path)


def _write_numbers(panel: Axes, weights: np.ndarray) -> None:
    for (row, column), weight in np.ndenumerate(weights):
        panel.text(
            column,
            row,
            f"{weight:.2f}",
            ha="center",
            va="center",
            fontsize=TEXT - 1.5,
            color="white" if weight > 0.55 else INK,
        )
