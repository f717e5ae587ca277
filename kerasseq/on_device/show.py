"""Print what a `.tflite` holds: `python show.py FILE.tflite`.

Its card, its vocabulary and its signatures; numpy and ai-edge-litert are all it needs.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

if __package__:
    from .generate import Model
else:  # copied: beside one another
    from generate import Model  # type: ignore[no-redef]

WIDTH = 76


def describe(model: Model) -> str:
    """Card, vocabulary and signatures of a model, for people."""
    card = json.dumps(model.card, indent=1, ensure_ascii=False)
    (name, entries), *_ = model.vocabulary.items()
    lines = ["card.json", card, "", f"vocabulary.json: {len(entries)} {name}"]
    lines += _wrapped(" ".join(json.dumps(e, ensure_ascii=False) for e in entries))
    for signature, tensors in _signatures(model).items():
        lines += ["", f"signature {signature}"]
        lines += [f"  {row}" for row in tensors]
    return "\n".join(lines)


def _signatures(model: Model) -> dict[str, list[str]]:
    return {
        name: [
            f"{way:<6} {key:<14} {detail['dtype'].__name__}{detail['shape'].tolist()}"
            for way, details in (
                ("input", runner.get_input_details()),
                ("output", runner.get_output_details()),
            )
            for key, detail in sorted(details.items())
        ]
        for name, runner in model.signatures().items()
    }


def _wrapped(text: str) -> list[str]:
    """Lines of at most WIDTH characters, broken at spaces."""
    lines = [""]
    for part in text.split(" "):
        if len(lines[-1]) + len(part) >= WIDTH:
            lines.append("")
        lines[-1] += f" {part}"
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code."""
    paths: Any = sys.argv[1:] if arguments is None else arguments
    if len(paths) != 1 or paths[0].startswith("-"):
        print("usage: python show.py FILE.tflite", file=sys.stderr)
        return 0 if paths and paths[0] in ("-h", "--help") else 2
    try:
        text = describe(Model(paths[0]))
    except ValueError as error:
        print(f"show.py: {error}", file=sys.stderr)
        return 2
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
