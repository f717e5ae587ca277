"""Export the classifier: `python -m export.classifier DIR`, DIR of a run."""

import sys

from kerasseq.commands import export_again

if __name__ == "__main__":
    sys.exit(export_again("classifier"))
