"""Tag names with an exported model: `python tag.py FILE.tflite "A sentence"`.

It needs numpy and ai-edge-litert, nothing else; what a `.tflite` speaks is in README.md
beside this file. Without sentences on the command line it reads them from standard
input, one a line. Tokens are parted at white space.
"""

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

if __package__:
    from .generate import Model, OneLineParser, read_lines
else:  # copied: beside one another
    from generate import Model, OneLineParser, read_lines  # type: ignore[no-redef]

TAGGER = "tagger"
COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)
PADDING, UNKNOWN = 0, 1


class Tagger:
    """An exported tagger.

    Args:
        path: a `.tflite` of this project.

    Raises:
        ValueError: the file is missing, damaged, or holds no tagger.
    """

    def __init__(self, path: str) -> None:
        model = Model(path)
        if model.kind != TAGGER:
            raise ValueError(
                f"{path} holds a {model.kind}, which tags nothing; show.py tells how "
                "to call it"
            )
        try:
            self.tags = [str(tag) for tag in model.card["tags"]]
            self.length = int(model.card["length"])
            self.num_letters = int(model.card["num_letters"])
            words = model.vocabulary["words"]
            self._run: Any = model.signatures()["tag"]
            shape = self._run.get_input_details()["letters"]["shape"].tolist()
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} lacks what a tagger has ({error}); export it again"
            ) from None
        if shape != [1, self.length, self.num_letters]:
            raise ValueError(
                f"{path} reads letters of shape {shape}, where its card says "
                f"{[1, self.length, self.num_letters]}; export it again"
            )
        self._ids = {word: index for index, word in enumerate(words)}

    def tag(self, tokens: Sequence[str]) -> list[str]:
        """A tag for each token; more than the model reads at once are read in parts."""
        tags: list[str] = []
        for start in range(0, len(tokens), self.length):
            part = tokens[start : start + self.length]
            inputs = encode_tokens(part, self._ids, self.length, self.num_letters)
            found = self._run(**inputs)["tags"][0]
            tags += [self.tags[index] for index in found[: len(part)]]
        return tags


def encode_tokens(
    tokens: Sequence[str], ids: Mapping[str, int], length: int, num_letters: int
) -> dict[str, np.ndarray]:
    """What the model reads of a sentence of at most `length` tokens.

    Returns:
        word_ids int32 (1, T) and letters int32 (1, T, L).
    """
    word_ids = np.full((1, length), PADDING, np.int32)
    letters = np.zeros((1, length, num_letters), np.int32)
    for place, token in enumerate(tokens):
        word = "".join(character.lower() for character in token)
        word_ids[0, place] = ids.get(word, UNKNOWN)
        spelling = token.encode("utf-8", "replace")[:num_letters]
        letters[0, place, : len(spelling)] = list(spelling)
    return {"word_ids": word_ids, "letters": letters}


def split_tokens(sentence: str) -> list[str]:
    """The tokens of a sentence, parted at ASCII white space."""
    return re.findall("[^ \t\n\v\f\r]+", sentence)


def show(
    tokens: Sequence[str], tags: Sequence[str], kinds: Sequence[str], coloured: bool
) -> str:
    """A line of text with each entity coloured, or else in brackets, and its kind."""
    groups: list[tuple[str, list[str]]] = []
    for token, tag in zip(tokens, tags, strict=True):
        # What a sentence in parts cuts in two goes on in the next part as a B.
        if tag.startswith("I-") and groups:
            groups[-1][1].append(token)
        else:
            groups.append((tag[2:], [token]))
    words = []
    for kind, group in groups:
        name = " ".join(group)
        if kind and coloured:
            colour = COLOURS[kinds.index(kind) % len(COLOURS)]
            name = f"\x1b[{colour};1m{name}\x1b[22m {kind}\x1b[0m"
        elif kind:
            name = f"[{name} {kind}]"
        words.append(name)
    return " ".join(words)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code."""
    parser = OneLineParser(
        prog="tag.py", description="Tag names with a model that kerasseq exported."
    )
    parser.add_argument("file", help="a .tflite file of a tagger")
    parser.add_argument(
        "sentences", nargs="*", help="(default: the lines of standard input)"
    )
    options = parser.parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    try:
        tagger = Tagger(options.file)
        kinds = sorted({tag[2:] for tag in tagger.tags if tag[2:]})
        lines: Iterable[str] = options.sentences or read_lines()
        for line in lines:
            tokens = split_tokens(line)
            print(show(tokens, tagger.tag(tokens), kinds, coloured), flush=True)
    except ValueError as error:
        print(f"tag.py: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever reads has enough; nothing more can be written, also not at exit.
        sys.stdout = None
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
