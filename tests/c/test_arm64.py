"""The C program on an emulated ARM64 processor writes the text of generate.py there."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.emulation import command, set_up
from benchmarks.processors import CACHE
from tests.support.c_program import build, export
from tests.support.programs import FOLDER

SETTINGS = ("--prompt=A cat", "--length=300", "--seed=7", "--temperature=0.8")


@pytest.fixture(scope="module")
def emulation() -> Path:
    """The folder of the emulation, with a cross compiler in it."""
    for tool in ("apt-get", "dpkg", "gcc", "make"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    try:
        folder = set_up(CACHE)
    except OSError as error:
        pytest.skip(str(error))
    script = Path(__file__).parent / "cross_compiler.sh"
    done = subprocess.run(
        ["sh", script, folder / "cross"], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no cross compiler: {done.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.fixture(scope="module")
def program(emulation, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("arm64") / "kerasseq"
    library = emulation / "site" / "ai_edge_litert"
    build(f"OUT={out}", f"CC={emulation / 'cross' / 'gcc'}", f"LITERT={library}")
    return out


def text(*arguments: object) -> bytes:
    done = subprocess.run([*map(str, arguments)], capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gru", "transformer"])
def test_the_text_is_that_of_generate(emulation, program, tmp_path, name):
    formats = ["float32", "float16", "int8"] + ["int4"] * (name == "gru")
    generate = FOLDER / "generate.py"
    for number_format, path in export(name, tmp_path, formats).items():
        here = text(sys.executable, generate, path, *SETTINGS)
        for processor in ("cortex-a53", "cortex-a76"):
            emulator = [emulation / "qemu", "-cpu", processor]
            emulator += ["-L", emulation / "root", program]
            written = text(*emulator, path, *SETTINGS)
            arguments = [str(each) for each in (generate, path, *SETTINGS)]
            assert written == text(*command(emulation, processor, arguments))
            # A Transformer's int8 differs between processors.
            if name == "gru" or number_format.startswith("float"):
                assert written == here
