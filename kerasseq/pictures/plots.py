"""Pictures of what was measured: losses, attention weights, the scale of attention.

Shapes: H heads, T query steps, S key steps, K classes. Each function writes its file
whole and returns the figure. Nothing goes through pyplot, so no window and no setting
is touched.
"""

import math
import os
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from kerasseq.pictures.drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    TEXT,
    WIDTH,
    drawable,
    empty_figure,
    figure_with_panels,
    installed_fonts,
    label_tokens,
    legend_below,
    shortened,
    write_figure,
)


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
    figure, axes = figure_with_panels(4.2)
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
    legend_below(figure, axes)
    return write_figure(figure, path)


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
        if num_heads > 1:
            panel.set_title(f"head {head + 1}", fontsize=TEXT, color=INK)
        if 72 * min(width / num_columns, height / num_rows) >= 26:
            _write_numbers(panel, weights[head])
    bar = figure.colorbar(image, ax=panels[:num_heads], shrink=0.8, aspect=18 * rows)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=TEXT - 1, labelcolor=INK, length=0)
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
    figure, axes = figure_with_panels(0.5 + 0.28 * len(names) * len(scores) + 1.2)
    thickness = 0.8 / len(scores)
    for index, (method, values) in enumerate(scores.items()):
        places = np.arange(len(names)) + thickness * (index - (len(scores) - 1) / 2)
        bars = axes.barh(
            places,
            [values.get(name, 0.0) for name in names],
            0.92 * thickness,
            color=(BLUE, GREY, ORANGE)[index],
            label=drawable(method),
        )
        axes.bar_label(bars, fmt="%.1f", fontsize=TEXT, color=INK, padding=3)
    axes.set_yticks(
        range(len(names)),
        [shortened(drawable(name), 24) for name in names],
        fontfamily=installed_fonts(),
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
        textwrap.fill(drawable(title), 60), loc="left", fontsize=TEXT + 1, color=INK
    )
    legend_below(figure, axes)
    return write_figure(figure, path)


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
    figure, upper, lower = figure_with_panels(6.2, panels=2)
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
    legend_below(figure, lower)
    return write_figure(figure, path)


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
    figure, axes = figure_with_panels(3.6)
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
    legend_below(figure, axes)
    return write_figure(figure, path)


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
