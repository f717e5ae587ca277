"""Tag names with an exported model: `python tag.py FILE.tflite "A sentence"`.

It needs numpy, ai-edge-litert and the programs beside it; README.md beside this file
describes the format. Without sentences, it reads lines from standard input. Tokens are
split at whitespace.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence

if __package__:
    from .card import TAGGER
    from .command import Command, is_terminal, json_line, read_lines, visible
    from .model_file import Model
else:  # copied: beside one another
    from card import TAGGER  # type: ignore[no-redef]
    from command import Command, is_terminal, json_line, read_lines, visible  # type: ignore[no-redef]
    from model_file import Model  # type: ignore[no-redef]

import numpy as np

COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)
PADDING, UNKNOWN = 0, 1


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
        """The tokens of a sentence, each with its tag."""
        tokens = split_tokens(text)
        return list(zip(tokens, self.tag_tokens(tokens), strict=True))

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
        word = "".join(character.lower() for character in token)
        word_ids[0, index] = ids.get(word, UNKNOWN)
        spelling = token.encode("utf-8", "replace")[:num_letters]
        letters[0, index, : len(spelling)] = list(spelling)
    return {"word_ids": word_ids, "letters": letters}


def split_tokens(sentence: str) -> list[str]:
    """The tokens of a sentence, split at ASCII whitespace only."""
    return re.findall("[^ \t\n\v\f\r]+", sentence)


def show(
    tokens: Sequence[str], tags: Sequence[str], kinds: Sequence[str], coloured: bool
) -> str:
    """A line of text with each entity and its kind in colour, or else in brackets."""
    groups: list[tuple[str, list[str]]] = []
    for token, tag in zip(tokens, tags, strict=True):
        if tag.startswith("I-") and groups:
            groups[-1][1].append(token)
        else:
            groups.append((tag[2:], [token]))
    words = []
    for kind, group in groups:
        name, shown = visible(" ".join(group)), visible(kind)
        if kind and coloured:
            colour = COLOURS[kinds.index(kind) % len(COLOURS)]
            name = f"\x1b[{colour};1m{name}\x1b[22m {shown}\x1b[0m"
        elif kind:
            name = f"[{name} {shown}]"
        words.append(name)
    return " ".join(words)


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
        "--json", action="store_true", help="print a line of JSON each: tokens and tags"
    )
    options = command.parse_intermixed_args(arguments)
    coloured = is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")

    def lines() -> Iterator[str]:
        tagger = Tagger(Model(options.file))
        kinds = sorted({tag[2:] for tag in tagger.tags if tag[2:]})
        for sentence in options.sentences or read_lines():
            tokens = split_tokens(sentence)
            tags = tagger.tag_tokens(tokens)
            if options.json:
                yield json_line({"tokens": tokens, "tags": tags})
            else:
                yield show(tokens, tags, kinds, coloured) + "\n"

    return command.run(lines())


if __name__ == "__main__":
    sys.exit(main())
