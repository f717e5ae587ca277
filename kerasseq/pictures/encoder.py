"""What an encoder learned: senses, heads in words, nearest words and heatmaps."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from kerasseq.data.made_up_sentences import MadeUpSentence
from kerasseq.files.markdown import plain
from kerasseq.files.writing import write_file
from kerasseq.on_device.command import visible
from kerasseq.pictures.contexts import Reading, list_nearest, measure_senses, show_alike
from kerasseq.pictures.heatmap import plot_attention
from kerasseq.scores.context import (
    Arrow,
    Role,
    best_roles,
    frequent_words,
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
    unseen: bool = False,
) -> dict[str, Any]:
    """Write `embeddings.md` with its pictures, and print what the heads attend to.

    Args:
        directory: of these files.
        encoder: from `build_encoder`.
        vocabulary: its words.
        sentences: to look at, best of all those that it was not trained on; at most
            600 are read, two are drawn.
        made_up: what the grammar knows of these sentences, if it made them.
        unseen: whether it was not trained on them.

    Returns:
        Figures for the report.
    """
    directory = Path(directory)
    made_up = made_up[:READ_SENTENCES]
    read = Reading(encoder, vocabulary, sentences[:READ_SENTENCES])
    hidden = read.weights_of_hidden_words()
    arrows: Sequence[Mapping[str, Sequence[Arrow]]] = [
        sentence.arrows() for sentence in made_up
    ] or frequent_words(read.words)
    count = len(hidden)
    roles, of_visible = (
        score_roles(weights, read.words[:count], arrows[:count])
        for weights in (hidden, read.weights[:count])
    )
    heads = describe_heads(roles)
    lines = [
        "# Words in their context",
        "",
        "A word's vector depends on the words around it. All that follows is measured "
        f"on {len(read.words):,} sentences"
        f"{', which no training has seen' if unseen else ''}.",
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
    lines += _heads(heads, of_visible)
    lines += show_alike(directory, read, labels, bool(made_up))
    lines += list_nearest(read)
    lines += _heatmaps(directory, read, hidden, heads, _drawn(made_up[:count], count))
    print("\nto guess a hidden word, each head looks at (at random in brackets):")
    for block, row in enumerate(heads, 1):
        for number, head in enumerate(row, 1):
            name = f"block {block}, head {number}"
            print(
                f"  {name}: {visible(head.role)}, {head.weight:.2f} ({head.chance:.2f})"
            )
            figures[name] = f"{head.role}, {head.weight:.2f}"
    write_file(directory / "embeddings.md", "\n".join(lines))
    return figures


class Head(NamedTuple):
    """What a head does.

    Attributes:
        name: of its role, the most striking one.
        striking: whether it is far from chance.
        weight: on what the role points to, the mean over the words that have it.
        chance: what it would be if a word attended to all words equally.
    """

    name: str
    striking: bool
    weight: float
    chance: float

    @property
    def role(self) -> str:
        """The role in words."""
        return self.name if self.striking else f"many words, among them {self.name}"


def describe_heads(roles: Mapping[str, Role]) -> list[list[Head]]:
    """What each head does, by block."""
    blocks, heads = next(iter(roles.values())).weights.shape
    return [
        [_describe_head(roles, block, head) for head in range(heads)]
        for block in range(blocks)
    ]


def _describe_head(roles: Mapping[str, Role], block: int, head: int) -> Head:
    name = best_roles(roles, block, head)[0]
    role = roles[name]
    weight = float(role.weights[block, head])
    striking = weight - role.chance >= LEAST_STRIKING * (1 - role.chance)
    return Head(name, striking, weight, role.chance)


def _heads(heads: list[list[Head]], of_visible: Mapping[str, Role]) -> list[str]:
    return [
        "## What each head looks at to guess a hidden word",
        "",
        "The role that stands out most; the mean weight on it while the word is "
        "hidden, as it was in training, and while it is seen; and what it would be if "
        "a word attended to all words of its sentence equally.",
        "",
        "| block | head | looks at | word hidden | word seen | equal weights |",
        "| --- | --- | --- | --- | --- | --- |",
        *(
            f"| {block + 1} | {index + 1} | {plain(head.role)} | {head.weight:.2f} "
            f"| {of_visible[head.name].weights[block, index]:.2f} | {head.chance:.2f} |"
            for block, row in enumerate(heads)
            for index, head in enumerate(row)
        ),
        "",
    ]


def _drawn(made_up: Sequence[MadeUpSentence], count: int) -> list[int]:
    """Sentences to draw: two senses of a word with many roles, or the first ones."""
    pairs = [
        (other, row)
        for row, one in enumerate(made_up)
        for other, two in enumerate(made_up[:row])
        if one.words[one.ambiguous] == two.words[two.ambiguous]
        and one.sense != two.sense
    ]
    roles = [len(sentence.arrows()) for sentence in made_up]
    best = max(pairs, key=lambda pair: sum(roles[row] for row in pair), default=None)
    return list(best or range(min(DRAWN_SENTENCES, count)))


def _heatmaps(
    directory: Path,
    read: Reading,
    weights: Sequence[np.ndarray],
    heads: list[list[Head]],
    rows: Sequence[int],
) -> list[str]:
    lines = [
        "## Where heads look to guess each word",
        "",
        "Each row is one word while it is hidden.",
        "",
    ]
    for number, row in enumerate(rows, 1):
        sentence = visible(read.sentences[row].strip())
        lines += [f"### {plain(read.sentences[row].strip())}", ""]
        for block, described in enumerate(heads):
            picture = f"heatmap_{number}_block_{block + 1}.png"
            title = f"Where block {block + 1} looks to guess each hidden word"
            plot_attention(
                weights[row][block],
                read.words[row],
                read.words[row],
                directory / picture,
                f"{title}: {sentence}",
                [
                    f"head {index}: {head.role}, {head.weight:.2f}"
                    for index, head in enumerate(described, 1)
                ],
            )
            lines += [f"![{title}]({picture})", ""]
    return lines
