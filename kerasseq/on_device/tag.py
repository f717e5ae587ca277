"""Tag names with an exported model: `python tag.py FILE.tflite "A sentence"`.

It needs numpy, ai-edge-litert and the programs beside it; README.md beside this file
describes the format. Without sentences, it reads lines from standard input.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

if __package__:
    from .card import TAGGER
    from .command import Command, is_terminal, json_line, mark, read_lines, visible
    from .model_file import Model
    from .words import UNKNOWN, Word, divide, lower_case, spell
else:  # copied: beside one another
    from card import TAGGER  # type: ignore[no-redef]
    from command import Command, is_terminal, json_line, mark, read_lines, visible  # type: ignore[no-redef]
    from model_file import Model  # type: ignore[no-redef]
    from words import UNKNOWN, Word, divide, lower_case, spell  # type: ignore[no-redef]

import numpy as np

COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)
PADDING = 0


class Entity(NamedTuple):
    """A name in a text.

    Attributes:
        kind: of what it is the name.
        text: as it was typed.
        start: the index of its first character (code point) in the text.
        end: the index after its last.
    """

    kind: str
    text: str
    start: int
    end: int


class Tagger:
    """Tags the tokens of sentences.

    Args:
        model: an opened file.

    Attributes:
        tags: the names of all tags.
        length: how many tokens the model reads at once.
        num_letters: how many bytes of a token it reads.

    Raises:
        ValueError: it holds another kind of model, or does not match its card.
    """

    def __init__(self, model: Model) -> None:
        model.require(TAGGER)
        self.tags: list[str] = model.card["tags"]
        self.length: int = model.card["length"]
        self.num_letters: int = model.card["num_letters"]
        self._run = model.signatures()["tag"]
        words = model.vocabulary["words"]
        self._ids = {word: index for index, word in enumerate(words)}

    def tag(self, text: str) -> list[tuple[str, str]]:
        """The words and signs of a sentence, each with its tag."""
        tokens = [word.text for word in divide(text)]
        return list(zip(tokens, self.tag_tokens(tokens), strict=True))

    def find(self, text: str) -> list[Entity]:
        """The names in a sentence."""
        words = divide(text)
        return entities(text, words, self.tag_tokens([word.text for word in words]))

    def tag_tokens(self, tokens: Sequence[str]) -> list[str]:
        """A tag for each token.

        More tokens than the model reads at once are tagged in chunks; an entity across
        a boundary starts again with a `B` tag.
        """
        tags: list[str] = []
        for start in range(0, len(tokens), self.length):
            chunk = tokens[start : start + self.length]
            inputs = encode_tokens(chunk, self._ids, self.length, self.num_letters)
            found = self._run(**inputs)["tags"][0]
            tags += [self.tags[index] for index in found[: len(chunk)]]
        return tags


def encode_tokens(
    tokens: Sequence[str], ids: Mapping[str, int], length: int, num_letters: int
) -> dict[str, np.ndarray]:
    """The model's inputs for a sentence of at most `length` tokens.

    Returns:
        word_ids int32 (1, T) and letters int32 (1, T, L).
    """
    word_ids = np.full((1, length), PADDING, np.int32)
    letters = np.zeros((1, length, num_letters), np.int32)
    for index, token in enumerate(tokens):
        word_ids[0, index] = ids.get(lower_case(token), UNKNOWN)
    letters[0, : len(tokens)] = spell(tokens, num_letters)
    return {"word_ids": word_ids, "letters": letters}


def entities(text: str, words: Sequence[Word], tags: Sequence[str]) -> list[Entity]:
    """The entities of a text whose words have tags."""
    spans: list[tuple[str, int, int]] = []
    for word, tag in zip(words, tags, strict=True):
        if tag.startswith("I-") and spans:
            kind, start, _ = spans.pop()
            spans.append((kind, start, word.end))
        elif tag.startswith("B-"):
            spans.append((tag[2:], word.start, word.end))
    return [Entity(kind, text[start:end], start, end) for kind, start, end in spans]


def show(
    text: str, found: Sequence[Entity], kinds: Sequence[str], coloured: bool
) -> str:
    """A text on a line, each entity and its kind in colour, or else in brackets."""
    marks = []
    for kind, _, start, end in found:
        colour = COLOURS[kinds.index(kind) % len(COLOURS)]
        before = f"\x1b[{colour};1m" if coloured else "["
        after = f"\x1b[22m {visible(kind)}\x1b[0m" if coloured else f" {visible(kind)}]"
        marks.append((start, end, before, after))
    return mark(text, marks)


def main(arguments: Sequence[str] | None = None, prog: str = "tag.py") -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    command = Command(
        prog=prog, description="Tag names with a model that kerasseq exported."
    )
    command.add_argument("file", help="a .tflite file of a tagger")
    command.add_argument(
        "sentences", nargs="*", help="(default: the lines of standard input)"
    )
    command.add_argument(
        "--json",
        action="store_true",
        help="print a line of JSON each: tokens, tags and offsets, and the entities",
    )
    options = command.parse_intermixed_args(arguments)
    coloured = is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")

    def lines() -> Iterator[str]:
        tagger = Tagger(Model(options.file))
        kinds = sorted({tag[2:] for tag in tagger.tags if tag[2:]})
        for sentence in options.sentences or read_lines():
            words = divide(sentence)
            tokens = [word.text for word in words]
            tags = tagger.tag_tokens(tokens)
            found = entities(sentence, words, tags)
            if options.json:
                yield json_line(
                    {
                        "tokens": tokens,
                        "tags": tags,
                        "offsets": [(word.start, word.end) for word in words],
                        "entities": [entity._asdict() for entity in found],
                    }
                )
            else:
                yield show(sentence, found, kinds, coloured) + "\n"

    return command.run(lines())


if __name__ == "__main__":
    sys.exit(main())
