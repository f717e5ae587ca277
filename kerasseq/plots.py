"""Pictures of what was measured: losses, attention weights, the scale of attention.

Shapes: H heads, T query steps, S key steps, K classes. Each function writes its file
whole and returns the figure. Nothing goes through pyplot, so no window and no setting
is touched.
"""

import functools
import math
import os
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib import colormaps, font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator

from kerasseq.files import replacing

# At 150 dots an inch, 960 pixels: a phone shrinks it to some 400, and 11 points to 9
# pixels, which can still be read.
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
    "Noto Sans Devanagari",
    "Noto Emoji",
)


# They stand at the word before them.
CLOSING_SIGNS = {*".,;:!?…)]}”»"}


def plot_losses(
    history: Mapping[str, Sequence[float]],
    path: str | os.PathLike,
    references: Mapping[str, float] | None = None,
    unit: str = "nats a character",
) -> Figure:
    """Draw training and held-out loss by epoch, with the best epoch marked.

    What is not finite is left out.

    Args:
        history: "loss" and, where it was measured, "val_loss", one number an epoch.
        path: the picture, in the format that its suffix names.
        references: losses to compare with, by name: a horizontal line for each.
        unit: of the losses.

    Returns:
        The figure.

    Raises:
        ValueError: the history has no epoch.
    """
    if not history.get("loss"):
        raise ValueError(
            f"the history of {sorted(history)} has no 'loss' of any epoch; train for "
            "at least one"
        )
    figure, axes = _figure(4.2)
    lines = [("loss", "training", GREY)]
    if history.get("val_loss"):
        lines.append(("val_loss", "held-out", BLUE))
    for key, label, colour in lines:
        losses = np.array(history[key], float)
        losses[~np.isfinite(losses)] = np.nan
        epochs = np.arange(1, len(losses) + 1)
        # Without markers a single epoch, or one between two gaps, would not be seen.
        marker = "o" if len(losses) <= 30 or np.isnan(losses).any() else ""
        axes.plot(
            epochs, losses, color=colour, label=label, lw=2.2, marker=marker, ms=4
        )
    # Of the last line, the one to choose by.
    if np.isnan(losses).all():
        title = f"No {label} loss is a finite number"
    else:
        best = int(np.nanargmin(losses))
        title = (
            f"Lowest {label} loss: {losses[best]:.3f} {unit}, epoch {best + 1} of "
            f"{len(losses)}"
        )
        axes.plot(
            epochs[best],
            losses[best],
            "o",
            label="lowest",
            mfc="none",
            mec=ORANGE,
            mew=2.2,
            ms=11,
            clip_on=False,
            zorder=5,
        )
    dashes = ("--", ":", "-.")
    for index, (name, loss) in enumerate((references or {}).items()):
        axes.axhline(
            loss,
            label=f"{name}: {loss:.3f}",
            color=INK,
            lw=1.3,
            ls=dashes[index % len(dashes)],
        )
    axes.set_title(title, loc="left", fontsize=TEXT + 1, color=INK)
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"loss ({unit})")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _legend_below(figure, axes)
    return _write(figure, path)


def plot_attention(
    weights: np.ndarray,
    tokens_query: Sequence[str],
    tokens_key: Sequence[str],
    path: str | os.PathLike,
    title: str = "Attention weights",
) -> Figure:
    """Draw the attention weights of one sentence, a heatmap for each head.

    All heads share one scale from 0 to 1. The weights are written into the cells where
    there is room, and labels are left out where there is none for all. A character
    that no font has is drawn as □.

    Args:
        weights: float (H, T, S).
        tokens_query: T words that attend, labels of the rows.
        tokens_key: S words that are attended to, labels of the columns.
        path: the picture, in the format that its suffix names.
        title: what is seen.

    Returns:
        The figure.

    Raises:
        ValueError: the weights have other axes or sizes.
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
    width = (WIDTH - 1.9) / columns  # inches that labels and colour bar leave
    height = np.clip(width * num_rows / num_columns, 0.5 * width, 1.6 * width)
    figure = _empty_figure(rows * (height + 0.3) + 1.6)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for head, panel in enumerate(panels):
        if head >= num_heads:
            panel.remove()
            continue
        image = panel.imshow(weights[head], vmin=0, vmax=1, cmap="Blues", aspect="auto")
        _label_tokens(panel, "y", tokens_query if head % columns == 0 else [], height)
        lowest = head + columns >= num_heads
        _label_tokens(panel, "x", tokens_key if lowest else [], width)
        panel.spines[:].set_color(GREY)
        if num_heads > 1:
            panel.set_title(f"head {head + 1}", fontsize=TEXT, color=INK)
        if 72 * min(width / num_columns, height / num_rows) >= 26:
            _write_numbers(panel, weights[head])
    bar = figure.colorbar(image, ax=panels[:num_heads], shrink=0.8, aspect=18 * rows)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=TEXT - 1, labelcolor=INK, length=0)
    figure.suptitle(
        textwrap.fill(_drawable(title), 60),
        fontsize=TEXT + 1,
        color=INK,
        fontfamily=_installed_fonts(),
        parse_math=False,
    )
    figure.supylabel("attending (query)", fontsize=TEXT, color=INK)
    figure.supxlabel("attended to (key)", fontsize=TEXT, color=INK)
    return _write(figure, path)


def plot_scores(
    scores: Mapping[str, Mapping[str, float]], path: str | os.PathLike, title: str
) -> Figure:
    """Draw scores of several methods as bars, one group below the other.

    Args:
        scores: for each method, of at most three, its scores in percent by name. A
            name that one lacks counts 0 there.
        path: the picture, in the format that its suffix names.
        title: over the bars.

    Returns:
        The figure.
    """
    names = list(dict.fromkeys(name for method in scores.values() for name in method))
    figure, axes = _figure(0.5 + 0.28 * len(names) * len(scores) + 1.2)
    thickness = 0.8 / len(scores)
    for index, (method, values) in enumerate(scores.items()):
        places = np.arange(len(names)) + thickness * (index - (len(scores) - 1) / 2)
        bars = axes.barh(
            places,
            [values.get(name, 0.0) for name in names],
            0.92 * thickness,
            color=(BLUE, GREY, ORANGE)[index],
            label=_drawable(method),
        )
        axes.bar_label(bars, fmt="%.1f", fontsize=TEXT, color=INK, padding=3)
    axes.set_yticks(
        range(len(names)),
        [_shortened(_drawable(name), 24) for name in names],
        fontfamily=_installed_fonts(),
        parse_math=False,
    )
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color="#e3e7eb")
    axes.set_xlim(0, 109)  # room for the number of a full bar
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("percent")
    axes.set_title(
        textwrap.fill(_drawable(title), 60), loc="left", fontsize=TEXT + 1, color=INK
    )
    _legend_below(figure, axes)
    return _write(figure, path)


def plot_scaling(
    rows: Sequence[Mapping[str, float]], path: str | os.PathLike
) -> Figure:
    """Draw what the size of the keys does to a softmax, with and without the scale.

    Args:
        rows: each with "key size", "scaled entropy", "unscaled entropy" (nats),
            "scaled gradient" and "unscaled gradient" (norm of the Jacobian), as from
            `attention_demo.scaling_study`.
        path: the picture, in the format that its suffix names.

    Returns:
        The figure.
    """
    figure, upper, lower = _figure(6.2, panels=2)
    sizes = [row["key size"] for row in rows]
    for axes, quantity, title, label in (
        (upper, "entropy", "Unscaled, the weight goes to one key", "entropy (nats)"),
        (lower, "gradient", "Unscaled, softmax loses its gradient", "gradient (norm)"),
    ):
        for kind, colour in (("scaled", BLUE), ("unscaled", ORANGE)):
            values = [row[f"{kind} {quantity}"] for row in rows]
            axes.plot(sizes, values, "o-", color=colour, label=kind, lw=2.2, ms=5)
        axes.set_title(title, loc="left", fontsize=TEXT + 1, color=INK)
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.xaxis.set_minor_locator(NullLocator())
    lower.set_xlabel("size of queries and keys")
    _legend_below(figure, lower)
    return _write(figure, path)


def plot_savings(
    shares: Mapping[str, Mapping[str, float]], path: str | os.PathLike
) -> Figure:
    """Draw shares of one kind beside another's, as bars: the first kind stands out.

    Args:
        shares: for each kind its shares by name, 0 to 1, the same names in all.
        path: the picture, in the format that its suffix names.

    Returns:
        The figure.
    """
    figure, axes = _figure(3.6)
    names = list(next(iter(shares.values())))
    width = 0.8 / len(shares)
    colours = (BLUE, GREY, ORANGE)
    for index, (kind, values) in enumerate(shares.items()):
        places = np.arange(len(names)) + width * (index - (len(shares) - 1) / 2)
        percent = [100 * values[name] for name in names]
        colour = colours[index % len(colours)]
        bars = axes.bar(places, percent, 0.94 * width, color=colour, label=kind)
        axes.bar_label(bars, fmt="%.1f", fontsize=TEXT, color=INK, padding=2)
    axes.set_xticks(range(len(names)), names)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("percent")
    axes.margins(y=0.12)
    _legend_below(figure, axes)
    return _write(figure, path)


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
    figure = _empty_figure(0.3 * rows + 0.7)
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
                    fontfamily=("DejaVu Sans Mono", *_installed_fonts()),
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
    return _write(figure, path)


def _lines(
    words: Sequence[tuple[str, int | None]], line: int
) -> list[list[tuple[str, str]]]:
    """Words in lines, each a list of letters with what became of them."""
    lines: list[list[tuple[str, str]]] = [[]]
    for word, typed in words:
        shown = _drawable(word)
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


def plot_confusion(
    matrix: np.ndarray, labels: Sequence[str], path: str | os.PathLike
) -> Figure:
    """Draw how often each class was taken for each, as counts and as shares of a row.

    Args:
        matrix: int (K, K), from `scores.confusion_matrix`: row the class, column what
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
    figure = _empty_figure(side + 1.5)
    panel = figure.subplots()
    shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
    image = panel.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    _label_tokens(panel, "y", labels, side)
    _label_tokens(panel, "x", labels, side)
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
    return _write(figure, path)


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
        "fontfamily": _installed_fonts(),
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
            shown = _shortened(_drawable(word), 30)
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
    return _write(figure, path)


def _empty_figure(height: float) -> Figure:
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)  # inches
    return Figure((WIDTH, height), layout=layout)


def _figure(height: float, panels: int = 1) -> tuple:
    """A figure and its panels, one below the other."""
    figure = _empty_figure(height)
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


def _legend_below(figure: Figure, axes: Axes) -> None:
    # Below, because no place inside is free of lines for every history.
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=TEXT,
        labelcolor=INK,
    )


def _write(figure: Figure, path: str | os.PathLike) -> Figure:
    with replacing(path) as beside:
        figure.savefig(beside, dpi=DOTS_PER_INCH)
    return figure


def _label_tokens(
    panel: Axes, axis: Literal["x", "y"], tokens: Sequence[str], inches: float
) -> None:
    """Label the cells of one axis, every second or third where they are narrow."""
    side = panel.yaxis if axis == "y" else panel.xaxis
    panel.tick_params(axis=axis, length=0, pad=4)
    if not tokens:
        side.set_ticks([])
        return
    pitch = 72 * inches / len(tokens)
    size = min(TEXT, max(7.5, 0.9 * pitch))
    places = range(0, len(tokens), math.ceil(1.05 * size / pitch))
    labels = [_shortened(_drawable(tokens[place])) for place in places]
    # A letter is some 0.6 of its font's size wide.
    fits = axis == "y" or 0.7 * size * max(map(len, labels)) < pitch
    side.set_ticks(
        places,
        labels,
        fontsize=size,
        fontfamily=_installed_fonts(),
        rotation="horizontal" if fits else "vertical",
        color=INK,
        parse_math=False,
    )


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


def _shortened(token: str, length: int = 12) -> str:
    return token if len(token) <= length else token[: length - 1] + "…"


def _drawable(text: str) -> str:
    """The text with □ for what no font has, which matplotlib would warn about."""
    return "".join(
        character if character.isprintable() and _has_glyph(character) else "□"
        for character in text
        # Joiners and marks of direction are no signs of their own.
        if unicodedata.category(character) != "Cf"
    )


def _has_glyph(character: str) -> bool:
    return any(ord(character) in _glyphs(name) for name in _installed_fonts())


@functools.cache
def _installed_fonts() -> tuple[str, ...]:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(name for name in FONTS if name in installed)


@functools.cache
def _glyphs(name: str) -> frozenset[int]:
    """The code points for which a font has a picture."""
    font = font_manager.get_font(font_manager.findfont(name))
    return frozenset(font.get_charmap())
