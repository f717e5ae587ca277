"""A classifier's answers for held-out sentences, as a table and as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerasseq.pictures.classifier import WeightedWords, plot_weighted_words
from kerasseq.pictures.drawing import abridged
from kerasseq.text.words import split_words

DRAWN_SENTENCES = 8
LONGEST = 60  # characters of a label


class Answer(NamedTuple):
    """A classifier's answer for a sentence, and the correct one."""

    sentence: str
    label: str
    predicted: str
    probability: float
    weights: np.ndarray

    @property
    def heading(self) -> str:
        """The answer in words, long names cut."""
        answer = f"{abridged(self.predicted, LONGEST)}, {self.probability:.2f}"
        if self.predicted == self.label:
            return f"right: {answer}"
        return f"wrong: {answer}; it is {abridged(self.label, LONGEST)}"


def answer_table(answers: Sequence[Answer]) -> str:
    """Answers as a table of tab-separated columns with a line of names."""
    rows = [("label", "predicted", "probability", "sentence")]
    rows += [
        (each.label, each.predicted, f"{each.probability:.4f}", each.sentence)
        for each in answers
    ]
    return "".join("\t".join(row) + "\n" for row in rows)


def draw_answers(answers: Sequence[Answer], path: Path) -> None:
    """Draw what the model attends to in some right and some wrong answers."""
    chosen = []
    for right in (True, False):
        group = [each for each in answers if (each.predicted == each.label) == right]
        # At even distances, since a file may be in the order of its classes.
        chosen += group[:: -(-len(group) // (DRAWN_SENTENCES // 2)) or 1]
    texts = [
        WeightedWords(
            each.heading, split_words(each.sentence)[: len(each.weights)], each.weights
        )
        for each in chosen
    ]
    plot_weighted_words(texts, path, "What the model attends to")
