"""Tell what a line of text is: `python classify.py FILE.tflite "a line of text"`.

Without a text it classifies each line of standard input. It needs numpy and
ai-edge-litert, nothing else. A line of output has the label, its probability and the
text, in which the words that the model looked at most stand in brackets.
"""

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

if __package__:
    from .generate import Model, OneLineParser, read_lines
    from .words import encode_words, split_words
else:  # copied: beside one another
    from generate import Model, OneLineParser, read_lines  # type: ignore[no-redef]
    from words import encode_words, split_words  # type: ignore[no-redef]

CLASSIFIER = "classifier"


class Answer(NamedTuple):
    """What a model says of a text.

    Attributes:
        label: the likeliest class's name, of equally likely ones the first.
        probability: of that class, 0 to 1.
        words: the text's words in lower case, as many as the model read.
        weights: how much it looked at each, float32 (words,), together 1.
    """

    label: str
    probability: float
    words: list[str]
    weights: np.ndarray


class Classifier:
    """A model that tells what a text is.

    Args:
        path: a `.tflite` of a classifier.

    Attributes:
        length: how many words it reads; those after them are left out.

    Raises:
        ValueError: the file is missing, damaged, or holds no classifier.
    """

    def __init__(self, path: str) -> None:
        model = Model(path)
        if model.kind != CLASSIFIER:
            raise ValueError(
                f"{path} holds a {model.kind}, which has no classes; show.py tells "
                "how to call it"
            )
        self._words = model.vocabulary.get("words", [])
        self._labels = model.card.get("labels")
        self.length = model.card.get("length")
        self._run: Any = model.signatures().get("classify")
        if not self._run or not self._fits():
            raise ValueError(
                f"{path} has a model that does not fit its card; export it again"
            )

    def _fits(self) -> bool:
        """Whether words, labels and shapes belong together."""
        if not isinstance(self._labels, list) or not self._words:
            return False
        inputs, outputs = self._run.get_input_details(), self._run.get_output_details()
        found = {
            name: tuple(map(int, detail["shape"]))
            for name, detail in (*inputs.items(), *outputs.items())
        }
        return found == {
            "token_ids": (1, self.length),
            "probabilities": (1, len(self._labels)),
            "weights": (1, self.length),
        }

    def __call__(self, text: str) -> Answer:
        """Classify one text.

        Raises:
            ValueError: it holds no word.
        """
        words = split_words(text)[: self.length]
        if not words:
            raise ValueError(f"there is no word in {text[:40]!r}; give a line of text")
        token_ids = encode_words(words, self._words, self.length)
        outputs = self._run(token_ids=token_ids)
        probabilities = outputs["probabilities"][0]
        best = int(probabilities.argmax())
        weights = outputs["weights"][0, : len(words)]
        return Answer(self._labels[best], float(probabilities[best]), words, weights)


def marked(words: Sequence[str], weights: np.ndarray) -> str:
    """The words, in brackets those with at least 3/4 of the largest weight."""
    least = 0.75 * weights.max()
    return " ".join(
        f"[{word}]" if weight >= least else word
        for word, weight in zip(words, weights, strict=True)
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code."""
    parser = OneLineParser(
        prog="classify.py",
        description="Tell what a line of text is, with a model that kerasseq exported.",
    )
    parser.add_argument("file", help="a .tflite file of a classifier")
    parser.add_argument(
        "text",
        nargs="?",
        help="to classify (default: each line of standard input)",
    )
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        classify = Classifier(options.file)
        if options.text is not None:
            print(line_of(classify, options.text))
            return 0
        for text in read_lines():
            # An empty line answers one without words, so that lines stay in step.
            print(line_of(classify, text) if split_words(text) else "", flush=True)
    except ValueError as error:
        print(f"classify.py: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever reads has enough; nothing more can be written, also not at exit.
        sys.stdout = None
    except KeyboardInterrupt:
        return 130
    return 0


def line_of(classify: Classifier, text: str) -> str:
    """Label, probability and the text with its marks, parted by tabs."""
    answer = classify(text)
    if (count := len(split_words(text))) > classify.length:
        print(
            f"classify.py: read the first {classify.length} of {count} words",
            file=sys.stderr,
        )
    shown = marked(answer.words, answer.weights)
    return f"{answer.label}\t{answer.probability:.3f}\t{shown}"


if __name__ == "__main__":
    sys.exit(main())
