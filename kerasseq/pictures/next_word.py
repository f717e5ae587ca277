"""Keystrokes saved by suggestions, as pictures."""

import os
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from kerasseq.pictures.drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    TEXT,
    abridged,
    drawable,
    empty_figure,
    figure_with_panels,
    from_the_right,
    installed_fonts,
    legend_below,
    write_figure,
)


def plot_savings(
    fractions: Mapping[str, Mapping[str, float]], path: str | os.PathLike
) -> Figure:
    """Draw what several keyboards save as groups of bars; the first stands out.

    Args:
        fractions: for each keyboard the fractions of keystrokes saved, 0 to 1, by the
            number of suggestions, all of one set of numbers.
        path: of the picture, in the format that its suffix names.
    """
    figure, axes = figure_with_panels(3.6)
    names = list(next(iter(fractions.values())))
    width = 0.84 / len(fractions)
    # So that the numbers on three groups of bars stay apart.
    size = min(TEXT, 34 / len(fractions))
    colours = (BLUE, ORANGE, GREY, INK)
    for index, (keyboard, values) in enumerate(fractions.items()):
        centres = np.arange(len(names)) + width * (index - (len(fractions) - 1) / 2)
        heights = [values[name] for name in names]
        colour = colours[index % len(colours)]
        bars = axes.bar(centres, heights, 0.94 * width, color=colour, label=keyboard)
        axes.bar_label(bars, fmt="%.3f", fontsize=size, color=INK, padding=2)
    axes.set_xticks(range(len(names)), names)
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel("suggestions")
    axes.set_ylabel("fraction of keystrokes saved")
    axes.margins(y=0.12)
    legend_below(figure, axes.get_legend_handles_labels()[0])
    return write_figure(figure, path)


# No space comes before these.
LONGEST = 60  # letters that are drawn of a word
CLOSING_PUNCTUATION = {*".,;:!?…)]}”»"}


def plot_typing(
    passages: Mapping[str, Sequence[tuple[str, int | None]]],
    path: str | os.PathLike,
    line: int = 40,
) -> Figure:
    """Draw which letters of a passage were typed, and which suggestions wrote.

    Args:
        passages: for each keyboard the passage's words, each with the number of typed
            letters; None for punctuation and numbers.
        path: of the picture, in the format that its suffix names.
        line: the most characters in a line; a longer word has a line of its own.
    """
    blocks = {name: _lines(words, line) for name, words in passages.items()}
    rows = sum(len(lines) + 2 for lines in blocks.values())
    figure = empty_figure(0.3 * rows + 0.7)
    axes = figure.subplots()
    axes.set_axis_off()
    widest = max([line, *(len(row) for rows in blocks.values() for row in rows)])
    axes.set_xlim(-0.5, widest)
    axes.set_ylim(rows, -0.2)
    kinds = {"typed": ORANGE, "saved": BLUE, "not counted": GREY}
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
        mirrored = from_the_right(" ".join(word for word, _ in words))
        for row, letters in enumerate(lines):
            for column, (letter, kind) in enumerate(letters):
                axes.text(
                    widest - 1 - column if mirrored else column,
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
    legend_below(figure, handles)
    return write_figure(figure, path)


def _lines(
    words: Sequence[tuple[str, int | None]], line: int
) -> list[list[tuple[str, str]]]:
    """Words in lines, each a list of letters and of how they were written.

    A letter has the marks that follow it.
    """
    lines: list[list[tuple[str, str]]] = [[]]
    for word, typed in words:
        shown = drawable(abridged(word, LONGEST))
        if typed is None:
            letters = [(letter, "not counted") for letter in _with_marks(shown)]
        else:
            letters, index = [], 0
            for letter in _with_marks(shown):
                letters.append((letter, "typed" if index < typed else "saved"))
                index += len(letter)
        space = [(" ", "")] if lines[-1] and word not in CLOSING_PUNCTUATION else []
        if lines[-1] and len(lines[-1]) + len(space) + len(letters) > line:
            lines.append([])
            space = []
        lines[-1] += space + letters
    return lines


def _with_marks(word: str) -> list[str]:
    """The letters of a word, each with the marks that follow it."""
    letters: list[str] = []
    for character in word:
        if letters and unicodedata.category(character)[0] == "M":
            letters[-1] += character
        else:
            letters.append(character)
    return letters
