"""Texts that a character model writes, for the terminal and for `samples.md`."""

import sys

from kerasseq.files.markdown import code_block
from kerasseq.on_device.command import is_terminal, visible
from kerasseq.runs.options import Options
from kerasseq.signatures.characters import GeneratingModule, generate

TEMPERATURES = (0.5, 0.8, 1.0)


def sample_texts(options: Options, module: GeneratingModule) -> str:
    """Print a sample text for each temperature, and return them as Markdown."""
    lines = ["# Samples", ""]
    for temperature in options.temperature or TEMPERATURES:
        text = generate(
            module,
            options.prompt,
            options.length,
            temperature=temperature,
            top_p=options.top_p,
            seed=options.seed,
        )
        print(f"\n--- temperature {temperature} ---\n{for_terminal(text)}")
        lines += [f"## Temperature {temperature}", "", *code_block(text), ""]
    return "\n".join(lines)


def for_terminal(text: str) -> str:
    """A text as it is for a file or a pipe, and safe to show on a terminal."""
    return visible(text, "\n\t") if is_terminal(sys.stdout) else text
