"""Write text with an exported model: `python generate.py FILE.tflite --prompt TEXT`.

It needs numpy and ai-edge-litert, nothing else; what a `.tflite` speaks is in README.md
beside this file. The text goes to standard output as it is made, all else to standard
error.
"""

import argparse
import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

CONTRACT_VERSION = 2
CHARACTERS = "character model"
# What a generating model of each kind has to have.
SIGNATURES = {CHARACTERS: ("step", "generate"), "next-word model": ("step",)}
CHUNK = 256
# Written between two looks at the screen: soon enough to be read as it is made.
TOKENS_AT_ONCE = 64
RANGES = {
    "length": (0, 2**31 - 1),
    "temperature": (0, sys.float_info.max),
    "top_k": (0, 2**31 - 1),
    "top_p": (0, 1),
    "min_p": (0, 1),
}


class Model:
    """An exported model: its card, its characters and its signatures.

    Args:
        path: a `.tflite` of this project.

    Raises:
        ValueError: the file is missing, damaged or speaks another contract.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from None
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                start = min(info.header_offset for info in archive.infolist())
                self.card = json.loads(archive.read("card.json"))
                vocabulary = archive.read("vocabulary.json")
            kind, version = self.card["kind"], self.card["contract"]
            expected = self.card["sha256"]
            expected_vocabulary = self.card["attachments"]["vocabulary.json"]
        except Exception as error:  # zipfile has many for flipped bits
            raise ValueError(
                f"{path} is not a whole .tflite of this project ({error}); "
                "copy or export it again"
            ) from None
        if version != CONTRACT_VERSION:
            raise ValueError(
                f"{path} speaks contract {version}, this program {CONTRACT_VERSION}; "
                "take the program that came with the file"
            )
        self.kind, self.flatbuffer = kind, content[:start]
        for part, wanted in (
            (self.flatbuffer, expected),
            (vocabulary, expected_vocabulary),
        ):
            found = hashlib.sha256(part).hexdigest()
            if found != wanted:
                raise ValueError(
                    f"{path} is damaged: SHA-256 {found[:12]}... where its card says "
                    f"{str(wanted)[:12]}...; copy or export it again"
                )
        try:
            self.vocabulary = json.loads(vocabulary)
            ((name, entries),) = self.vocabulary.items()
            singles = "".join(entries) and {len(entry) for entry in entries} == {1}
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} has no list of texts in vocabulary.json ({error}); "
                "export it again"
            ) from None
        if kind == CHARACTERS and not (name == "characters" and singles):
            raise ValueError(
                f"{path} has no list of single characters in vocabulary.json; "
                "export it again"
            )
        if len(entries) != self.card.get("vocabulary_size"):
            raise ValueError(
                f"{path} has a vocabulary of {len(entries)}, its model one of "
                f"{self.card.get('vocabulary_size')}; export it again"
            )

    def signatures(self) -> dict[str, Any]:
        """The model's functions on arrays, by name, run by LiteRT's Interpreter.

        Raises:
            ValueError: LiteRT cannot open the model, or it is not what the card says.
        """
        # Here, since opening the file should fail before a runtime is loaded.
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(model_content=self.flatbuffer, num_threads=1)
            runners = {
                name: interpreter.get_signature_runner(name)
                for name in interpreter.get_signature_list()
            }
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"LiteRT cannot open the model: {error}") from None
        if self.kind in SIGNATURES:
            self._check_shapes(runners, SIGNATURES[self.kind])
        return runners

    def _check_shapes(self, runners: dict[str, Any], names: Sequence[str]) -> None:
        """Check that the model behind a card has what the contract wants."""
        for name in names:
            if name not in runners:
                raise ValueError(f"the model has no signature {name}; export it again")
        logits = runners["step"].get_output_details().get("logits", {})
        inputs = runners[names[-1]].get_input_details()
        count = sum(name.startswith("state_") for name in inputs)
        states = [inputs.get(f"state_{index}", {}) for index in range(count)]
        shapes = [list(map(int, each.get("shape", ()))) for each in (logits, *states)]
        found = shapes[0], shapes[1:]
        promised = [1, self.card["vocabulary_size"]], self.card.get("state_shapes")
        if found != promised:
            raise ValueError(
                f"the model's logits and states have the shapes {found}, where its "
                f"card says {promised}; export it again"
            )

    def state_shapes(self) -> dict[str, list[int]]:
        """Shape of each state by its name."""
        return {
            f"state_{index}": shape
            for index, shape in enumerate(self.card["state_shapes"])
        }


def encode_prompt(prompt: str, characters: Sequence[str]) -> tuple[list[int], str]:
    """Ids of a prompt's known characters, and the unknown ones, which are dropped.

    An empty prompt stands for a newline, or for id 0 where there is none.
    """
    ids = {character: index for index, character in enumerate(characters)}
    known = [ids[character] for character in prompt if character in ids]
    unknown = "".join(sorted(set(prompt) - set(ids)))
    return known or [ids.get("\n", 0)], unknown


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
    prompt: Sequence[int],
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
    waiting, written = list(prompt), 0
    while written < length:
        # A prompt that is longer than the signature takes is read in parts; the last
        # token of each part is read at the beginning of the next.
        reads = len(waiting) > CHUNK
        now = waiting[:CHUNK]
        count = 0 if reads else min(tokens_a_call, length - written)
        outputs = generate(
            prompt=np.array(now + [0] * (CHUNK - len(now)), np.int32),
            prompt_length=np.array([len(now)], np.int32),
            length=np.array([count], np.int32),
            uniforms=uniform_numbers(seed, written, CHUNK),
            **settings,
            **states,
        )
        states = {name: outputs[name] for name in states}
        if reads:
            waiting = waiting[CHUNK - 1 :]
            continue
        tokens = outputs["tokens"][:count]
        waiting, written = [int(tokens[-1])], written + count
        yield tokens


def until_stop(texts: Iterator[str], stops: Sequence[str]) -> Iterator[str]:
    """Pass texts on up to the first of `stops`, which may come in pieces."""
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


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}; --help explains\n")


def read_lines() -> Iterator[str]:
    """Lines of standard input.

    Raises:
        ValueError: it is not UTF-8.
    """
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8")
    try:
        yield from sys.stdin
    except UnicodeDecodeError as error:
        raise ValueError(
            f"standard input is not UTF-8 (byte 0x{error.object[error.start]:02x}); "
            "convert it, for example with iconv"
        ) from None


def out_of_range(name: str, value: Any) -> str | None:
    """What to give instead, where a setting is out of its range."""
    low, high = (0, 2**31 - 1) if name == "seed" else RANGES[name]
    if low <= value <= high:
        return None
    return f"give {low} {f'to {high}' if high < 1e300 else 'up'}"


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; exits with 2 and one line where it is wrong."""
    parser = OneLineParser(
        prog="generate.py",
        description="Write text with a model that kerasseq exported.",
    )
    parser.add_argument("file", help="a .tflite file of a character model")
    parser.add_argument(
        "--prompt", help="text to go on from (default: what comes on standard input)"
    )
    parser.add_argument("--length", type=int, help="characters to write")
    parser.add_argument(
        "--temperature", type=float, help="0 is the likeliest text, 1 the model's own"
    )
    parser.add_argument("--top-k", type=int, help="keep the k likeliest, 0 keeps all")
    parser.add_argument("--top-p", type=float, help="keep the likeliest up to this sum")
    parser.add_argument("--min-p", type=float, help="drop under this part of the best")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same text")
    parser.add_argument(
        "--stop", action="append", default=[], help="end before this text; repeatable"
    )
    options = parser.parse_args(arguments)
    for name in (*RANGES, "seed"):
        value = getattr(options, name)
        complaint = None if value is None else out_of_range(name, value)
        if complaint:
            parser.error(f"--{name.replace('_', '-')} {value}: {complaint}")
    if "" in options.stop:
        parser.error("--stop '': give a text of at least one character")
    return options


def chosen_settings(
    card: dict[str, Any], options: argparse.Namespace
) -> dict[str, Any]:
    """Length and settings: the command line's, or else the card's.

    Raises:
        ValueError: one of the card's is out of its range.
    """
    settings = {}
    defaults = card.get("sampling_defaults")
    for name in RANGES:
        value = getattr(options, name)
        if value is None:
            value = defaults.get(name) if isinstance(defaults, dict) else None
            kind = int if name in ("length", "top_k") else (int, float)
            usable = isinstance(value, kind) and not isinstance(value, bool)
            complaint = out_of_range(name, value) if usable else "give a number"
            if complaint:
                raise ValueError(
                    f"the card's default {name}={value!r} cannot be used; {complaint} "
                    f"with --{name.replace('_', '-')}"
                )
        settings[name] = value
    return settings


def read_prompt() -> str:
    """What comes on standard input, or nothing where that is a terminal.

    Raises:
        ValueError: it is not UTF-8.
    """
    if sys.stdin.isatty():
        return ""
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8")
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"standard input is not UTF-8 at byte {error.start}; convert it, for "
            "example with iconv"
        ) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    options = parse_arguments(arguments)
    try:
        model = Model(options.file)
        if model.kind != CHARACTERS:
            raise ValueError(
                f"{options.file} holds a {model.kind}, which writes no text; "
                "show.py tells how to call it"
            )
        settings = chosen_settings(model.card, options)
        generate = model.signatures()["generate"]
        prompt = read_prompt() if options.prompt is None else options.prompt
    except ValueError as error:
        print(f"generate.py: {error}", file=sys.stderr)
        return 2
    characters = model.vocabulary["characters"]
    ids, unknown = encode_prompt(prompt, characters)
    if unknown:
        more = f" and {len(unknown) - 50} more" if len(unknown) > 50 else ""
        print(
            "generate.py: left out, since the model does not know them: "
            f"{unknown[:50]!r}{more}",
            file=sys.stderr,
        )
    length = settings.pop("length")
    tokens = write_tokens(
        generate,
        model.state_shapes(),
        ids,
        length,
        options.seed,
        **settings,
        tokens_a_call=TOKENS_AT_ONCE,
    )
    texts = ("".join(characters[token] for token in part) for part in tokens)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    try:
        for text in until_stop(texts, options.stop):
            sys.stdout.write(text)
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has enough; nothing more can be written, also not at exit.
        sys.stdout = None
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
