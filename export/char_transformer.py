"""Export a Transformer that writes: `python -m export.char_transformer DIR`."""

import sys
from functools import partial

from export.character_model import export_character_model
from export.report import run_recipe

export_char_transformer = partial(export_character_model, "char_transformer")

if __name__ == "__main__":
    sys.exit(run_recipe(export_char_transformer))
