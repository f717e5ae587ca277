"""Vectors of words in two dimensions."""

import os
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from kerasseq.pictures.drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    TEXT,
    WIDTH,
    abridged,
    drawable,
    empty_figure,
    installed_fonts,
    write_figure,
)

COLUMNS = 3
# Inches that a letter and a line of a label take.
LETTER, LINE = 0.075, 0.15


def principal_components(vectors: np.ndarray) -> np.ndarray:
    """The two coordinates in which vectors (K, C) differ most, float (K, 2)."""
    centred = vectors - vectors.mean(0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    found = centred @ directions[:2].T
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))


def plot_senses(
    vectors: np.ndarray,
    words: Sequence[str],
    senses: Sequence[str],
    early: Sequence[bool],
    path: str | os.PathLike,
) -> Figure:
    """Draw the vectors of each word with two senses, a panel a word.

    Args:
        vectors: (K, C).
        words: of each vector, its word.
        senses: of each, its sense; two a word.
        early: of each, whether it stands in the first half of its sentence.
        path: of the picture.
    """
    names = sorted(set(words))
    rows = -(-len(names) // COLUMNS)
    figure = empty_figure(rows * WIDTH / COLUMNS * 1.05 + 0.8)
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for panel, name in zip(panels, names, strict=False):
        indices = [index for index, word in enumerate(words) if word == name]
        points = principal_components(vectors[indices])
        kinds = sorted({senses[index] for index in indices})
        for kind, colour in zip(kinds, (BLUE, ORANGE), strict=False):
            for first, marker in ((True, "o"), (False, "^")):
                drawn = [
                    senses[index] == kind and early[index] == first for index in indices
                ]
                panel.scatter(
                    points[drawn, 0],
                    points[drawn, 1],
                    s=22,
                    c=colour,
                    marker=marker,
                    alpha=0.65,
                    linewidths=0,
                )
        panel.set_title(name, fontsize=TEXT, color=INK)
        panel.set_xticks([])
        panel.set_yticks([])
        panel.spines[:].set_color(GREY)
        for kind, colour, at in zip(kinds, (BLUE, ORANGE), (0.0, 1.0), strict=False):
            panel.text(
                at,
                -0.04,
                kind,
                transform=panel.transAxes,
                fontsize=TEXT - 1,
                color=colour,
                va="top",
                ha="left" if at == 0 else "right",
            )
    for panel in panels[len(names) :]:
        panel.remove()
    figure.suptitle(
        "Vectors of words with two senses, in sentences never seen in training\n"
        "(circle: first half of its sentence, triangle: second half)",
        fontsize=TEXT,
        color=INK,
    )
    return write_figure(figure, path)


def plot_words(
    vectors: np.ndarray, labels: Sequence[str], path: str | os.PathLike
) -> Figure:
    """Draw words at their vectors. A label that would cover another is left out.

    Args:
        vectors: (K, C), the mean of each word in its sentences.
        labels: K words, the most important first.
        path: of the picture.
    """
    points = principal_components(vectors)
    figure = empty_figure(WIDTH)
    panel = figure.subplots()
    panel.scatter(points[:, 0], points[:, 1], s=10, c=GREY, linewidths=0)
    spread = np.maximum(np.ptp(points, axis=0), 1e-9)
    # The labels are about as far apart in inches.
    inches = (points - points.min(0)) / spread * (0.85 * WIDTH)
    placed: list[tuple[float, float, float]] = []
    for label, point, (x, y) in zip(labels, points, inches, strict=True):
        shown = abridged(drawable(label), 20)
        width = LETTER * len(shown)
        if any(
            abs(y - other_y) < LINE and x < other_x + wide and other_x < x + width
            for other_x, other_y, wide in placed
        ):
            continue
        placed.append((x, y, width))
        panel.annotate(
            shown,
            point,
            (3, 0),
            textcoords="offset points",
            fontsize=TEXT - 2,
            fontfamily=installed_fonts(),
            color=INK,
            va="center",
            parse_math=False,
        )
    panel.margins(x=0.12)
    panel.set_xticks([])
    panel.set_yticks([])
    panel.spines[:].set_color(GREY)
    panel.set_title(
        "Words at the mean of their vectors, in two dimensions",
        fontsize=TEXT,
        color=INK,
    )
    return write_figure(figure, path)
