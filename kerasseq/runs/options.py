"""What the command line of a training run may say, and what it refuses."""

import argparse
import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from kerasseq.models.char_rnn import CELLS
from kerasseq.training.presets import PRESETS

PARTS = ("attention", "encoder", "char_rnn")
# Parts that run where their file is given: the option that names it.
PARTS_OF_FILES = {"next_word": "words", "tagger": "tags", "classifier": "labels"}

DESCRIPTION = """\
Train small sequence models on a text of your own, and write each as files for a phone,
a browser or wherever LiteRT runs, checked against the model that they were made from.

  python train_all.py                      English that every Python carries
  python train_all.py --corpus story.txt   your own text, any language, UTF-8
  python train_all.py --labels mail.tsv    a classifier of sentences too
  python train_all.py --quick              all of it, small, in about a minute
  python train_all.py --preset best        a better model, in some minutes more
  python train_all.py --resume             go on with a run that was stopped
"""


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: error: {message}; --help explains", file=sys.stderr)
        raise SystemExit(2)


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line of `train_all.py`.

    Raises:
        SystemExit: with code 2 after one line where it is wrong, with 0 after --help.
    """
    parser = OneLineParser(
        prog="train_all.py",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_argument_group("what to train on")
    what.add_argument(
        "--corpus",
        default="pydoc",
        metavar="FILE|toy|pydoc",
        help="text of the character model (pydoc): a UTF-8 file; toy, random words of "
        "known entropy; pydoc, the manual that every Python carries",
    )
    what.add_argument(
        "--sentences",
        metavar="FILE",
        help="sentences of the encoder, one a line (twelve are built in)",
    )
    what.add_argument(
        "--words",
        metavar="FILE",
        help="text of the next-word model, UTF-8; without it there is none",
    )
    what.add_argument(
        "--tags",
        metavar="FILE",
        help="sentences of the tagger: a token, a tab and its BIO tag a line, blank "
        "lines between",
    )
    what.add_argument(
        "--labels",
        metavar="FILE",
        help="sentences of the classifier, one a line after its label and a tab",
    )
    what.add_argument(
        "--out",
        type=Path,
        default=Path("out"),
        metavar="DIR",
        help="where the files go (out)",
    )
    what.add_argument(
        "--only",
        type=parts,
        metavar="PART,...",
        help=f"some of {', '.join((*PARTS, *PARTS_OF_FILES))} (the first "
        f"{len(PARTS)}, and those whose file is given)",
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--preset",
        choices=PRESETS,
        default="default",
        help="fast is small; best takes some minutes more (default)",
    )
    how.add_argument(
        "--quick",
        action="store_const",
        dest="preset",
        const="fast",
        help="the same as --preset fast: all of it in about a minute",
    )
    how.add_argument(
        "--resume", action="store_true", help="go on with the run that is in --out"
    )
    how.add_argument(
        "--epochs",
        type=number(int, 1),
        metavar="N",
        help="times to read the text (the preset's, which follows from its size)",
    )
    how.add_argument(
        "--model",
        choices=("rnn", "transformer"),
        default="rnn",
        help="kind of the character model (rnn)",
    )
    how.add_argument(
        "--cell",
        choices=CELLS,
        help="of the recurrent character model (lstm for best, else gru)",
    )
    how.add_argument(
        "--units",
        type=number(int, 1),
        metavar="N",
        help="size of a recurrent layer or of a block (the preset's)",
    )
    how.add_argument(
        "--layers",
        type=number(int, 1),
        metavar="N",
        help="recurrent layers or blocks (the preset's)",
    )
    how.add_argument(
        "--dropout",
        type=number(float, 0, 0.95),
        metavar="X",
        help="fraction dropped (more, the oftener the text is read)",
    )
    how.add_argument(
        "--learning-rate",
        type=number(float, 0, 1),
        metavar="X",
        help="the highest, after the warm-up (the preset's)",
    )
    how.add_argument(
        "--seed",
        type=number(int, 0, 2**31 - 1),
        default=0,
        metavar="N",
        help="of weights, dropout and samples (0)",
    )
    how.add_argument(
        "--tensorboard", metavar="DIR", help="write TensorBoard's logs there"
    )
    samples = parser.add_argument_group("sample texts")
    samples.add_argument(
        "--prompt",
        default="\n",
        metavar="TEXT",
        help="what they go on from (a newline)",
    )
    samples.add_argument(
        "--length",
        type=number(int, 0),
        default=500,
        metavar="N",
        help="characters (500)",
    )
    samples.add_argument(
        "--temperature",
        type=number(float, 0),
        action="append",
        metavar="X",
        help="0 is the likeliest text, 1 the model's own; repeatable (0.7, 1.0, 1.2)",
    )
    samples.add_argument(
        "--top-p",
        type=number(float, 0, 1),
        default=1.0,
        metavar="X",
        help="keep the likeliest characters up to this sum (1 keeps all)",
    )
    options = parser.parse_args(arguments)
    given = {part: getattr(options, file) for part, file in PARTS_OF_FILES.items()}
    if options.only is None:
        options.only = (*PARTS, *(part for part in given if given[part]))
    for part, file in PARTS_OF_FILES.items():
        if part in options.only and not given[part]:
            parser.error(f"the part {part} learns from a file: give --{file} FILE")
        if given[part] and part not in options.only:
            parser.error(f"--{file} is for the part {part}, which --only leaves out")
    return options


def parts(text: str) -> tuple[str, ...]:
    """Names of parts, parted by commas, in the order in which they run."""
    known = (*PARTS, *PARTS_OF_FILES)
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
    return tuple(part for part in known if part in names)


def number(kind: type, low: float, high: float = math.inf) -> Any:
    """A type for argparse: a number from `low` to `high`."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high or math.isinf(value):
            bounds = f"from {low} up" if high == math.inf else f"from {low} to {high}"
            name = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(f"{text!r} is not a {name} {bounds}")
        return value

    return parse


def check_writable(directory: Path) -> None:
    """Make sure that files can be written into a folder, which is made if missing.

    Raises:
        ValueError: they cannot.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise ValueError(
            f"{directory} cannot be written to ({error.strerror}); give another --out"
        ) from None
