"""Build the reference of kerasseq's public names from their docstrings.

python -m docs.reference [FOLDER]

Writes FOLDER/kerasseq.html and prints where it is. FOLDER is build/reference if none is
named. It needs pdoc: pip install -e '.[docs]'.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pdoc
import pdoc.docstrings

import kerasseq


def build(folder: Path) -> Path:
    """Write the reference.

    Args:
        folder: where the pages go; made if it is missing.

    Returns:
        The page to open.
    """
    # The package loads its names when they are used; pdoc looks for loaded ones.
    vars(kerasseq).update({name: getattr(kerasseq, name) for name in kerasseq.__all__})
    # Keras documents the inputs of a layer's call under this title.
    pdoc.docstrings.GOOGLE_LIST_SECTIONS.append("Call arguments")
    pdoc.render.configure(
        docformat="google", template_directory=Path(__file__).parent, search=False
    )
    pdoc.pdoc("kerasseq", output_directory=folder)
    return folder / "kerasseq.html"


if __name__ == "__main__":
    print(f"The reference is {build(Path(*sys.argv[1:] or ['build/reference']))}.")
