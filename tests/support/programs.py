"""The programs for devices, run as a user runs them."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "kerasseq" / "on_device"


def run_program(
    name: str,
    *arguments: object,
    python: object = sys.executable,
    folder: Path = FOLDER,
    **options: object,
) -> subprocess.CompletedProcess:
    """Run a program alone: nothing of the checkout can be imported but its folder.

    Args:
        name: of the file, without its suffix.
        *arguments: of the command line.
        python: the interpreter.
        folder: where the program lies.
        **options: those of `subprocess.run`.
    """
    # -I would leave out the program's own folder, where its neighbours are.
    program = [str(python), "-E", "-s", str(folder / f"{name}.py")]
    return subprocess.run(
        [*program, *map(str, arguments)],
        **{"capture_output": True, "timeout": 120, "cwd": "/"} | options,
    )
