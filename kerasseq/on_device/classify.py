"""Classify a text with an exported model: `python classify.py FILE.tflite "a line"`.

It needs numpy, ai-edge-litert and the programs beside it; README.md beside this file
describes the format. Without a text, it reads lines from standard input. A line of
output has the label, its probability and the text, with the words that the model looked
at most in brackets. Label and probability are empty where it knows none of the words
and their letters leave doubt.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

if __package__:
    from .card import CLASSIFIER
    from .command import Command, json_line, mark, read_lines, visible
    from .model_file import Model
    from .words import UNKNOWN, Word, divide, encode_words, lower_case, spell
else:  # copied: beside one another
    from card import CLASSIFIER  # type: ignore[no-redef]
    from command import Command, json_line, mark, read_lines, visible  # type: ignore[no-redef]
    from model_file import Model  # type: ignore[no-redef]
    from words import UNKNOWN, Word, divide, encode_words, lower_case, spell  # type: ignore[no-redef]

import numpy as np

# The least probability of a label that only the letters of unknown words support.
SURE = 0.9


class Answer(NamedTuple):
    """What a classifier says about a text.

    Attributes:
        label: of the most probable class, at a tie the first; None if the model knows
            none of the words and the probability is below 0.9.
        probability: of that class, 0 to 1, or None.
        words: the words and signs that the model read, in lower case.
        offsets: of each the index of its first character (code point) in the text, and
            that after its last.
        weights: how much it looked at each, float32 (words,); they sum to 1.
    """

    label: str | None
    probability: float | None
    words: list[str]
    offsets: list[tuple[int, int]]
    weights: np.ndarray


NO_ANSWER: dict[str, object] = {
    "label": None,
    "probability": None,
    "words": [],
    "offsets": [],
    "weights": [],
}


class Classifier:
    """Classifies texts.

    Args:
        model: an opened file.

    Attributes:
        labels: the names of the classes.
        length: how many words of a text it reads.
        num_letters: how many bytes of a word it reads.

    Raises:
        ValueError: it holds another kind of model, or does not match its card.
    """

    def __init__(self, model: Model) -> None:
        model.require(CLASSIFIER)
        self._words = model.vocabulary["words"]
        self.labels: list[str] = model.card["labels"]
        self.length: int = model.card["length"]
        self.num_letters: int = model.card["num_letters"]
        self._run = model.signatures()["classify"]

    def classify(self, text: str) -> Answer:
        """Classify one text; words beyond `length` are left out.

        Raises:
            ValueError: the text has no words.
        """
        return self.classify_divided(words_of(text))

    def classify_divided(self, found: Sequence[Word]) -> Answer:
        """Classify a text that is divided already into words, at least one."""
        found = found[: self.length]
        words = [lower_case(word.text) for word in found]
        offsets = [(word.start, word.end) for word in found]
        token_ids = encode_words(words, self._words, self.length)
        letters = np.zeros((1, self.length, self.num_letters), np.int32)
        letters[0, : len(found)] = spell(
            [word.text for word in found], self.num_letters
        )
        outputs = self._run(token_ids=token_ids, letters=letters)
        weights = outputs["weights"][0, : len(words)]
        probabilities = outputs["probabilities"][0]
        best = int(probabilities.argmax())
        probability = float(probabilities[best])
        if token_ids.max() <= UNKNOWN and probability < SURE:
            return Answer(None, None, words, offsets, weights)
        return Answer(self.labels[best], probability, words, offsets, weights)


def words_of(text: str) -> list[Word]:
    """The words of a text; refuses one without any."""
    found = divide(text)
    if not found:
        raise ValueError(f"there is no word in {text[:40]!r}; give a line of text")
    return found


def show(text: str, answer: Answer) -> str:
    """The text, in brackets its words with at least 3/4 of the largest weight."""
    pairs = zip(answer.offsets, answer.weights, strict=True)
    least = 0.75 * answer.weights.max()
    return mark(text, ((*span, "[", "]") for span, weight in pairs if weight >= least))


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
        help="print a line of JSON a text: label, probability, words, offsets, weights",
    )
    options = command.parse_intermixed_args(arguments)

    def answers() -> Iterator[str]:
        classifier = Classifier(Model(options.file))
        for text in read_lines() if options.text is None else [options.text]:
            found = divide(text) if options.text is None else words_of(text)
            if not found:
                # So that output and input stay in step.
                yield json_line(NO_ANSWER) if options.json else "\n"
                continue
            answer = classifier.classify_divided(found)
            if len(found) > classifier.length:
                command.say(f"read the first {classifier.length} of {len(found)} words")
            if options.json:
                weights = answer.weights.tolist()
                yield json_line(answer._replace(weights=weights)._asdict())
            elif answer.label is None:
                command.say("knows none of these words")
                yield f"\t\t{mark(text, ())}\n"
            else:
                label, shown = visible(answer.label), show(text, answer)
                yield f"{label}\t{answer.probability:.3f}\t{shown}\n"

    return command.run(answers())


if __name__ == "__main__":
    sys.exit(main())
