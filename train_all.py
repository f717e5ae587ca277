"""`kerasseq train`, for who has the checkout: `python train_all.py [--corpus FILE]`."""

import sys

from kerasseq.parts import main

if __name__ == "__main__":
    sys.exit(main())
