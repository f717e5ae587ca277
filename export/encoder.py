"""Export the encoder: `python -m export.encoder DIR`, DIR of a run."""

import sys

from kerasseq.commands import export_again

if __name__ == "__main__":
    sys.exit(export_again("encoder"))
