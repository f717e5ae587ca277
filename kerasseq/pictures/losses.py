"""Losses as a picture."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kerasseq.pictures.drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    figure_with_panels,
    legend_below,
    set_title,
    write_figure,
)


def plot_losses(
    history: Mapping[str, Sequence[float]],
    path: str | os.PathLike,
    references: Mapping[str, float] | None = None,
    unit: str = "nats a character",
    training: str = "training",
) -> Figure:
    """Draw training and held-out loss by epoch, and mark the best epoch.

    Values that are not finite are left out.

    Args:
        history: "loss" and, if it was measured, "val_loss", one value an epoch.
        path: of the picture, in the format that its suffix names.
        references: losses to compare with, by name; each is a horizontal line.
        unit: of the losses.
        training: name of the training loss, where it differs from the held-out one in
            more than the data.

    Raises:
        ValueError: the history has no epoch.
    """
    if not history.get("loss"):
        raise ValueError(
            f"the history of {sorted(history)} has no 'loss' of any epoch; train for "
            "at least one"
        )
    figure, axes = figure_with_panels(4.2)
    lines = [("loss", training, GREY)]
    if history.get("val_loss"):
        lines.append(("val_loss", "held-out", BLUE))
    for key, label, colour in lines:
        losses = np.array(history[key], float)
        losses[~np.isfinite(losses)] = np.nan
        epochs = np.arange(1, len(losses) + 1)
        # Without markers, a single epoch or one between two gaps would be invisible.
        marker = "o" if len(losses) <= 30 or np.isnan(losses).any() else ""
        axes.plot(
            epochs, losses, color=colour, label=label, lw=2.2, marker=marker, ms=4
        )
    # The best epoch is that of the last line.
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
    set_title(axes, title)
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"loss ({unit})")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend_below(figure, axes.get_legend_handles_labels()[0])
    return write_figure(figure, path)
