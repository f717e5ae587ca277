"""The command `kerasseq`, also as `python -m kerasseq`."""

import sys
from collections.abc import Sequence
from importlib import import_module

# The programs for devices need numpy and ai-edge-litert alone, and start at once.
PROGRAMS = {
    "write": "generate",
    "suggest": "suggest",
    "classify": "classify",
    "tag": "tag",
    "show": "show",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: None for those of the process.

    Returns:
        The exit code.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in PROGRAMS:
        program = import_module(f"kerasseq.on_device.{PROGRAMS[arguments[0]]}")
        return program.main(arguments[1:])
    from kerasseq import commands  # typer is not on every device

    return commands.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
