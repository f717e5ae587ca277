"""Encode a sentence with an exported model: `python encode.py FILE.tflite "Hello"`.

It needs numpy, ai-edge-litert and the programs beside it; README.md beside this file
describes the format. It prints the vector of each word, shortened, and which words each
word attends to most; `--json` prints everything. Without a text, it reads lines from
standard input.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

if __package__:
    from .card import ENCODER
    from .command import Command, json_line, read_lines, visible
    from .model_file import Model
    from .words import Word, divide, encode_words, lower_case
else:  # copied: beside one another
    from card import ENCODER  # type: ignore[no-redef]
    from command import Command, json_line, read_lines, visible  # type: ignore[no-redef]
    from model_file import Model  # type: ignore[no-redef]
    from words import Word, divide, encode_words, lower_case  # type: ignore[no-redef]

import numpy as np

# Numbers of a vector, and attended words, in a row of the table.
SHOWN_NUMBERS = 6
SHOWN_WORDS = 3
LONGEST_WORD = 14


class Encoding(NamedTuple):
    """A sentence as an encoder sees it: T words, C model size, N blocks, H heads.

    Attributes:
        tokens: the words and signs that the model read, in lower case.
        offsets: of each the index of its first character (code point) in the text, and
            that after its last.
        embeddings: the words in their context, float32 (T, C).
        weights: how much each word attends to each, float32 (N, H, T, T); rows sum
            to 1.
    """

    tokens: list[str]
    offsets: list[tuple[int, int]]
    embeddings: np.ndarray
    weights: np.ndarray


class Encoder:
    """Encodes sentences.

    Args:
        model: an opened file.

    Attributes:
        length: how many words of a sentence it reads.

    Raises:
        ValueError: it holds another kind of model, or does not match its card.
    """

    def __init__(self, model: Model) -> None:
        model.require(ENCODER)
        self._words = model.vocabulary["words"]
        self.length: int = model.card["length"]
        self._run = model.signatures()["encode"]

    def encode(self, text: str) -> Encoding:
        """Encode one sentence; words beyond `length` are left out."""
        return self.encode_divided(divide(text))

    def encode_divided(self, found: Sequence[Word]) -> Encoding:
        """Encode a sentence that is divided already."""
        found = found[: self.length]
        tokens = [lower_case(word.text) for word in found]
        outputs = self._run(token_ids=encode_words(tokens, self._words, self.length))
        words = slice(len(tokens))
        return Encoding(
            tokens,
            [(word.start, word.end) for word in found],
            outputs["embeddings"][0, words],
            outputs["weights"][0, ..., words, words],
        )


def table(encoding: Encoding) -> str:
    """Vectors and attention in rows that fit a terminal."""
    tokens, _, embeddings, weights = encoding
    names = [
        f"{number:3} {visible(word)[:LONGEST_WORD]}"
        for number, word in enumerate(tokens, 1)
    ]
    width = max(map(len, names), default=0)
    size = embeddings.shape[1]
    lines = [f"vectors of {size} numbers"]
    for name, vector in zip(names, embeddings, strict=True):
        numbers = "".join(f"{number:7.2f}" for number in vector[:SHOWN_NUMBERS])
        lines.append(f"{name:{width}}{numbers}{' ...' * (size > SHOWN_NUMBERS)}")
    blocks, heads = weights.shape[:2]
    for block, mean in enumerate(weights.mean(axis=1), 1):
        lines += ["", f"attention in block {block} of {blocks}, mean of {heads} heads"]
        for name, row in zip(names, mean, strict=True):
            best = np.argsort(-row, kind="stable")[:SHOWN_WORDS]
            others = "".join(f"  {row[s]:.2f} {names[s]:{width}}" for s in best)
            lines.append(f"{name:{width}} ->{others}".rstrip())
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None, prog: str = "encode.py") -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    command = Command(
        prog=prog,
        description="Print the vectors of a sentence and which words attend to which, "
        "with a model that kerasseq exported.",
    )
    command.add_argument("file", help="a .tflite file of an encoder")
    command.add_argument(
        "text", nargs="?", help="to encode (default: each line of standard input)"
    )
    command.add_argument(
        "--json",
        action="store_true",
        help="print a line of JSON a sentence: tokens, offsets, embeddings and weights",
    )
    options = command.parse_intermixed_args(arguments)

    def answers() -> Iterator[str]:
        encoder = Encoder(Model(options.file))
        for text in read_lines() if options.text is None else [options.text]:
            found = divide(text)
            if not found and options.text is not None:
                raise ValueError(f"there is no word in {text[:40]!r}; give a sentence")
            if len(found) > encoder.length:
                command.say(f"read the first {encoder.length} of {len(found)} words")
            encoding = encoder.encode_divided(found)
            if options.json:
                yield json_line(
                    {
                        "tokens": encoding.tokens,
                        "offsets": encoding.offsets,
                        "embeddings": encoding.embeddings.tolist(),
                        "weights": encoding.weights.tolist(),
                    }
                )
            else:
                end = "" if options.text else "\n"
                yield (table(encoding) if found else "") + end

    return command.run(answers())


if __name__ == "__main__":
    sys.exit(main())
