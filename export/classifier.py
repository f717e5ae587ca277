"""Export the classifier: `python -m export.classifier DIR`, DIR of a run."""

import sys

from kerasseq.files.report import run_recipe
from kerasseq.recipes.classifier import export_classifier

if __name__ == "__main__":
    sys.exit(run_recipe(export_classifier))
