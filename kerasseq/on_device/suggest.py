"""Suggest words with an exported model: `python suggest.py FILE.tflite "The king of "`.

It needs numpy, ai-edge-litert and the programs beside it; README.md beside this file
describes the format. Without a text, it reads lines from standard input. `Keyboard` is
what an app copies.
"""

import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import takewhile

if __package__:
    from .card import WORDS
    from .command import Command, json_line, read_lines, visible
    from .model_file import Model
    from .words import SENTENCE_ENDS, divide, lower_case, number_words
else:  # copied: beside one another
    from card import WORDS  # type: ignore[no-redef]
    from command import Command, json_line, read_lines, visible  # type: ignore[no-redef]
    from model_file import Model  # type: ignore[no-redef]
    from words import (  # type: ignore[no-redef]
        SENTENCE_ENDS,
        divide,
        lower_case,
        number_words,
    )

import numpy as np

MOST = 1000
# How many of the last words have their states kept.
REMEMBERED = 1000


class Keyboard:
    """Suggests words at the end of a text.

    It remembers what it has read: one more letter costs no step of the model, one more
    or one fewer word costs one step, and another text costs one step for each word
    after the beginning that both texts share. Of a text of more than 1,000 words, it
    remembers the last 1,000. Several threads may use it.

    Args:
        model: an opened file.

    Raises:
        ValueError: it holds another kind of model, or does not match its card.
    """

    def __init__(self, model: Model) -> None:
        model.require(WORDS)
        self._words = model.vocabulary["words"]
        first = model.card["first_word"]
        self._step = model.signatures()["step"]
        # Files from before there were words of one's own have no ids for them.
        self._most_own = model.card.get("own_words", 0)
        lower_cased = [lower_case(word) for word in self._words]
        self._ids = {word: id for id, word in enumerate(lower_cased)}
        offered = sorted(range(first, len(self._words)), key=lower_cased.__getitem__)
        self._offered = np.array(offered)
        self._beginnings = [lower_cased[id] for id in offered]
        states = {
            name: np.zeros(shape, np.float32)
            for name, shape in model.state_shapes().items()
        }
        # What was read last, the states by how many words were read, and the logits.
        # It is replaced whole, so that neither threads nor Ctrl-C can mix two texts.
        self._memory: tuple[list[int], dict[int, dict], np.ndarray]
        self._memory = [], {0: states}, np.zeros(0, np.float32)

    def suggest(self, text: str, k: int = 3) -> list[tuple[str, float]]:
        """The likeliest words at the end of a text.

        Args:
            text: after a space or a punctuation mark, the next word is suggested;
                otherwise words that start with the unfinished one.
            k: how many words at most, 1 or more.

        Returns:
            The words, likeliest first, each with its probability among the words that
            start so; an empty list where neither the model nor the text has such a
            word.

        Raises:
            ValueError: k is less than 1.
        """
        if k < 1:
            raise ValueError(f"k={k}: give 1 or more")
        # With a letter added, the text always ends in an unfinished word.
        *words, last = divide(text + "x")
        unfinished = last.text[:-1]
        before = [word.text for word in words]
        # A text starts as if after a full stop.
        read, own = number_words(
            [".", *before], self._ids, len(self._words), self._most_own
        )
        logits = self._read_words(read)
        beginning = lower_case(unfinished)
        here = slice(
            bisect_left(self._beginnings, beginning),
            bisect_left(self._beginnings, beginning + "\U0010ffff"),
        )
        ids = np.sort(self._offered[here])
        fits = [id for id in own if lower_case(own[id]).startswith(beginning)]
        ids = np.append(ids, np.array(sorted(fits), ids.dtype))
        if not ids.size:
            return []
        logits = logits[ids]
        with np.errstate(invalid="ignore"):  # a model that has gone wrong
            weights = np.exp(logits - logits.max(), dtype=np.float64)
        # The k largest and what equals them, in order; at a tie the lower id first.
        bar = np.partition(logits, -min(k, ids.size))[-min(k, ids.size)]
        best = np.flatnonzero(logits >= bar)
        best = best[np.argsort(-logits[best], kind="stable")][:k]
        total = weights.sum()
        starts = not before or before[-1] in SENTENCE_ENDS
        return [
            (
                with_capitals(
                    own[id] if id in own else self._words[id], unfinished, starts
                ),
                float(weights[i] / total),
            )
            for i, id in zip(best.tolist(), ids[best].tolist(), strict=True)
        ]

    def _read_words(self, ids: list[int]) -> np.ndarray:
        """The logits after a text, read from where it differs from the last one."""
        read, states, logits = self._memory
        if ids == read:
            return logits
        # Where words were deleted, the last one that is left is read again.
        pairs = zip(ids[:-1], read, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        start = same if same in states else 0
        states = {count: after for count, after in states.items() if count <= start}
        for count, id in enumerate(ids[start:], start + 1):
            token = np.array([id], np.int32)
            outputs = dict(self._step(token=token, **states[count - 1]))
            logits = outputs.pop("logits")[0]
            states[count] = outputs
            if count > REMEMBERED:
                states.pop(count - REMEMBERED, None)
        self._memory = ids, states, logits
        return logits


def with_capitals(word: str, unfinished: str, starts: bool) -> str:
    """A suggested word with the capitals that suit its position.

    Args:
        word: as the vocabulary has it.
        unfinished: the letters of it that are written so far.
        starts: whether it is the first word of a sentence.
    """
    capitals = [letter != letter.lower() for letter in unfinished]
    if len(capitals) > 1 and all(capitals):
        return word.upper()
    if capitals[0] if capitals else starts:
        return word[:1].upper() + word[1:]
    return word


def main(arguments: Sequence[str] | None = None, prog: str = "suggest.py") -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    command = Command(
        prog=prog, description="Suggest words with a model that kerasseq exported."
    )
    command.add_argument("file", help="a .tflite file of a next-word model")
    command.add_argument(
        "text",
        nargs="?",
        help="ends after a space or inside a word (default: each line of standard "
        "input)",
    )
    command.add_argument("-k", type=int, default=3, help="how many words (3)")
    command.add_argument(
        "--json",
        action="store_true",
        help="print a line of JSON a text: words and probabilities",
    )
    options = command.parse_intermixed_args(arguments)
    if not 1 <= options.k <= MOST:
        command.error(f"-k {options.k}: give 1 to {MOST}")

    def suggestions() -> Iterator[str]:
        keyboard = Keyboard(Model(options.file))
        for text in read_lines() if options.text is None else [options.text]:
            found = keyboard.suggest(text, options.k)
            if options.json:
                words, probabilities = zip(*found, strict=True) if found else ((), ())
                yield json_line({"words": words, "probabilities": probabilities})
            elif options.text is None:
                yield "  ".join(f"{visible(word)} {p:.3f}" for word, p in found) + "\n"
            else:
                yield "".join(f"{p:.3f} {visible(word)}\n" for word, p in found)

    return command.run(suggestions())


if __name__ == "__main__":
    sys.exit(main())
