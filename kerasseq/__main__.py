"""The command `kerasseq`, also as `python -m kerasseq`."""

import sys
from collections.abc import Sequence
from importlib import import_module

from kerasseq.starting import own_process

# The programs for devices need numpy and ai-edge-litert alone, and start at once.
PROGRAMS = {
    "write": "generate",
    "suggest": "suggest",
    "classify": "classify",
    "tag": "tag",
    "translate": "translate",
    "encode": "encode",
    "show": "show",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: None for those of the process.

    Returns:
        The exit code.
    """
    if arguments is None:
        own_process()
    name, *others = (sys.argv[1:] if arguments is None else arguments) or [""]
    if name in PROGRAMS:
        program = import_module(f"kerasseq.on_device.{PROGRAMS[name]}")
        return program.main(others, f"kerasseq {name}")
    try:
        from kerasseq import commands
    except ModuleNotFoundError as error:
        print(
            f"kerasseq: error: {error.name} is not installed, which all commands but "
            f"{', '.join(PROGRAMS)} need; pip install kerasseq",
            file=sys.stderr,
        )
        return 2
    return commands.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
