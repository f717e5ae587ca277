"""Give generate.py bad input: `python tests/fuzz/fuzz_runner.py`.

Damaged, foreign and hand-made files, prompts of any Unicode and settings of any kind
go through generate.py's `main`. Each case must end with the text of the undamaged file,
or with exit code 2 and one line that says why: no traceback, no other text. The cases
are random with a fixed seed. --save DIR writes the files and their outcomes there, so
that another runner can be compared.
"""

import argparse
import contextlib
import hashlib
import io
import json
import random
import struct
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from kerasseq.on_device import generate as runner
from kerasseq.on_device.card import CONTRACT_VERSION

LENGTH = 24


class Case(NamedTuple):
    """A file, a prompt on standard input and arguments.

    Attributes:
        kind: what kind of case it is.
        content: the bytes of the file.
        prompt: the text on standard input.
        arguments: the command's other arguments.
        valid: whether the arguments are within their ranges.
    """

    kind: str
    content: bytes
    prompt: str = "ab"
    arguments: tuple[str, ...] = ()
    valid: bool = True


class Outcome(NamedTuple):
    """What the runner did: its exit code, its output and its messages."""

    code: int
    text: str
    errors: list[str]


def run(content: bytes, prompt: str, arguments: tuple[str, ...], path: Path) -> Outcome:
    """Call the command line in this process; uncaught exceptions propagate."""
    path.write_bytes(content)
    output, errors, code = io.StringIO(), io.StringIO(), None
    stdin = sys.stdin
    sys.stdin = io.StringIO(prompt)
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            code = runner.main([str(path), *arguments])
    except SystemExit as stopped:
        code = stopped.code
    finally:
        sys.stdin = stdin
    return Outcome(code, output.getvalue(), errors.getvalue().splitlines())


def parts(content: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The flatbuffer and the attached files."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = min(info.header_offset for info in archive.infolist())
        return content[:start], {
            name: archive.read(name) for name in archive.namelist()
        }


def assemble(flatbuffer: bytes, card: Any, vocabulary: Any, *, hashes: bool) -> bytes:
    """A file with this content, with matching hashes if wanted."""
    text = json.dumps(vocabulary).encode()
    if hashes and isinstance(card, dict):
        card = {
            **card,
            "sha256": hashlib.sha256(flatbuffer).hexdigest(),
            "attachments": {"vocabulary.json": hashlib.sha256(text).hexdigest()},
        }
    content, described = io.BytesIO(flatbuffer), json.dumps(card)
    line = f"{hashlib.sha256(described.encode()).hexdigest()}  card.json\n"
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.json", described)
        archive.writestr("card.sha256", line)
        archive.writestr("vocabulary.json", text)
    return content.getvalue()


def json_value(chance: random.Random) -> Any:
    """Any JSON value, small."""
    small = [None, True, -1, 0, 1, 7, 2**40, 1.5, -0.5, 1e300, "", "a", "ab", "é" * 9]
    nested = [[], [1], ["a"], {}, [[1, 5]], [[1, "a"]], {"a": 1}, [None] * 7, [["a"]]]
    return chance.choice(small + nested)


def any_text(chance: random.Random) -> str:
    """Text of any Unicode: lone surrogates, combining marks, control characters."""
    ranges = [(0, 0x7F), (0x80, 0x2FF), (0x300, 0x36F), (0xD800, 0xDFFF)]
    ranges += [(0x4E00, 0x9FFF), (0x1F300, 0x1FAFF), (0xE0000, 0x10FFFF)]
    length = chance.choice([0, 1, 2, 9, 40, 255, 256, 257, 600])
    if chance.random() < 0.01:
        length = 100_000
    low, high = chance.choice([*ranges, (97, 102), (97, 102), (97, 102)])
    known = "\n abcdé"
    return "".join(
        chance.choice(known)
        if chance.random() < 0.5
        else chr(chance.randint(low, high))
        for _ in range(length)
    )


def any_arguments(chance: random.Random) -> tuple[tuple[str, ...], bool]:
    """Settings within their ranges or not, and whether all are."""
    good = {
        "--temperature": ["0", "1e-45", "1e-9", "0.3", "1", "40", "1e38", "1e300"],
        "--top-k": ["0", "1", "3", "7", "8", "2147483647"],
        "--top-p": ["0", "1e-300", "0.5", "0.999999999", "1"],
        "--min-p": ["0", "1e-300", "0.2", "1"],
        "--seed": ["0", "1", "2147483647"],
    }
    bad = ["nan", "-1", "inf", "-inf", "", "x", "2147483648000", "1e999", "0x1", "١٢x"]
    arguments, valid = [], True
    for name in chance.sample(list(good), chance.randint(0, 4)):
        value = chance.choice(good[name])
        if chance.random() < 0.15:
            value, valid = chance.choice(bad), False
        if (name, value) == ("--temperature", "2147483648000"):
            valid = False  # allowed, so it counts as neither
        arguments.append(f"{name}={value}")
    return tuple(arguments), valid


def cases(whole: bytes, others: dict[str, bytes], count: int) -> Iterator[Case]:
    """Random cases, every kind equally often."""
    chance = random.Random(7)
    flatbuffer, files = parts(whole)
    card = json.loads(files["card.json"])
    vocabulary = json.loads(files["vocabulary.json"])
    tail = len(whole) - len(flatbuffer)
    kinds = ["cut", "flipped", "foreign", "tail", "vocabulary", "card", "prompt"]
    kinds += ["settings", "swapped"]
    for index in range(count):
        kind = kinds[index % len(kinds)]
        if kind == "cut":
            yield Case(kind, whole[: chance.randrange(len(whole))])
        elif kind == "flipped":
            content = bytearray(whole)
            for _ in range(chance.choice([1, 1, 1, 2, 8])):
                # As often in the small ZIP as in the model.
                start = chance.choice([0, len(flatbuffer)])
                content[chance.randrange(start, len(whole))] ^= 1 << chance.randrange(8)
            yield Case(kind, bytes(content))
        elif kind == "foreign":
            noise = chance.randbytes(chance.choice([0, 1, 22, 500, 5000]))
            heads = [
                b"",
                b"\x89PNG\r\n\x1a\n",
                b"PK\x03\x04",
                b"PK\x05\x06" + bytes(18),
            ]
            heads += [b"\x1c\x00\x00\x00TFL3", flatbuffer, whole]
            heads += [parts(other)[0] for other in others.values()]
            heads += [others["another kind"]]
            content = chance.choice(heads) + noise
            yield Case(kind, content)
        elif kind == "tail":
            content = bytearray(whole)
            position = len(flatbuffer) + chance.randrange(tail)
            size = chance.choice([1, 2, 4, 30, tail])
            way = chance.randrange(4)
            if way == 0:
                content[position : position + size] = chance.randbytes(size)
            elif way == 1:
                del content[position : position + size]
            elif way == 2:
                content[position:position] = chance.randbytes(size)
            else:
                number = chance.choice([0, 1, 0xFFFF, 0xFFFFFFFF, len(whole)])
                struct.pack_into("<I", content, min(position, len(content) - 4), number)
            yield Case(kind, bytes(content))
        elif kind == "vocabulary":
            entries = list(vocabulary["characters"])
            way = chance.randrange(5)
            if way == 0:
                del entries[chance.randrange(len(entries)) :]
            elif way == 1:
                entries += ["x"] * chance.choice([1, 2, 3000])
            elif way == 2:
                entries[chance.randrange(len(entries))] = json_value(chance)
            changed: Any = {"characters": entries}
            if way == 3:
                changed = json_value(chance)
            elif way == 4:
                changed = {"characters": json_value(chance)}
            size = chance.choice([card["vocabulary_size"], len(entries)])
            sized = {**card, "vocabulary_size": size}
            yield Case(kind, assemble(flatbuffer, sized, changed, hashes=True))
        elif kind == "card":
            changed = {**card, "sampling_defaults": dict(card["sampling_defaults"])}
            where = chance.choice([changed, changed["sampling_defaults"]])
            name = chance.choice(list(where))
            if chance.random() < 0.3:
                del where[name]
            else:
                where[name] = json_value(chance)
            if chance.random() < 0.1:
                changed = json_value(chance)
            hashes = chance.random() < 0.7
            yield Case(kind, assemble(flatbuffer, changed, vocabulary, hashes=hashes))
        elif kind == "prompt":
            yield Case(kind, whole, any_text(chance))
        elif kind == "settings":
            arguments, valid = any_arguments(chance)
            yield Case(kind, whole, "ab", arguments, valid)
        else:
            # Mixed with another model's file, with matching hashes.
            other, files = parts(chance.choice(list(others.values())))
            mixed = chance.choice(
                [
                    (other, card, vocabulary),
                    (flatbuffer, json.loads(files["card.json"]), vocabulary),
                    (flatbuffer, card, json.loads(files["vocabulary.json"])),
                ]
            )
            yield Case(kind, assemble(*mixed, hashes=True))


def judge(case: Case, outcome: Outcome, expected: str) -> str:
    """`refused` or `written`; in capitals what is wrong."""
    if outcome.code == 2:
        if (
            outcome.text
            or len(outcome.errors) != 1
            or not outcome.errors[0].startswith("generate.py: ")
        ):
            return f"REFUSED WITHOUT ONE CLEAR LINE: {outcome}"
        if case.kind == "prompt" or (case.kind == "settings" and case.valid):
            return f"REFUSED GOOD INPUT: {outcome}"
        return "refused"
    if outcome.code != 0 or len(outcome.text) != LENGTH:
        return f"NEITHER TEXT NOR REFUSAL: {outcome}"
    if case.kind in ("cut", "flipped", "foreign", "tail") and outcome.text != expected:
        return f"ANOTHER TEXT: {outcome}"
    return "written"


def fuzz(
    whole: bytes, others: dict[str, bytes], count: int, save: Path | None = None
) -> Counter:
    """Run cases and count their outcomes, by kind.

    Raises:
        AssertionError: a case ended in the wrong way; the message shows it.
    """
    counts: Counter = Counter()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.tflite"
        length = (f"--length={LENGTH}",)
        expected = run(whole, "ab", length, path).text
        assert len(expected) == LENGTH, "the undamaged file must write"
        for index, case in enumerate(cases(whole, others, count)):
            arguments = (*length, *case.arguments)
            try:
                outcome = run(case.content, case.prompt, arguments, path)
            except Exception as error:
                raise AssertionError(
                    f"case {index}, {case.kind}: {error!r}, arguments {arguments}, "
                    f"prompt {case.prompt[:80]!r}"
                ) from error
            verdict = judge(case, outcome, expected)
            assert verdict in ("refused", "written"), f"case {index}: {verdict}"
            counts[case.kind, verdict] += 1
            if save and case.content is not whole:
                (save / f"{index}.tflite").write_bytes(case.content)
                note = f"{index} {case.kind} {verdict}\n"
                with (save / "verdicts.txt").open("a", encoding="utf-8") as file:
                    file.write(note)
            if index % 1000 == 999:
                print(f"{index + 1} cases", file=sys.stderr, flush=True)
    return counts


def sample_files() -> tuple[bytes, dict[str, bytes]]:
    """A small exported model, and others to mix it with."""
    import numpy as np

    from kerasseq.files.tflite import convert, write_tflite
    from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
    from kerasseq.signatures.characters import build_generating_module
    from kerasseq.signatures.steps import state_shapes
    from kerasseq.text.characters import Vocabulary

    def export(characters: str, cell: Any, units: int, kind: str) -> bytes:
        vocabulary = Vocabulary.from_text(characters)
        model = build_char_rnn(CharRNNConfig(len(vocabulary), cell, units))
        numbers = np.random.default_rng(3)
        model.set_weights([numbers.normal(0, 1, w.shape) for w in model.get_weights()])
        frozen = build_generating_module(model, vocabulary, frozen=True)
        card = {
            "contract": CONTRACT_VERSION,
            "kind": kind,
            "state_shapes": state_shapes(model),
            "vocabulary_size": len(vocabulary),
            "sampling_defaults": {
                "length": 500,
                "temperature": 0.8,
                "top_k": 0,
                "top_p": 1.0,
                "min_p": 0.0,
            },
        }
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "model.tflite"
            flatbuffer = convert(frozen, frozen.device_signatures())
            write_tflite(
                path, flatbuffer, card, {"vocabulary.json": vocabulary.to_json()}
            )
            return path.read_bytes()

    model = "character model"
    return export("\n abcdé", "gru", 5, model), {
        "more characters": export("\n abcdéf", "gru", 5, model),
        "two states": export("\n abcdé", "lstm", 5, model),
        "more units": export("\n abcdé", "gru", 6, model),
        "another kind": export("\n abcdé", "gru", 5, "encoder"),
    }


def main() -> int:
    """Print the counts; the exit code says whether every case ended as required."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--save", type=Path)
    options = parser.parse_args()
    if options.save:
        options.save.mkdir(parents=True)
    try:
        counts = fuzz(*sample_files(), options.cases, options.save)
    except AssertionError as error:
        print(error, file=sys.stderr)
        return 1
    print("| case | refused | written |\n| --- | --- | --- |")
    for kind in dict.fromkeys(kind for kind, _ in counts):
        print(f"| {kind} | {counts[kind, 'refused']} | {counts[kind, 'written']} |")
    print(f"{sum(counts.values())} cases: each gave a message or the right text")
    return 0


if __name__ == "__main__":
    sys.exit(main())
