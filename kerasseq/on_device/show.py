"""Print what a `.tflite` holds: `python show.py FILE.tflite`.

It prints the card, the vocabulary, the signatures and the operators. It needs numpy,
ai-edge-litert and the programs beside it.
"""

import json
import sys
from collections.abc import Iterator, Sequence

if __package__:
    from .command import Command, visible
    from .model_file import Model
    from .operators import list_operators
else:  # copied: beside one another
    from command import Command, visible  # type: ignore[no-redef]
    from model_file import Model  # type: ignore[no-redef]
    from operators import list_operators  # type: ignore[no-redef]

WIDTH = 76


def describe(model: Model) -> str:
    """Card, vocabulary, signatures and operators of a model, for people."""
    card = json.dumps(model.card, indent=1, ensure_ascii=False).split("\n")
    (name, entries), *_ = model.vocabulary.items()
    lines = ["card.json", *card, "", f"vocabulary.json: {len(entries)} {name}"]
    lines += _wrapped(" ".join(json.dumps(e, ensure_ascii=False) for e in entries))
    for signature, tensors in _signatures(model).items():
        lines += ["", f"signature {signature}"]
        lines += [f"  {row}" for row in tensors]
    lines += ["", "operators", *_wrapped(" ".join(list_operators(model.flatbuffer)))]
    return "\n".join(map(visible, lines))


def _signatures(model: Model) -> dict[str, list[str]]:
    return {
        name: [
            f"{way:<6} {key:<14} {dtype}{list(shape)}"
            for way, tensors in zip(("input", "output"), ends, strict=True)
            for key, (dtype, shape) in sorted(tensors.items())
        ]
        for name, ends in model.tensors().items()
    }


def _wrapped(text: str) -> list[str]:
    """Lines of at most WIDTH characters, broken at spaces."""
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) >= WIDTH:
            lines.append("")
        lines[-1] += f" {word}"
    return lines


def main(arguments: Sequence[str] | None = None, prog: str = "show.py") -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    command = Command(prog=prog, description="Print what a .tflite file holds.")
    command.add_argument("file", help="a .tflite file that kerasseq exported")
    options = command.parse_args(arguments)

    def texts() -> Iterator[str]:
        yield describe(Model(options.file)) + "\n"

    return command.run(texts())


if __name__ == "__main__":
    sys.exit(main())
