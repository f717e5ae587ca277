"""What a classifier takes for what, and what it looks at, as pictures."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from kerasseq.pictures.drawing import (
    DOTS_PER_INCH,
    GREY,
    INK,
    TEXT,
    WIDTH,
    drawable,
    empty_figure,
    installed_fonts,
    label_tokens,
    shortened,
    write_figure,
)


def plot_confusion(
    matrix: np.ndarray, labels: Sequence[str], path: str | os.PathLike
) -> Figure:
    """Draw how often each class was taken for each, as counts and as shares of a row.

    Args:
        matrix: int (K, K), from `tf.math.confusion_matrix`: row the class, column what
            it was taken for. The counts are written into the cells where there is room.
        labels: K names of the classes.
        path: the picture, in the format that its suffix names.

    Returns:
        The figure.

    Raises:
        ValueError: the matrix has another shape.
    """
    matrix, count = np.asarray(matrix), len(labels)
    if matrix.shape != (count, count) or not count:
        raise ValueError(
            f"the matrix has shape {matrix.shape}, but {count} labels want "
            f"{(count, count)}; pass one label for each class"
        )
    side = WIDTH - 2.4  # inches that labels and colour bar leave
    figure = empty_figure(side + 1.5)
    panel = figure.subplots()
    shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
    image = panel.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    label_tokens(panel, "y", labels, side)
    label_tokens(panel, "x", labels, side)
    panel.spines[:].set_color(GREY)
    size = 72 * side / count / 0.65 / len(str(matrix.max()))
    if size >= 7:
        for (row, column), number in np.ndenumerate(matrix):
            panel.text(
                column,
                row,
                str(number),
                ha="center",
                va="center",
                fontsize=min(TEXT + 3, size),
                color="white" if shares[row, column] > 0.55 else INK,
            )
    bar = figure.colorbar(image, ax=panel, shrink=0.8)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=TEXT - 1, labelcolor=INK, length=0)
    bar.set_label("share of the class", fontsize=TEXT, color=INK)
    panel.set_title(
        f"{np.trace(matrix):,} of {matrix.sum():,} held-out sentences are right",
        loc="left",
        fontsize=TEXT + 1,
        color=INK,
    )
    panel.set_ylabel("class", fontsize=TEXT, color=INK)
    panel.set_xlabel("taken for", fontsize=TEXT, color=INK)
    return write_figure(figure, path)


class WeightedWords(NamedTuple):
    """A text whose words have weights.

    Attributes:
        heading: what stands above it.
        words: T of them.
        weights: float (T,), not negative.
    """

    heading: str
    words: Sequence[str]
    weights: np.ndarray


def plot_weighted_words(
    texts: Sequence[WeightedWords], path: str | os.PathLike, title: str
) -> Figure:
    """Draw texts whose words stand on a ground the darker, the larger their weight.

    The largest weight of each text has the darkest ground. Lines are broken to the
    width of the picture.

    Args:
        texts: from top to bottom.
        path: the picture, in the format that its suffix names.
        title: what is seen.

    Returns:
        The figure.
    """
    line, margin = 0.3, 0.2  # inches
    style: dict[str, Any] = {
        "fontsize": TEXT + 1,
        "fontfamily": installed_fonts(),
        "parse_math": False,
    }
    sheet = Figure((WIDTH, 1), dpi=DOTS_PER_INCH)
    # Where each word stands, in inches from the left and the top, and its share of
    # the largest weight.
    pieces: list[tuple[float, float, str, float | None]] = []
    y = 0.4

    def flow(words: Sequence[str], shares: Sequence[float | None], gap: float) -> None:
        nonlocal y
        x = margin
        for word, share in zip(words, shares, strict=True):
            shown = shortened(drawable(word), 30)
            extent = sheet.text(0, 0, shown, **style).get_window_extent()
            width = extent.width / DOTS_PER_INCH
            if x > margin and x + width > WIDTH - margin:
                x, y = margin, y + line
            pieces.append((x, y, shown, share))
            x += width + gap
        y += line

    for text in texts:
        y += 0.8 * line
        heading = text.heading.split()
        flow(heading, [None] * len(heading), 0.06)
        largest = max(text.weights, default=0) or 1
        flow(text.words, [weight / largest for weight in text.weights], 0.15)
    figure = Figure((WIDTH, y))
    colours = colormaps["Blues"]
    figure.text(margin / WIDTH, 1 - 0.3 / y, title, color=INK, **style)
    for x, top, piece, share in pieces:
        ground = None
        if share is not None:
            ground = {"facecolor": colours(0.75 * share), "lw": 0, "pad": 2.2}
        figure.text(
            x / WIDTH,
            1 - top / y,
            piece,
            va="baseline",
            color="white" if (share or 0) > 0.8 else GREY if share is None else INK,
            bbox=ground,
            **style,
        )
    return write_figure(figure, path)
