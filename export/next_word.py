"""Export the next-word model: `python -m export.next_word DIR`, DIR of a run."""

import sys

from kerasseq.commands import export_again

if __name__ == "__main__":
    sys.exit(export_again("next_word"))
