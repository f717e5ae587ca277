"""Names of classes or tags in a JSON file, in the order of the model's logits."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from kerasseq.files.reading import check_names, read_names
from kerasseq.files.writing import write_file

# Half of what the card of a `.tflite` may have, as `on_device.card` reads it.
MOST_BYTES = 2**19


def check_room(names: Sequence[str]) -> None:
    """Check that the card of a `.tflite` has room for the names of its outputs.

    Raises:
        ValueError: it has not.
    """
    size = len(json.dumps(list(names)))
    if size > MOST_BYTES:
        raise ValueError(
            f"its {len(names):,} labels or tags take {size:,} bytes in a file, which "
            f"has room for {MOST_BYTES:,}; give fewer or shorter ones"
        )


def write_labels(labels: Sequence[str], path: str | os.PathLike) -> Path:
    """Write a `labels.json` or `tags.json`; the list has the file's name as its key."""
    return write_file(path, json.dumps({Path(path).stem: check_names(labels)}) + "\n")


def read_labels(path: str | os.PathLike) -> tuple[str, ...]:
    """Read what `write_labels` wrote.

    Raises:
        ValueError: the file is missing or holds no list of at least two distinct names.
    """
    key = Path(path).stem
    try:
        labels = read_names(path, key)
        if len(labels) < 2:
            raise ValueError(f"{labels} are not two names or more")
        return labels
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path} is not a list of names ({error}); it should read "
            f'{{"{key}": ["first", "second", ...]}}'
        ) from None
