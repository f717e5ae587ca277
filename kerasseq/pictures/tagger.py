"""Sentences with coloured entities, for a terminal and as a page; scores as bars."""

import html
import os
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from kerasseq.data.tagged import TaggedSentence
from kerasseq.files.writing import write_file
from kerasseq.on_device.command import visible
from kerasseq.pictures.drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    TEXT,
    abridged,
    drawable,
    figure_with_panels,
    installed_fonts,
    legend_below,
    set_title,
    write_figure,
)
from kerasseq.scores.entities import EntityScore, can_be_judged
from kerasseq.text.tags import find_entities

# ANSI codes of a terminal's colours. Red is left for errors.
COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)
# Groups of bars. A picture has at most 65,535 rows of pixels.
MOST_BARS = 100
# Hues of a page in degrees, far apart.
HUES = (210, 30, 285, 140, 340, 180, 55, 250, 95, 5)

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1f2328; --dim: #59636e; --paper: #fff;
  --line: #d9dee3; --back: 91%; --letters: 24%; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e6e8ea; --dim: #a0a8b0; --paper: #16191d; --line: #343a41;
    --back: 24%; --letters: 86%; }}
}}
body {{ margin: 0 auto; padding: 1rem; max-width: 44rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.75 system-ui, sans-serif; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.25rem; line-height: 1.3; margin: 0 0 .5rem; }}
p {{ margin: 0; padding: .6rem 0; border-top: 1px solid var(--line); }}
p.about {{ color: var(--dim); border: 0; padding: 0 0 .6rem; line-height: 1.5; }}
small {{ display: block; color: var(--dim); font-size: .875rem; }}
mark {{ padding: .1em .3em; border-radius: .3em; color: var(--ink);
  background: hsl(var(--hue) 60% var(--back)); -webkit-box-decoration-break: clone;
  box-decoration-break: clone; }}
mark b {{ font-size: .75rem; font-weight: 600; margin-left: .35em; white-space: nowrap;
  color: hsl(var(--hue) 60% var(--letters)); }}
{hues}
</style>
<h1>{title}</h1>
<p class="about">{about}</p>
{sentences}
</html>
"""


def colour_entities(
    sentence: TaggedSentence, kinds: Sequence[str], terminal: bool
) -> str:
    """A sentence as a line of text, each entity in the colour of its kind.

    Args:
        sentence: tokens and tags.
        kinds: all kinds; their order decides the colours.
        terminal: whether a terminal shows it. Otherwise, or if the environment variable
            NO_COLOR is set (no-color.org), entities are in brackets.

    Example:
        >>> sentence = TaggedSentence(("in", "New", "York"), ("O", "B-city", "I-city"))
        >>> colour_entities(sentence, ["city"], terminal=False)
        'in [New York city]'
    """
    words = list(map(visible, sentence.tokens))
    for start, end, kind in reversed(find_entities(sentence.tags)):
        name, shown = " ".join(words[start:end]), visible(kind)
        if terminal and not os.environ.get("NO_COLOR"):
            colour = COLOURS[kinds.index(kind) % len(COLOURS)]
            words[start:end] = [f"\x1b[{colour};1m{name}\x1b[22m {shown}\x1b[0m"]
        else:
            words[start:end] = [f"[{name} {shown}]"]
    return " ".join(words)


def write_entity_page(
    path: str | os.PathLike,
    sentences: Sequence[tuple[TaggedSentence, Sequence[str]]],
    kinds: Sequence[str],
    title: str,
) -> Path:
    """Write a page of sentences with coloured entities, all in one file.

    Args:
        path: of the page.
        sentences: each with its actual tags, and its predicted tags. Predicted entities
            are coloured; the actual ones follow in small print if they differ.
        kinds: all kinds; their order decides the colours.
        title: of the page.
    """
    rows = []
    for sentence, tags in sentences:
        row = _marked(TaggedSentence(sentence.tokens, tuple(tags)), kinds)
        if list(tags) != list(sentence.tags):
            marked = [
                _mark(" ".join(sentence.tokens[start:end]), kind, kinds)
                for start, end, kind in find_entities(sentence.tags)
            ]
            row += f"<small>in the file: {', '.join(marked) or 'none'}</small>"
        rows.append(f"<p>{row}</p>")
    wrong = sum("<small>" in row for row in rows)
    return write_file(
        path,
        PAGE.format(
            title=_escaped(title),
            about=f"{len(rows)} held-out sentences. In {wrong} of them the entities "
            "differ from the file's, which are listed below.",
            hues="\n".join(
                f".k{index} {{ --hue: {hue}; }}" for index, hue in enumerate(HUES)
            ),
            sentences="\n".join(rows),
        ),
    )


def _marked(sentence: TaggedSentence, kinds: Sequence[str]) -> str:
    words = [_escaped(token) for token in sentence.tokens]
    for start, end, kind in reversed(find_entities(sentence.tags)):
        name = " ".join(sentence.tokens[start:end])
        words[start:end] = [_mark(name, kind, kinds)]
    return " ".join(words)


def _mark(name: str, kind: str, kinds: Sequence[str]) -> str:
    hue = kinds.index(kind) % len(HUES)
    return f'<mark class="k{hue}">{_escaped(name)}<b>{_escaped(kind)}</b></mark>'


def _escaped(text: str) -> str:
    return html.escape(visible(text))


def score_rows(scores: Mapping[str, EntityScore]) -> list[dict[str, Any]]:
    """Scores as rows of a table, without those of kinds with too few entities."""
    return [
        {
            "entities": kind,
            **(
                {
                    "precision": score.precision,
                    "recall": score.recall,
                    "F1": score.f1,
                }
                if can_be_judged(kind, score)
                else dict.fromkeys(("precision", "recall", "F1"), "too few to judge")
            ),
            "in the file": score.actual,
            "found": score.predicted,
            "right": score.correct,
        }
        for kind, score in scores.items()
    ]


def plot_scores(
    scores: Mapping[str, Mapping[str, float]], path: str | os.PathLike, title: str
) -> Figure:
    """Draw scores of several methods as bars, one group below the other.

    Args:
        scores: for each of at most three methods its scores, 0 to 1, by name; a missing
            one counts as 0.
        path: of the picture, in the format that its suffix names.
        title: over the bars.
    """
    names = list(dict.fromkeys(name for method in scores.values() for name in method))
    if len(names) > MOST_BARS:
        title = f"{title}: the first {MOST_BARS} of {len(names):,} kinds"
        names = names[:MOST_BARS]
    figure, axes = figure_with_panels(0.5 + 0.28 * len(names) * len(scores) + 1.2)
    thickness = 0.8 / len(scores)
    for index, (method, values) in enumerate(scores.items()):
        centres = np.arange(len(names)) + thickness * (index - (len(scores) - 1) / 2)
        bars = axes.barh(
            centres,
            [values.get(name, 0.0) for name in names],
            0.92 * thickness,
            color=(BLUE, GREY, ORANGE)[index],
            label=drawable(method),
        )
        axes.bar_label(bars, fmt="%.3f", fontsize=TEXT, color=INK, padding=3)
    axes.set_yticks(
        range(len(names)),
        [abridged(drawable(name), 24) for name in names],
        fontfamily=installed_fonts(),
        parse_math=False,
    )
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color="#e3e7eb")
    axes.set_xlim(0, 1.09)  # room for the number of a full bar
    axes.set_xlabel("fraction")
    set_title(axes, textwrap.fill(drawable(title), 60))
    legend_below(figure, axes.get_legend_handles_labels()[0])
    return write_figure(figure, path)
