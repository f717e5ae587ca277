"""The options that a command line gives."""

from collections.abc import Sequence
from unittest.mock import patch

from kerasseq.commands import train
from kerasseq.runs.options import Options


def parse_options(arguments: Sequence[str]) -> Options | int:
    """The options that `train_all.py` would train with, or its exit code if none."""
    with patch("kerasseq.parts.train_all") as train_all:
        code = train(arguments)
    return train_all.call_args.args[0] if train_all.called else code
