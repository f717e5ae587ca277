"""What scaled dot-product attention computes, in numbers and pictures."""

import argparse

from kerasseq.files.report import record
from kerasseq.pictures.attention import write_demo


def show_attention(options: argparse.Namespace, *_: object) -> None:
    """Write the demonstration and print it."""
    folder = options.out / "attention"
    figures = write_demo(folder, options.seed)
    print((folder / "demo.md").read_text(encoding="utf-8"))
    record(options.out, "attention", figures)
