"""`kerasseq train`, from a checkout: `python train_all.py [TEXT]`."""

import sys
from collections.abc import Sequence

from kerasseq.starting import own_process


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what a command line asks for, None for that of the process."""
    from kerasseq.commands import train

    return train(arguments)


if __name__ == "__main__":
    own_process()
    sys.exit(main())
