"""Suggest words with an exported model: `python suggest.py FILE.tflite "The king of "`.

It needs numpy and ai-edge-litert, nothing else; what a `.tflite` speaks is in README.md
beside this file. Without a text, each line of standard input is one. `Keyboard` is what
an app copies.
"""

import argparse
import re
import sys
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np

WORDS = "next-word model"
SIGNS = '!"#$%&()*+,./:;<=>?@[\\]^`{|}~…‘“”„«»–—¡¿'  # noqa: RUF001
SENTENCE_ENDS = (".", "!", "?", "…")
UNKNOWN = 1
MOST = 1000


class Keyboard:
    """Suggestions at the end of a text.

    What was read stays read: a letter more costs no step of the model, a word more or
    less one, and another text as many as it has words behind what it shares.

    Args:
        model: a `Model` of generate.py.

    Raises:
        ValueError: it is no next-word model, or not what its card says.
    """

    def __init__(self, model: Any) -> None:
        if model.kind != WORDS:
            raise ValueError(
                f"the file holds a {model.kind}, which suggests no words; show.py "
                "tells how to call it"
            )
        self._words = model.vocabulary.get("words", [])
        first = model.card.get("first_word")
        if type(first) is not int or not 0 <= first < len(self._words):
            raise ValueError(
                f"the card's first_word={first!r} is no id of {len(self._words)} "
                "words; export the model again"
            )
        self._step = model.signatures()["step"]
        lower_cased = [lower_case(word) for word in self._words]
        self._ids = {word: id for id, word in enumerate(lower_cased)}
        offered = sorted(range(first, len(self._words)), key=lower_cased.__getitem__)
        self._offered = np.array(offered)
        self._beginnings = [lower_cased[id] for id in offered]
        states = {
            name: np.zeros(shape, np.float32)
            for name, shape in model.state_shapes().items()
        }
        self._read: list[int] = []
        self._states = [states]  # before the first word, and after each
        self._logits = np.zeros(len(self._words), np.float32)

    def suggest(self, text: str, k: int = 3) -> list[tuple[str, float]]:
        """The likeliest words at the end of a text.

        Args:
            text: after a space or a sign the next word is asked for, otherwise one that
                begins as the text ends.
            k: how many words at most, 1 or more.

        Returns:
            The words, likeliest first, each with its probability among those that
            begin so; none where the model knows no such word.
        """
        # With a letter behind it, the text ends in an unfinished word in any case.
        *words, last = split_words(text + "x")
        unfinished = last[:-1]
        before = [lower_case(word) for word in words]
        # A text begins as if after a full stop.
        self._read_words([self._ids.get(word, UNKNOWN) for word in (".", *before)])
        beginning = lower_case(unfinished)
        here = slice(
            bisect_left(self._beginnings, beginning),
            bisect_left(self._beginnings, beginning + "\U0010ffff"),
        )
        ids = np.sort(self._offered[here])
        if not ids.size:
            return []
        logits = self._logits[ids]
        weights = np.exp(logits - logits.max(), dtype=np.float64)
        # The k largest and what equals them, in order; at a tie the lower id first.
        bar = np.partition(logits, -min(k, ids.size))[-min(k, ids.size)]
        best = np.flatnonzero(logits >= bar)
        best = best[np.argsort(-logits[best], kind="stable")][:k]
        total = weights.sum()
        starts = not before or before[-1] in SENTENCE_ENDS
        return [
            (with_capitals(self._words[ids[i]], unfinished, starts), weights[i] / total)
            for i in best.tolist()
        ]

    def _read_words(self, ids: list[int]) -> None:
        """Let the model read a text, as far as it is another than the last one."""
        if ids == self._read:
            return
        pairs = zip(ids, self._read, strict=False)
        same = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
        if same is None:
            # The last word is read again where words were taken back.
            same = min(len(ids) - 1, len(self._read))
        del self._read[same:], self._states[same + 1 :]
        for id in ids[same:]:
            token = np.array([id], np.int32)
            outputs = dict(self._step(token=token, **self._states[-1]))
            self._logits = outputs.pop("logits")[0]
            self._states.append(outputs)
            self._read.append(id)


def split_words(text: str) -> list[str]:
    """The words of a text, capitals as they are, each of SIGNS a word of its own."""
    parted = re.sub(f"([{re.escape(SIGNS)}])", r" \1 ", text.replace("\u2019", "'"))
    return re.findall("[^ \t\n\v\f\r]+", parted)


def lower_case(text: str) -> str:
    """The text with each character lower-cased by itself."""
    return "".join(character.lower() for character in text)


def with_capitals(word: str, unfinished: str, starts: bool) -> str:
    """A suggested word with the capitals that suit its place.

    Args:
        word: as the vocabulary has it.
        unfinished: its beginning as it is written so far.
        starts: whether a sentence begins with it.
    """
    capitals = [letter != letter.lower() for letter in unfinished]
    if len(capitals) > 1 and all(capitals):
        return word.upper()
    if capitals[0] if capitals else starts:
        return word[:1].upper() + word[1:]
    return word


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; exits with 2 and one line where it is wrong."""
    if __package__:
        from .generate import OneLineParser
    else:
        from generate import OneLineParser  # type: ignore[no-redef]

    parser = OneLineParser(
        prog="suggest.py",
        description="Suggest words with a model that kerasseq exported.",
    )
    parser.add_argument("file", help="a .tflite file of a next-word model")
    parser.add_argument(
        "text",
        nargs="?",
        help="ends after a space or in a word's middle (default: each line of standard "
        "input)",
    )
    parser.add_argument("-k", type=int, default=3, help="how many words (3)")
    options = parser.parse_args(arguments)
    if not 1 <= options.k <= MOST:
        parser.error(f"-k {options.k}: give 1 to {MOST}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    # Here, since who copies or imports what is above needs no program beside it.
    if __package__:
        from .generate import Model
    else:
        from generate import Model  # type: ignore[no-redef]

    options = parse_arguments(arguments)
    streams: tuple[Any, ...] = (sys.stdin, sys.stdout)
    for stream in streams:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        keyboard = Keyboard(Model(options.file))
    except ValueError as error:
        print(f"suggest.py: {error}", file=sys.stderr)
        return 2
    try:
        if options.text is not None:
            for word, probability in keyboard.suggest(options.text, options.k):
                print(f"{probability:.3f} {word}")
            return 0
        for line in sys.stdin:
            found = keyboard.suggest(line.removesuffix("\n"), options.k)
            print("  ".join(f"{word} {p:.3f}" for word, p in found), flush=True)
    except BrokenPipeError:
        # Whoever reads has enough; nothing more can be written, also not at exit.
        sys.stdout = None
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
