"""Export the tagger: `python -m export.tagger DIR`, DIR of a run."""

import sys

from kerasseq.files.report import run_recipe
from kerasseq.recipes.tagger import export_tagger

if __name__ == "__main__":
    sys.exit(run_recipe(export_tagger))
