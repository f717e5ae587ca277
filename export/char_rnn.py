"""Export an RNN that writes: `python -m export.char_rnn DIR`, DIR of a run."""

import sys

from kerasseq.commands import export_again

if __name__ == "__main__":
    sys.exit(export_again("char_rnn"))
