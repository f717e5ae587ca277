"""What the tests of the C program share: the program, built with sanitizers."""

import shutil
import subprocess
from pathlib import Path

import ai_edge_litert
import pytest

SOURCES = Path(__file__).parents[2] / "export" / "c"
LIBRARY = Path(ai_edge_litert.__file__).parent / "libLiteRt.so"
FLAGS = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"


@pytest.fixture(scope="session")
def program(tmp_path_factory) -> Path:
    """The program; it ends with another code where it misuses memory."""
    for tool in ("gcc", "make"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    if not LIBRARY.exists():
        pytest.skip("this wheel of ai-edge-litert has no libLiteRt.so")
    found = subprocess.run(
        ["gcc", "-E", "-include", "zlib.h", "-xc", "-"], input=b"", capture_output=True
    )
    if found.returncode:
        pytest.skip("zlib.h is not installed (zlib1g-dev)")
    out = tmp_path_factory.mktemp("c") / "kerasseq"
    build(f"OUT={out}", "CC=gcc", f"CFLAGS={FLAGS}", f"LITERT={LIBRARY.parent}")
    return out


def build(*variables: str) -> None:
    """Run make."""
    done = subprocess.run(
        ["make", "--silent", "-C", str(SOURCES), *variables],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
