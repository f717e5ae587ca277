"""Classify a text with an exported model: `python classify.py FILE.tflite "a line"`.

It needs numpy, ai-edge-litert and the programs beside it; README.md beside this file
describes the format. Without a text, it reads lines from standard input. A line of
output has the label, its probability and the text, with the words that the model looked
at most in brackets.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

if __package__:
    from .card import CLASSIFIER
    from .command import Command, json_line, read_lines, visible
    from .model_file import Model
    from .words import encode_words, split_words
else:  # copied: beside one another
    from card import CLASSIFIER  # type: ignore[no-redef]
    from command import Command, json_line, read_lines, visible  # type: ignore[no-redef]
    from model_file import Model  # type: ignore[no-redef]
    from words import encode_words, split_words  # type: ignore[no-redef]

import numpy as np


class Answer(NamedTuple):
    """What a classifier says about a text.

    Attributes:
        label: of the most probable class, at a tie the first.
        probability: of that class, 0 to 1.
        words: the words that the model read, in lower case.
        weights: how much it looked at each, float32 (words,); they sum to 1.
    """

    label: str
    probability: float
    words: list[str]
    weights: np.ndarray


NO_ANSWER: dict[str, object] = {
    "label": None,
    "probability": None,
    "words": [],
    "weights": [],
}


class Classifier:
    """Classifies texts.

    Args:
        model: an opened file.

    Attributes:
        labels: the names of the classes.
        length: how many words of a text it reads.

    Raises:
        ValueError: it holds another kind of model, or does not match its card.
    """

    def __init__(self, model: Model) -> None:
        model.require(CLASSIFIER)
        self._words = model.vocabulary["words"]
        self.labels: list[str] = model.card["labels"]
        self.length: int = model.card["length"]
        self._run = model.signatures()["classify"]

    def classify(self, text: str) -> Answer:
        """Classify one text; words beyond `length` are left out.

        Raises:
            ValueError: the text has no words.
        """
        words = split_words(text)[: self.length]
        if not words:
            raise ValueError(f"there is no word in {text[:40]!r}; give a line of text")
        outputs = self._run(token_ids=encode_words(words, self._words, self.length))
        probabilities = outputs["probabilities"][0]
        best = int(probabilities.argmax())
        weights = outputs["weights"][0, : len(words)]
        return Answer(self.labels[best], float(probabilities[best]), words, weights)


def marked(words: Sequence[str], weights: np.ndarray) -> str:
    """The words, in brackets those with at least 3/4 of the largest weight."""
    least = 0.75 * weights.max()
    return " ".join(
        f"[{word}]" if weight >= least else word
        for word, weight in zip(words, weights, strict=True)
    )


def main(arguments: Sequence[str] | None = None, prog: str = "classify.py") -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    command = Command(
        prog=prog, description="Classify text with a model that kerasseq exported."
    )
    command.add_argument("file", help="a .tflite file of a classifier")
    command.add_argument(
        "text",
        nargs="?",
        help="to classify (default: each line of standard input)",
    )
    command.add_argument(
        "--json",
        action="store_true",
        help="print a line of JSON a text: label, probability, words and weights",
    )
    options = command.parse_intermixed_args(arguments)

    def answers() -> Iterator[str]:
        classifier = Classifier(Model(options.file))
        for text in read_lines() if options.text is None else [options.text]:
            count = len(split_words(text))
            if not count and options.text is None:
                # So that output and input stay in step.
                yield json_line(NO_ANSWER) if options.json else "\n"
                continue
            answer = classifier.classify(text)
            if count > classifier.length:
                command.say(f"read the first {classifier.length} of {count} words")
            if options.json:
                weights = answer.weights.tolist()
                yield json_line(answer._replace(weights=weights)._asdict())
            else:
                shown = marked(answer.words, answer.weights)
                label, words = visible(answer.label), visible(shown)
                yield f"{label}\t{answer.probability:.3f}\t{words}\n"

    return command.run(answers())


if __name__ == "__main__":
    sys.exit(main())
