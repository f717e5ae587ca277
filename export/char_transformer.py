"""Export a Transformer that writes: `python -m export.char_transformer DIR`."""

import sys

from kerasseq.commands import export_again

if __name__ == "__main__":
    sys.exit(export_again("char_transformer"))
