"""`kerasseq train`, from a checkout: `python train_all.py [TEXT]`."""

import sys

from kerasseq.commands import train as main

if __name__ == "__main__":
    sys.exit(main())
