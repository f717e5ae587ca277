"""Write text with an exported model: `python generate.py FILE.tflite --prompt TEXT`.

It needs numpy, ai-edge-litert and the programs beside it; README.md beside this file
describes the format. The text goes to standard output as it is made, all else to
standard error. On a terminal, control characters in it are shown as escapes.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from numbers import Integral, Real
from typing import Any

if __package__:
    from .card import CHARACTERS
    from .command import Command, is_terminal, json_line, read_all, visible
    from .model_file import Model
else:  # copied: beside one another
    from card import CHARACTERS  # type: ignore[no-redef]
    from command import Command, is_terminal, json_line, read_all, visible  # type: ignore[no-redef]
    from model_file import Model  # type: ignore[no-redef]

import numpy as np

CHUNK = 256
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


def encode_prompt(prompt: str, characters: Sequence[str]) -> np.ndarray:
    """Ids of a prompt's known characters, int32; the unknown ones are dropped.

    An empty prompt stands for a newline, or for id 0 where there is none.
    """
    ids = {character: index for index, character in enumerate(characters)}
    known = (ids[character] for character in prompt if character in ids)
    found = np.fromiter(known, np.int32)
    return found if found.size else np.array([ids.get("\n", 0)], np.int32)


def unknown_characters(prompt: str, characters: Sequence[str]) -> str:
    """The characters of a prompt that a model does not know, each once, in order."""
    return "".join(sorted(set(prompt).difference(characters)))


def uniform_numbers(seed: int, start: int, count: int) -> np.ndarray:
    """Numbers `start` to `start + count - 1` of a seed's sequence, float32 (count,)."""
    golden = np.uint32(0x9E3779B9)
    index = np.arange(start, start + count, dtype=np.uint64).astype(np.uint32)
    mixed = _mix(_mix(np.array([seed], np.uint32) + golden) + index * golden)
    return (mixed >> np.uint32(8)).astype(np.float32) / np.float32(2**24)


def _mix(x: np.ndarray) -> np.ndarray:
    """MurmurHash3's 32-bit finalizer."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return x


def write_tokens(
    generate: Callable[..., dict[str, np.ndarray]],
    state_shapes: dict[str, list[int]],
    prompt: Sequence[int] | np.ndarray,
    length: int,
    seed: int = 0,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    tokens_a_call: int = CHUNK,
) -> Iterator[np.ndarray]:
    """Write tokens after a prompt, and give them out as they are made.

    Args:
        generate: the model's signature of that name.
        state_shapes: by name.
        prompt: ids, at least one.
        length: how many tokens to write.
        seed: of the uniform numbers, from 0 to 2**31 - 1.
        temperature, top_k, top_p, min_p: as README.md has them.
        tokens_a_call: up to 256; any number gives the same tokens.

    Yields:
        int32 arrays, `length` tokens together.
    """
    states = {name: np.zeros(shape, np.float32) for name, shape in state_shapes.items()}
    settings = {
        # The model holds it within a million, but float32 must be able to hold it too.
        "temperature": np.array([min(temperature, 1e6)], np.float32),
        "top_k": np.array([top_k], np.int32),
        "top_p": np.array([top_p], np.float32),
        "min_p": np.array([min_p], np.float32),
    }
    waiting = np.array(prompt, np.int32)
    start = written = 0
    while written < length:
        # A prompt that is longer than the signature takes is read in chunks; the last
        # token of each chunk is read at the beginning of the next.
        reads = len(waiting) - start > CHUNK
        now = waiting[start : start + CHUNK]
        count = 0 if reads else min(tokens_a_call, length - written)
        padded = np.zeros(CHUNK, np.int32)
        padded[: len(now)] = now
        outputs = generate(
            prompt=padded,
            prompt_length=np.array([len(now)], np.int32),
            length=np.array([count], np.int32),
            uniforms=uniform_numbers(seed, written, CHUNK),
            **settings,
            **states,
        )
        states = {name: outputs[name] for name in states}
        if reads:
            start += CHUNK - 1
            continue
        tokens = outputs["tokens"][:count]
        waiting, start, written = tokens[-1:], 0, written + count
        yield tokens


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
        prompt = read_all() if options.prompt is None else options.prompt
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
            yield from (visible(piece, kept="\n\t") for piece in text)
        else:
            yield from text

    return command.run(texts())


if __name__ == "__main__":
    sys.exit(main())
