"""Write text with an exported model: `python generate.py FILE.tflite --prompt TEXT`.

It needs numpy, ai-edge-litert and the programs beside it; README.md beside this file
describes the format. The text goes to standard output as it is made, all else to
standard error. A terminal shows the prompt before it, dimmed, and control characters
as escapes.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from numbers import Integral, Real
from typing import Any

if __package__:
    from .card import CHARACTERS
    from .command import Command, is_terminal, json_line, read_all, visible
    from .model_file import Model
    from .tokens import encode_prompt, unknown_characters, write_tokens
else:  # copied: beside one another
    from card import CHARACTERS  # type: ignore[no-redef]
    from command import Command, is_terminal, json_line, read_all, visible  # type: ignore[no-redef]
    from model_file import Model  # type: ignore[no-redef]
    from tokens import (  # type: ignore[no-redef]
        encode_prompt,
        unknown_characters,
        write_tokens,
    )

# Few enough that a person sees the text being made.
TOKENS_AT_ONCE = 64
RANGES = {
    "length": (0, 2**31 - 1),
    "temperature": (0, sys.float_info.max),
    "top_k": (0, 2**31 - 1),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "seed": (0, 2**31 - 1),
}
WHOLE = ("length", "top_k", "seed")


class Writer:
    """Writes text with a character model.

    Args:
        model: an opened file.

    Attributes:
        characters: that the model knows; an id is an index in this list.

    Raises:
        ValueError: it holds another kind of model, or does not match its card.
    """

    def __init__(self, model: Model) -> None:
        model.require(CHARACTERS)
        self.characters: list[str] = model.vocabulary["characters"]
        self._defaults = model.card["sampling_defaults"]
        self._generate = model.signatures()["generate"]
        self._state_shapes = model.state_shapes()

    def write(self, prompt: str = "", length: int | None = None, **options: Any) -> str:
        """Write text at once; the arguments are those of `stream`."""
        return "".join(self.stream(prompt, length, **options))

    def stream(
        self,
        prompt: str = "",
        length: int | None = None,
        *,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> Iterator[str]:
        """Write text and give it out as it is made.

        Args:
            prompt: text to go on from; characters that the model does not know are
                dropped.
            length: how many characters to write. None is the card's default, here and
                below.
            temperature: 0 is the likeliest text, 1 the model's own distribution.
            top_k: keep the k likeliest characters; 0 keeps all.
            top_p: keep the likeliest characters up to this sum of probabilities.
            min_p: drop what is less probable than this fraction of the likeliest.
            seed: the same seed gives the same text.
            stop: the text ends before the first of these.

        Yields:
            The text in pieces, without the prompt.

        Raises:
            ValueError: a setting is out of its range.
        """
        settings: dict[str, Any] = {
            "length": length,
            "temperature": temperature,
            "top_k": top_k,
            "top_p": top_p,
            "min_p": min_p,
        }
        for name, value in {**settings, "seed": seed}.items():
            if value is not None and (complaint := out_of_range(name, value)):
                raise ValueError(f"{name}={value}: {complaint}")
        for name, value in settings.items():
            if value is None:
                settings[name] = self._defaults[name]
        ids = encode_prompt(prompt, self.characters)
        chunks = write_tokens(
            self._generate,
            self._state_shapes,
            ids,
            settings.pop("length"),
            seed,
            **settings,
            tokens_a_call=TOKENS_AT_ONCE,
        )
        texts = ("".join(self.characters[id] for id in chunk) for chunk in chunks)
        return until_stop(texts, stop)


def until_stop(texts: Iterator[str], stops: Sequence[str]) -> Iterator[str]:
    """Pass texts on up to the first of `stops`, which may be split between texts."""
    longest = max(map(len, stops), default=0)
    held = ""
    for text in texts:
        held += text
        found = [held.index(stop) for stop in stops if stop in held]
        if found:
            yield held[: min(found)]
            return
        # What could be the beginning of a stop text waits for what follows.
        safe = max(0, len(held) - max(0, longest - 1))
        yield held[:safe]
        held = held[safe:]
    yield held


def for_terminal(prompt: str, texts: Iterator[str]) -> Iterator[str]:
    """A prompt, dimmed unless NO_COLOR is set, then the texts and the end of a line."""
    shown = visible(prompt, kept="\n\t")
    if prompt and not os.environ.get("NO_COLOR"):
        shown = f"\x1b[2m{shown}\x1b[0m"
    yield shown
    last = prompt
    for text in texts:
        yield visible(text, kept="\n\t")
        last = text or last
    if not last.endswith("\n"):
        yield "\n"


def out_of_range(name: str, value: Any) -> str | None:
    """What to give instead, where a setting is out of its range; NaN is in none."""
    low, high = RANGES[name]
    whole = name in WHOLE
    kind: Any = Integral if whole else Real
    if isinstance(value, kind) and low <= value <= high:
        return None
    upper = f"to {high}" if high < 1e300 else "up"
    return f"give {low} {upper}{', a whole number' if whole else ''}"


def parse_arguments(
    arguments: Sequence[str] | None = None, prog: str = "generate.py"
) -> tuple[Command, argparse.Namespace]:
    """Read the command line; exits with 2 and one line where it is wrong."""
    command = Command(
        prog=prog, description="Write text with a model that kerasseq exported."
    )
    command.add_argument("file", help="a .tflite file of a character model")
    command.add_argument(
        "--prompt", help="text to go on from (default: standard input)"
    )
    command.add_argument("--length", type=int, help="characters to write")
    command.add_argument(
        "--temperature", type=float, help="0 is the likeliest text, 1 the model's own"
    )
    command.add_argument("--top-k", type=int, help="keep the k likeliest; 0 keeps all")
    command.add_argument(
        "--top-p", type=float, help="keep the likeliest up to this sum"
    )
    command.add_argument(
        "--min-p", type=float, help="drop what is below this fraction of the likeliest"
    )
    command.add_argument("--seed", type=int, default=0, help="same seed, same text (0)")
    command.add_argument(
        "--stop", action="append", default=[], help="end before this text; repeatable"
    )
    command.add_argument(
        "--json", action="store_true", help='print {"text": ...} at the end, in ASCII'
    )
    options = command.parse_args(arguments)
    # In some Pythons, argparse makes an empty list of the value "--".
    options.prompt = "--" if options.prompt == [] else options.prompt
    options.stop = ["--" if each == [] else each for each in options.stop]
    for name in RANGES:
        value = getattr(options, name)
        complaint = None if value is None else out_of_range(name, value)
        if complaint:
            command.error(f"--{name.replace('_', '-')} {value}: {complaint}")
    if "" in options.stop:
        command.error("--stop '': give a text of at least one character")
    return command, options


def main(arguments: Sequence[str] | None = None, prog: str = "generate.py") -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    command, options = parse_arguments(arguments, prog)

    def texts() -> Iterator[str]:
        writer = Writer(Model(options.file))
        prompt = options.prompt
        if prompt is None:
            prompt = read_all()
            if "\r" not in writer.characters:
                prompt = prompt.replace("\r\n", "\n")
        settings = {name: getattr(options, name) for name in RANGES}
        text = writer.stream(prompt, **settings, stop=options.stop)
        if unknown := unknown_characters(prompt, writer.characters):
            more = f" and {len(unknown) - 50} more" if len(unknown) > 50 else ""
            command.say(
                f"left out, since the model does not know them: {unknown[:50]!r}{more}"
            )
        if options.json:
            yield json_line({"text": "".join(text)})
        elif is_terminal(sys.stdout):
            yield from for_terminal(prompt, text)
        else:
            yield from text

    return command.run(texts())


if __name__ == "__main__":
    sys.exit(main())
