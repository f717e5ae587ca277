"""A demonstration of scaled dot-product attention, which trains nothing."""

from kerasseq.files.report import record
from kerasseq.pictures.attention import write_demo
from kerasseq.runs.options import Options

HOW_TO = ""


def plan(options: Options) -> None:
    """There is nothing to read and to choose."""


def train(options: Options, *_: object) -> None:
    """Write the demonstration and print it."""
    folder = options.out / "attention"
    figures = write_demo(folder, options.seed)
    print((folder / "demo.md").read_text(encoding="utf-8"))
    record(options.out, "attention", figures)
