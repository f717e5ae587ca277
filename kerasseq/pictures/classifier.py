"""A classifier's confusion matrix, and the words it attends to, as pictures."""

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
    abridged,
    add_colorbar,
    drawable,
    empty_figure,
    from_the_right,
    installed_fonts,
    label_tokens,
    set_title,
    write_figure,
)


def plot_confusion(
    matrix: np.ndarray, labels: Sequence[str], path: str | os.PathLike
) -> Figure:
    """Draw a confusion matrix: colours are fractions of each row, numbers are counts.

    Args:
        matrix: int (K, K), from `tf.math.confusion_matrix`: rows are actual classes,
            columns predicted ones. Counts are written where the cells have room.
        labels: K names of the classes.
        path: of the picture, in the format that its suffix names.

    Raises:
        ValueError: the matrix is not (K, K).
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
    fractions = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
    image = panel.imshow(fractions, vmin=0, vmax=1, cmap="Blues", aspect="auto")
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
                color="white" if fractions[row, column] > 0.55 else INK,
            )
    bar = add_colorbar(figure, image, panel)
    bar.set_label("fraction of the class", fontsize=TEXT, color=INK)
    right, total = np.trace(matrix), matrix.sum()
    set_title(panel, f"{right:,} of {total:,} held-out sentences are right")
    panel.set_ylabel("actual class", fontsize=TEXT, color=INK)
    panel.set_xlabel("predicted class", fontsize=TEXT, color=INK)
    return write_figure(figure, path)


class WeightedWords(NamedTuple):
    """A text whose words have weights.

    Attributes:
        heading: a line above it.
        words: T words.
        weights: float (T,), not negative.
    """

    heading: str
    words: Sequence[str]
    weights: np.ndarray


def plot_weighted_words(
    texts: Sequence[WeightedWords], path: str | os.PathLike, title: str
) -> Figure:
    """Draw texts whose words have a darker background, the larger their weight.

    The largest weight of each text has the darkest one. Lines wrap at the picture's
    width, and begin at the side from which their text is read.

    Args:
        texts: from top to bottom.
        path: of the picture, in the format that its suffix names.
        title: of the picture.
    """
    line, margin = 0.3, 0.2  # inches
    style: dict[str, Any] = {
        "fontsize": TEXT + 1,
        "fontfamily": installed_fonts(),
        "parse_math": False,
    }
    sheet = Figure((WIDTH, 1), dpi=DOTS_PER_INCH)
    # The position of each word, in inches from the left and the top, and its weight as
    # a fraction of the largest.
    pieces: list[tuple[float, float, str, float | None]] = []
    y = 0.4

    def flow(words: Sequence[str], weights: Sequence[float | None], gap: float) -> None:
        nonlocal y
        x = margin
        mirrored = weights[:1] != [None] and from_the_right(" ".join(words))
        for word, weight in zip(words, weights, strict=True):
            shown = abridged(drawable(word), 30)
            if weight is None and from_the_right(shown):
                # Its comma stays on the right.
                shown = f"\u200e{shown}"
            extent = sheet.text(0, 0, shown, **style).get_window_extent()
            width = extent.width / DOTS_PER_INCH
            if x > margin and x + width > WIDTH - margin:
                x, y = margin, y + line
            left = WIDTH - x - width if mirrored else x
            pieces.append((left, y, shown, weight))
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
    for x, top, piece, weight in pieces:
        background = None
        if weight is not None:
            background = {"facecolor": colours(0.75 * weight), "lw": 0, "pad": 2.2}
        figure.text(
            x / WIDTH,
            1 - top / y,
            piece,
            va="baseline",
            color="white" if (weight or 0) > 0.8 else GREY if weight is None else INK,
            bbox=background,
            **style,
        )
    return write_figure(figure, path)
