"""Translations as a table and as pictures: alignments of pieces, scores by length.

Shapes: T target pieces, S source pieces.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure

from kerasseq.data.pairs import Pair
from kerasseq.on_device.command import visible
from kerasseq.pictures.drawing import (
    BLUE,
    INK,
    TEXT,
    figure_with_panels,
    set_title,
    write_figure,
)
from kerasseq.pictures.heatmap import plot_attention
from kerasseq.scores.translation import bleu
from kerasseq.text.subwords import END, FIRST_BYTE, FIRST_PIECE, START, Subwords

DRAWN_TEXTS = 3
MOST_DRAWN = 20  # pieces; a picture has no room for more
BARS = 6


def draw_alignments(
    model: keras.Model,
    vocabulary: Subwords,
    sources: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    folder: str | os.PathLike,
) -> None:
    """Draw what some translations attend to, as alignment_1.png and so on.

    The weights are the mean over the heads of one decoder block: the one whose largest
    weight for each target piece is largest on average.

    Args:
        model: from `build_translation`.
        vocabulary: of the pieces.
        sources: arrays of ids (S_n,), without `START` and `END`.
        targets: their translations (T_n,), as these.
        folder: of the pictures.
    """
    longest = [max(map(len, pair)) for pair in zip(sources, targets, strict=True)]
    # A translation that was cut has as many pieces as the model reads, and no end.
    most = model.get_layer("positions").max_length
    # The first that fit, or else the first of all.
    order = sorted(range(len(sources)), key=lambda index: longest[index] > MOST_DRAWN)
    drawn = [
        (np.append(sources[index], END), np.append(targets[index], END)[:most])
        for index in order[:DRAWN_TEXTS]
    ]
    weights = [attend(model, source, target) for source, target in drawn]
    decided = np.mean([each.max(axis=-1).mean(axis=-1) for each in weights], axis=0)
    for number, ((source, target), blocks) in enumerate(
        zip(drawn, weights, strict=True), 1
    ):
        plot_attention(
            blocks[decided.argmax(), None],
            [show_piece(int(index), vocabulary) for index in target],
            [show_piece(int(index), vocabulary) for index in source],
            Path(folder) / f"alignment_{number}.png",
            "What each piece of the translation attends to",
        )


def attend(model: keras.Model, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The mean weights over the heads, float32 (blocks, T, S); both end with `END`."""
    inputs = {
        "source_ids": source[None],
        "target_ids": np.array([[START, *target[:-1]]], np.int32),
    }
    outputs = dict(model(inputs, training=False))
    del outputs["logits"]
    return np.stack(
        [
            outputs[f"alignment_{block}"].numpy()[0].mean(axis=0)
            for block in range(len(outputs))
        ]
    )


def show_piece(index: int, vocabulary: Subwords) -> str:
    """A piece as a label: spaces are visible, bytes outside ASCII hexadecimal."""
    if index >= FIRST_PIECE:
        return vocabulary.pieces[index - FIRST_PIECE].replace(" ", "\u2581")
    if index == END:
        return "(end)"
    byte = index - FIRST_BYTE
    return chr(byte) if 32 < byte < 127 else "\u2581" if byte == 32 else f"{byte:02x}"


def translation_table(pairs: Sequence[Pair], translations: Sequence[str]) -> str:
    """Pairs and translations as tab-separated columns with a line of names."""
    rows = [("source", "reference", "translation")]
    rows += [
        (*pair, visible(translation))
        for pair, translation in zip(pairs, translations, strict=True)
    ]
    return "".join("\t".join(row) + "\n" for row in rows)


def plot_bleu_by_length(
    pairs: Sequence[Pair], translations: Sequence[str], path: str | os.PathLike
) -> Figure:
    """Draw BLEU of texts by the number of words in their sources, as bars.

    Args:
        pairs: N sources and targets.
        translations: of the sources.
        path: of the picture, in the format that its suffix names.
    """
    lengths = np.array([len(pair.source.split()) for pair in pairs])
    order = np.argsort(lengths, kind="stable")
    # Groups of about the same size; texts of one length stay together.
    bounds = np.unique(lengths[order[:: -(-len(order) // BARS)]])
    groups = np.searchsorted(bounds, lengths, side="right")
    names, scores, counts = [], [], []
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group).tolist()
        low, high = lengths[members].min(), lengths[members].max()
        names.append(f"{low}" if low == high else f"{low} to {high}")
        counts.append(len(members))
        scores.append(
            bleu(
                [translations[index] for index in members],
                [pairs[index].target for index in members],
            )
        )
    figure, axes = figure_with_panels(4.0)
    bars = axes.bar(range(len(scores)), scores, 0.7, color=BLUE)
    axes.bar_label(bars, fmt="%.1f", fontsize=TEXT, color=INK, padding=2)
    axes.set_xticks(
        range(len(names)),
        [f"{name}\n({count:,})" for name, count in zip(names, counts, strict=True)],
    )
    axes.tick_params(axis="x", length=0)
    axes.set_ylim(0, max(10.0, 1.12 * max(scores)))
    axes.set_xlabel("words of the source (number of held-out texts)")
    axes.set_ylabel("BLEU")
    set_title(axes, "BLEU by length")
    return write_figure(figure, path)
