"""Build and run the C program of export/c, on small files."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from kerasseq.files.tflite import convert_all, write_tflite
from kerasseq.on_device.card import CONTRACT_VERSION
from tests.support import small_files

SOURCES = Path(__file__).parents[2] / "export" / "c"
# The program ends with another code than its own where it misuses memory.
FLAGS = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
# It frees nothing, since it ends.
ENVIRONMENT = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}


def build(*variables: str) -> None:
    """Run make."""
    done = subprocess.run(
        ["make", "--silent", "-C", str(SOURCES), *variables],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr


def run(program: Path, *arguments: object, text: str = "", **options):
    """Run the program on standard input."""
    return subprocess.run(
        [program, *map(str, arguments)],
        **{"input": text.encode(), "capture_output": True, "env": ENVIRONMENT}
        | options,
    )


def export(name: str, folder: Path, formats: Iterable[str]) -> dict[str, Path]:
    """A small character model, "gru", "lstm" or "transformer", in some formats."""
    _, module, signatures, card, vocabulary = next(
        each for each in small_files.modules() if each[0] == name
    )
    size = {"contract": CONTRACT_VERSION, "vocabulary_size": 54}
    attached = {"vocabulary.json": vocabulary.to_json()}
    return {
        each: write_tflite(
            folder / f"{name}_{each}.tflite", flatbuffer, size | card, attached
        )
        for each, flatbuffer in convert_all(module, signatures, formats)
    }
