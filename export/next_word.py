"""Export the next_word: `python -m export.next_word DIR`, DIR of a run."""

import sys

from kerasseq.files.report import run_recipe
from kerasseq.recipes.next_word import export_next_word

if __name__ == "__main__":
    sys.exit(run_recipe(export_next_word))
