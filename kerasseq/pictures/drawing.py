"""What all pictures share: sizes, colours, fonts, labels and how they are written."""

import functools
import math
import os
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from kerasseq.files.writing import replacing

# 960 pixels at 150 dots an inch. A phone shrinks these to about 400, and 11 points to 9
# pixels, which are still legible.
WIDTH = 6.4
DOTS_PER_INCH = 150
TEXT = 11

BLUE, ORANGE, GREY, INK = "#1f5fa8", "#d9622b", "#8a94a0", "#30363d"

# DejaVu Sans comes with matplotlib; the others are tried for what it lacks.
FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Arial Unicode MS",
    "Noto Sans",
    *(
        f"Noto Sans {script}"
        for script in (
            *("Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil"),
            *("Telugu", "Kannada", "Malayalam", "Sinhala", "Thai", "Lao", "Myanmar"),
            *("Khmer", "Tibetan", "Ethiopic", "Georgian", "Armenian", "Hebrew"),
        )
    ),
    *("Kohinoor Devanagari", "Nirmala UI", "Leelawadee UI", "Lohit Devanagari"),
    *("FreeSans", "FreeSerif", "Noto Emoji"),
)


def empty_figure(height: float) -> Figure:
    """A figure of the common width; height in inches."""
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)  # inches
    return Figure((WIDTH, height), layout=layout)


def figure_with_panels(height: float, panels: int = 1) -> tuple:
    """A figure and its panels, one below the other."""
    figure = empty_figure(height)
    all_axes = np.ravel(figure.subplots(panels))
    for axes in all_axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GREY)
        axes.tick_params(labelsize=TEXT, color=GREY, labelcolor=INK)
        axes.xaxis.label.set(fontsize=TEXT, color=INK)
        axes.yaxis.label.set(fontsize=TEXT, color=INK)
        axes.grid(axis="y", color="#e3e7eb")
        axes.set_axisbelow(True)
    return figure, *all_axes


def set_title(axes: Axes, title: str) -> None:
    """Put a title over the axes, at their left edge."""
    axes.set_title(title, loc="left", fontsize=TEXT + 1, color=INK)


def add_colorbar(figure: Figure, image: Any, axes: Any, **others: Any) -> Any:
    """Show the scale of an image beside its axes, and return the colour bar."""
    bar = figure.colorbar(image, ax=axes, shrink=0.8, **others)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=TEXT - 1, labelcolor=INK, length=0)
    return bar


def legend_below(figure: Figure, handles: Sequence[Any]) -> None:
    """Put a legend below the figure, where it covers no line."""
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=TEXT,
        labelcolor=INK,
    )


def write_figure(figure: Figure, path: str | os.PathLike) -> Figure:
    """Write a picture, whole or not at all, and return the figure."""
    with replacing(path) as beside:
        figure.savefig(beside, dpi=DOTS_PER_INCH)
    return figure


def label_tokens(
    panel: Axes, axis: Literal["x", "y"], tokens: Sequence[str], inches: float
) -> None:
    """Label the cells along one axis: only every second or third if they are narrow."""
    side = panel.yaxis if axis == "y" else panel.xaxis
    panel.tick_params(axis=axis, length=0, pad=4)
    if not tokens:
        side.set_ticks([])
        return
    pitch = 72 * inches / len(tokens)
    size = min(TEXT, max(7.5, 0.9 * pitch))
    indices = range(0, len(tokens), math.ceil(1.05 * size / pitch))
    labels = [abridged(drawable(tokens[index])) for index in indices]
    # A letter is about 0.6 of its font's size wide.
    fits = axis == "y" or 0.7 * size * max(map(len, labels)) < pitch
    side.set_ticks(
        indices,
        labels,
        fontsize=size,
        fontfamily=installed_fonts(),
        rotation="horizontal" if fits else "vertical",
        color=INK,
        parse_math=False,
    )


def from_the_right(text: str) -> bool:
    """Whether a text is read from right to left: its first letter with a direction is.

    Source: Unicode Standard Annex 9, rules P2 and P3.
    """
    kinds = map(unicodedata.bidirectional, text)
    return next((kind for kind in kinds if kind in ("L", "R", "AL")), "L") != "L"


def abridged(token: str, length: int = 12) -> str:
    """The token, or its beginning and … if it is longer."""
    return token if len(token) <= length else token[: length - 1] + "…"


def drawable(text: str) -> str:
    """The text with □ for characters that no font has, of which matplotlib warns.

    Standard error names the script of letters among them once.
    """
    return "".join(
        character if _is_drawable(character) else "□"
        for character in text
        # Joiners and marks of direction are not visible.
        if unicodedata.category(character) != "Cf"
    )


def _is_drawable(character: str) -> bool:
    if not character.isprintable():
        return False
    if any(ord(character) in glyphs(name) for name in installed_fonts()):
        return True
    if character.isalpha():
        _name_missing_font(unicodedata.name(character, "").split(" ")[0].title())
    return False


@functools.cache
def _name_missing_font(script: str) -> None:
    line = (
        f"pictures show □ for letters of {script or 'a script'}, which no installed "
        "font has; install one, such as Noto Sans for that script"
    )
    print(line, file=sys.stderr)


@functools.cache
def installed_fonts() -> tuple[str, ...]:
    """The installed fonts among FONTS, in that order."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(name for name in FONTS if name in installed)


@functools.cache
def glyphs(name: str) -> frozenset[int]:
    """The code points for which a font has a glyph."""
    font = font_manager.get_font(font_manager.findfont(name))
    return frozenset(font.get_charmap())
