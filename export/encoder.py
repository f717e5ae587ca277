"""Export the encoder: `python -m export.encoder DIR`, DIR of a run."""

import sys

from kerasseq.files.report import run_recipe
from kerasseq.recipes.encoder import export_encoder

if __name__ == "__main__":
    sys.exit(run_recipe(export_encoder))
