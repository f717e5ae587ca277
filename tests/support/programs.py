"""Run the programs for devices as a user does."""

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
    """Run a program alone: it can import only its own folder, not the checkout.

    Args:
        name: the file's name without its suffix.
        *arguments: the command line.
        python: the interpreter.
        folder: where the program is.
        **options: for `subprocess.run`.
    """
    # -I would leave out the program's own folder, from which it imports.
    program = [str(python), "-E", "-s", str(folder / f"{name}.py")]
    return subprocess.run(
        [*program, *map(str, arguments)],
        **{"capture_output": True, "timeout": 120, "cwd": "/"} | options,
    )
