"""What an encoder learned: senses, heads in words, nearest words and heatmaps."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from kerasseq.data.made_up_sentences import MadeUpSentence
from kerasseq.files.markdown import plain
from kerasseq.files.writing import write_file
from kerasseq.on_device.command import visible
from kerasseq.pictures.contexts import Reading, list_nearest, measure_senses, show_alike
from kerasseq.pictures.heatmap import plot_attention
from kerasseq.scores.context import (
    Role,
    best_roles,
    score_roles,
)
from kerasseq.text.words import WordVocabulary

READ_SENTENCES = 600
DRAWN_SENTENCES = 2
# A head with no role this far from chance (0) to all of its weight (1) has none.
LEAST_STRIKING = 0.15


def write_demo(
    directory: str | os.PathLike,
    encoder: keras.Model,
    vocabulary: WordVocabulary,
    sentences: Sequence[str],
    made_up: Sequence[MadeUpSentence] = (),
) -> dict[str, Any]:
    """Write `embeddings.md` with its pictures, and print what the heads attend to.

    Args:
        directory: of these files.
        encoder: from `build_encoder`.
        vocabulary: its words.
        sentences: to look at, best of all those that it was not trained on; at most
            600 are read, two are drawn.
        made_up: what the grammar knows of these sentences, if it made them.

    Returns:
        Figures for the report.
    """
    directory = Path(directory)
    made_up = made_up[:READ_SENTENCES]
    read = Reading(encoder, vocabulary, sentences[:READ_SENTENCES])
    arrows = [sentence.arrows() for sentence in made_up]
    roles = score_roles(read.weights, read.words, arrows)
    heads = describe_heads(roles)
    lines = [
        "# Words in their context",
        "",
        "A word's vector depends on the words around it. All that follows is measured "
        f"on {len(read.words):,} sentences"
        f"{', which no training has seen' if made_up else ''}.",
        "",
    ]
    figures: dict[str, Any] = {}
    labels = [list(words) for words in read.words]
    if made_up:
        figures = measure_senses(directory, encoder, read, made_up)
        lines += [
            "## Two senses of one word",
            "",
            "| | of the encoder | before its first block |",
            "| --- | --- | --- |",
            *(
                f"| {name} | {ours:.3f} | {theirs:.3f} |"
                for name, (ours, theirs) in figures.items()
            ),
            "",
            "![The vectors in two dimensions](senses.png)",
            "",
        ]
        figures = {
            f"{name}{where}": round(value, 3)
            for name, pair in figures.items()
            for where, value in zip(("", ", input"), pair, strict=True)
        }
        for words, sentence in zip(labels, made_up, strict=True):
            words[sentence.ambiguous] += f" ({sentence.sense})"
    lines += _heads(heads)
    lines += show_alike(directory, read, labels, bool(made_up))
    lines += list_nearest(read)
    lines += _heatmaps(directory, read, heads, _drawn(read, made_up))
    print("\nwhat each head attends to most:")
    for block, row in enumerate(heads, 1):
        for head, (role, weight, chance) in enumerate(row, 1):
            print(f"  block {block}, head {head}: {role}, {weight:.2f} ({chance:.2f})")
    print("  (in brackets: if a word attended to all words equally)")
    write_file(directory / "embeddings.md", "\n".join(lines))
    return figures


def describe_heads(roles: Mapping[str, Role]) -> list[list[tuple[str, float, float]]]:
    """The most striking role of each head, its weight and that of chance, by block."""
    blocks, heads = next(iter(roles.values())).weights.shape
    return [
        [_describe_head(roles, block, head) for head in range(heads)]
        for block in range(blocks)
    ]


def _describe_head(
    roles: Mapping[str, Role], block: int, head: int
) -> tuple[str, float, float]:
    name = best_roles(roles, block, head)[0]
    role = roles[name]
    weight = float(role.weights[block, head])
    if weight - role.chance < LEAST_STRIKING * (1 - role.chance):
        name = f"many words, among them {name}"
    return name, weight, role.chance


def _heads(heads: list[list[tuple[str, float, float]]]) -> list[str]:
    return [
        "## What each head attends to",
        "",
        "The role that stands out most, the mean weight on it, and what it would be if "
        "a word attended to all words of its sentence equally.",
        "",
        "| block | head | attends to | weight | equal weights |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {block} | {head} | {role} | {weight:.2f} | {chance:.2f} |"
            for block, row in enumerate(heads, 1)
            for head, (role, weight, chance) in enumerate(row, 1)
        ),
        "",
    ]


def _drawn(read: Reading, made_up: Sequence[MadeUpSentence]) -> list[int]:
    """Sentences to draw: two senses of one word, otherwise the first ones."""
    for row, one in enumerate(made_up):
        for other, two in enumerate(made_up[:row]):
            same = one.words[one.ambiguous] == two.words[two.ambiguous]
            if same and one.sense != two.sense:
                return [other, row]
    return list(range(min(DRAWN_SENTENCES, len(read.words))))


def _heatmaps(
    directory: Path,
    read: Reading,
    heads: list[list[tuple[str, float, float]]],
    rows: Sequence[int],
) -> list[str]:
    lines = ["## Who attends to whom", ""]
    for number, row in enumerate(rows, 1):
        sentence = visible(read.sentences[row].strip())
        lines += [f"### {plain(read.sentences[row].strip())}", ""]
        for block, roles in enumerate(heads):
            picture = f"heatmap_{number}_block_{block + 1}.png"
            title = f"Attention weights of block {block + 1}"
            plot_attention(
                read.weights[row][block],
                read.words[row],
                read.words[row],
                directory / picture,
                f"{title}: {sentence}",
                [
                    f"head {head}: {role}, {weight:.2f}"
                    for head, (role, weight, _) in enumerate(roles, 1)
                ],
            )
            lines += [f"![{title}]({picture})", ""]
    return lines
