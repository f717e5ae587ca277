"""Pictures of texts: what was typed of them, and how much each word weighs."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from kerasseq.pictures.drawing import (
    BLUE,
    DOTS_PER_INCH,
    GREY,
    INK,
    ORANGE,
    TEXT,
    WIDTH,
    drawable,
    empty_figure,
    installed_fonts,
    shortened,
    write_figure,
)

# They stand at the word before them.
CLOSING_SIGNS = {*".,;:!?…)]}”»"}


def plot_typing(
    passages: Mapping[str, Sequence[tuple[str, int | None]]],
    path: str | os.PathLike,
    line: int = 40,
) -> Figure:
    """Draw what was typed of a passage, and what a keyboard's suggestions wrote.

    Args:
        passages: for each keyboard the passage's words, each with the number of its
            letters that were typed; None for what is no word.
        path: the picture, in the format that its suffix names.
        line: characters in a line at most; a longer word has a line of its own.

    Returns:
        The figure.
    """
    blocks = {name: _lines(words, line) for name, words in passages.items()}
    rows = sum(len(lines) + 2 for lines in blocks.values())
    figure = empty_figure(0.3 * rows + 0.7)
    axes = figure.subplots()
    axes.set_axis_off()
    widest = max([line, *(len(row) for rows in blocks.values() for row in rows)])
    axes.set_xlim(-0.5, widest)
    axes.set_ylim(rows, -0.2)
    kinds = {"typed": ORANGE, "saved": BLUE, "sign": GREY}
    top = 0
    for (name, lines), words in zip(blocks.items(), passages.values(), strict=True):
        counted = [(len(word), typed) for word, typed in words if typed is not None]
        keys = sum(typed + 1 for _, typed in counted)
        whole = sum(length + 1 for length, _ in counted)
        axes.text(
            -0.5,
            top,
            f"{name}: {keys} keystrokes instead of {whole}",
            fontsize=TEXT + 1,
            color=INK,
            va="center",
        )
        for row, letters in enumerate(lines):
            for column, (letter, kind) in enumerate(letters):
                axes.text(
                    column,
                    top + row + 1,
                    letter,
                    fontsize=TEXT + 4,
                    fontfamily=("DejaVu Sans Mono", *installed_fonts()),
                    fontweight="bold" if kind == "typed" else "normal",
                    color=kinds.get(kind, INK),
                    ha="center",
                    va="center",
                    parse_math=False,
                )
        top += len(lines) + 2
    handles = [
        Patch(color=kinds["typed"], label="letters typed"),
        Patch(color=kinds["saved"], label="written by a tap on a suggestion"),
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=TEXT,
        labelcolor=INK,
    )
    return write_figure(figure, path)


def _lines(
    words: Sequence[tuple[str, int | None]], line: int
) -> list[list[tuple[str, str]]]:
    """Words in lines, each a list of letters with what became of them."""
    lines: list[list[tuple[str, str]]] = [[]]
    for word, typed in words:
        shown = drawable(word)
        if typed is None:
            letters = [(letter, "sign") for letter in shown]
        else:
            letters = [
                (letter, "typed" if place < typed else "saved")
                for place, letter in enumerate(shown)
            ]
        space = [(" ", "")] if lines[-1] and word not in CLOSING_SIGNS else []
        if lines[-1] and len(lines[-1]) + len(space) + len(letters) > line:
            lines.append([])
            space = []
        lines[-1] += space + letters
    return lines


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
