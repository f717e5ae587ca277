"""Export the translator: `python -m export.translation DIR`, DIR of a run."""

import sys

from kerasseq.commands import export_again

if __name__ == "__main__":
    sys.exit(export_again("translation"))
