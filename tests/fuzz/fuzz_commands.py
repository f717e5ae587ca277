"""Give six programs any command line: `python tests/fuzz/fuzz_commands.py`.

generate.py, suggest.py, classify.py, tag.py, translate.py and encode.py get options and
texts of any kind, with harmful characters, and any bytes on standard input, in a pipe
or on a terminal. Each case must end with as many lines as it has texts, or with exit
code 2 and one line that says why; nothing may control the terminal, and JSON must say
what the same file answers in Python. The cases are random with a fixed seed.
"""

import argparse
import contextlib
import functools
import io
import json
import random
import sys
import tempfile
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[2]))

from kerasseq.on_device.classify import NO_ANSWER
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.opening import open_tflite
from kerasseq.on_device.words import divide
from tests.support.terminals import COLOURS, harmful

WORDS = (
    "the",
    "cat",
    "king",
    "a bad cab",
    "dé\n",
    "好",
    "ΟΔΟΣ",
    " ",
    "\t",
    "--",
    "-k",
    "\r\n",
)
HARMFUL = (
    "\n\r\t\0\x08\x1b\x7f\x85\x9b\u2028\u2029\u202e\u2066\ud800\udcff\ufeff\U000e0041"
)
NUMBERS = ("0", "1", "3", "0.5", "-1", "1e999", "nan", "inf", "", "x", "٣", "1" * 5000)
OPTIONS = {
    "generate": ("length", "temperature", "top-k", "top-p", "min-p", "seed", "stop"),
    "suggest": ("k",),
    "classify": (),
    "tag": (),
    "translate": ("beam", "length-penalty", "temperature", "seed"),
    "encode": (),
}


class Case(NamedTuple):
    """A program's arguments after the file, its input and its output's kind."""

    program: str
    arguments: list[str]
    text: str | None
    stdin: bytes
    terminal: bool


class Outcome(NamedTuple):
    """What the program did."""

    code: Any
    output: str
    errors: str


def any_text(chance: random.Random) -> str:
    """Words, harmful characters and any other."""
    pieces = [
        chance.choice(WORDS)
        if (way := chance.random()) < 0.6
        else chance.choice(HARMFUL)
        if way < 0.8
        else chr(chance.randrange(0x110000))
        for _ in range(chance.choice([0, 1, 2, 5, 20, 300]))
    ]
    return chance.choice(["", " "]).join(pieces)


def any_case(chance: random.Random) -> Case:
    program = chance.choice(list(OPTIONS))
    arguments = ["--json"] if chance.random() < 0.4 else []
    for name in OPTIONS[program]:
        if chance.random() < 0.15:
            value = any_text(chance) if name == "stop" else chance.choice(NUMBERS)
            arguments.append(f"{'-' * min(len(name), 2)}{name}={value}")
    if chance.random() < 0.05:
        arguments.append(f"--x{any_text(chance)}".replace(" ", ""))
    text = any_text(chance) if chance.random() < 0.6 else None
    if text == "--":
        text = "- -"  # which argparse takes for the end of the options once more
    stdin = any_text(chance).encode(
        "utf-8", chance.choice(["replace", "surrogatepass"])
    )
    if chance.random() < 0.1:
        stdin = chance.randbytes(30)
    return Case(program, arguments, text, stdin, chance.random() < 0.5)


@functools.cache
def opened(path: str) -> Model:
    """A file whose signatures are made once."""
    model = Model(path)
    model.signatures = functools.cache(model.signatures)
    return model


def run(case: Case, path: Path) -> Outcome:
    """Call the command line in this process; uncaught exceptions propagate."""
    program = import_module(f"kerasseq.on_device.{case.program}")
    output, errors = io.StringIO(), io.StringIO()
    output.isatty = lambda: case.terminal
    arguments = [str(path), *case.arguments]
    if case.text is not None:
        given = [f"--prompt={case.text}"]
        arguments += given if case.program == "generate" else ["--", case.text]
    with (
        mock.patch.object(program, "Model", opened),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(case.stdin))),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        try:
            code = program.main(arguments)
        except SystemExit as stopped:
            code = stopped.code
    return Outcome(code, output.getvalue(), errors.getvalue())


def texts_of(case: Case) -> list[str]:
    """The texts that are to be answered."""
    if case.text is not None:
        return [case.text]
    *lines, last = case.stdin.decode().removeprefix("\ufeff").split("\n")
    return [line.removesuffix("\r") for line in [*lines, *[last] * bool(last)]]


def answer(case: Case, path: Path, text: str) -> dict[str, Any]:
    """What JSON must say, from Python."""
    file = open_tflite(path)
    given = dict(each.lstrip("-").partition("=")[::2] for each in case.arguments)
    if case.program == "suggest":
        found = file.suggest(text, int(given.get("k", 3)))
        words = [word for word, _ in found]
        return {"words": words, "probabilities": [p for _, p in found]}
    if case.program == "tag":
        found = file.tag(text)
        return {
            "tokens": [token for token, _ in found],
            "tags": [tag for _, tag in found],
            "offsets": [[word.start, word.end] for word in divide(text)],
            "entities": [each._asdict() for each in file.find(text)],
        }
    if case.program == "translate":
        found = file.translate(
            text,
            int(given.get("beam", 4)),
            float(given.get("length-penalty", 1)),
            float(given.get("temperature", 0)),
            int(given.get("seed", 0)),
        )
        return found._replace(alignment=found.alignment.tolist())._asdict()
    if case.program == "encode":
        found = file.encode(text)._asdict()
    elif divide(text):
        found = file.classify(text)._asdict()
    else:
        found = NO_ANSWER.copy()
    found["offsets"] = list(map(list, found["offsets"]))
    return {
        key: getattr(value, "tolist", lambda v=value: v)()
        for key, value in found.items()
    }


def judge(case: Case, outcome: Outcome, path: Path) -> str:
    """`refused` or `answered`; in capitals what is wrong."""
    said = outcome.errors.split("\n")
    ours = all(line.startswith(f"{case.program}.py: ") for line in said[:-1])
    if not ours or said[-1] or any(map(harmful, "".join(said))):
        return "MESSAGES THAT ARE NOT LINES OF THE PROGRAM"
    if outcome.code == 2:
        return "refused" if len(said) > 1 else "REFUSED WITHOUT A REASON"
    if outcome.code != 0:
        return "ANOTHER EXIT CODE"
    json_wanted = "--json" in case.arguments
    plain = json_wanted or case.program != "generate" or case.terminal
    shown = COLOURS.sub("", outcome.output)
    if plain and any(harmful(c) and c not in "\n\t" for c in shown):
        return "OUTPUT THAT CONTROLS A TERMINAL"
    if case.program == "generate":
        return "answered"
    texts = texts_of(case)
    if json_wanted:
        # JSON makes one character of two halves that meet.
        wanted = [json.loads(json.dumps(answer(case, path, text))) for text in texts]
        found = [json.loads(line) for line in outcome.output.splitlines()]
        return "answered" if found == wanted else "ANOTHER ANSWER"
    rows = case.program == "suggest" and case.text is not None
    if case.program == "encode" or rows:
        return "answered"  # in more lines than one
    lines = outcome.output.count("\n")
    return "answered" if lines == len(texts) else "LINES THAT NOBODY ASKED FOR"


def fuzz(files: dict[str, Path], count: int) -> Counter:
    """Run cases and count their outcomes, by program.

    Raises:
        AssertionError: a case ended in the wrong way; the message shows it.
    """
    chance, counts = random.Random(11), Counter()
    for index in range(count):
        case = any_case(chance)
        try:
            outcome = run(case, files[case.program])
            verdict = judge(case, outcome, files[case.program])
        except Exception as error:
            raise AssertionError(f"case {index}: {error!r}: {case}") from error
        assert verdict.islower(), f"case {index}: {verdict}: {case}: {outcome}"
        counts[case.program, verdict] += 1
    return counts


def main() -> int:
    """Print the counts; the exit code says whether every case ended as required."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    options = parser.parse_args()
    from tests.support.device_files import (
        build_models,
        build_modules,
        write_files,
        write_translator,
    )

    with tempfile.TemporaryDirectory() as folder:
        models = build_models()
        files = write_files(models, build_modules(models), Path(folder))
        files["translate"] = write_translator(Path(folder))
        try:
            counts = fuzz(files, options.cases)
        except AssertionError as error:
            print(error, file=sys.stderr)
            return 1
    print("| program | refused | answered |\n| --- | --- | --- |")
    for name in OPTIONS:
        print(f"| {name} | {counts[name, 'refused']} | {counts[name, 'answered']} |")
    print(f"{sum(counts.values())} cases: each was answered or refused in a line")
    return 0


if __name__ == "__main__":
    sys.exit(main())
