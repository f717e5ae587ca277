"""Export a Transformer that writes: `python -m export.char_transformer DIR`."""

import sys
from functools import partial

from kerasseq.files.report import run_recipe
from kerasseq.recipes.characters import export_character_model

export_char_transformer = partial(export_character_model, "char_transformer")

if __name__ == "__main__":
    sys.exit(run_recipe(export_char_transformer))
