"""A demonstration of scaled dot-product attention."""

from kerasseq.files.report import record
from kerasseq.pictures.attention import write_demo
from kerasseq.runs.options import Options


def show_attention(options: Options, *_: object) -> None:
    """Write the demonstration and print it."""
    folder = options.out / "attention"
    figures = write_demo(folder, options.seed)
    print((folder / "demo.md").read_text(encoding="utf-8"))
    record(options.out, "attention", figures)
