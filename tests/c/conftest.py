"""What the tests of the C program share: the program, and a small file."""

import shutil
import subprocess
from pathlib import Path

import ai_edge_litert
import pytest

from tests.support.c_program import FLAGS, build, export

LIBRARY = Path(ai_edge_litert.__file__).parent / "libLiteRt.so"


@pytest.fixture(scope="session")
def gcc() -> str:
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    return "gcc"


@pytest.fixture(scope="session")
def program(gcc, tmp_path_factory) -> Path:
    """The program, built with sanitizers."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    if not LIBRARY.exists():
        pytest.skip("this wheel of ai-edge-litert has no libLiteRt.so")
    found = subprocess.run(
        [gcc, "-E", "-include", "zlib.h", "-xc", "-"], input=b"", capture_output=True
    )
    if found.returncode:
        pytest.skip("zlib.h is not installed (zlib1g-dev)")
    out = tmp_path_factory.mktemp("c") / "kerasseq"
    build(f"OUT={out}", f"CC={gcc}", f"CFLAGS={FLAGS}", f"LITERT={LIBRARY.parent}")
    return out


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> dict[str, Path]:
    """A small model by its format."""
    return export("gru", tmp_path_factory.mktemp("gru"), ["float32"])
