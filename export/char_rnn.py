"""Export an RNN that writes: `python -m export.char_rnn DIR`, DIR of a run."""

import sys
from functools import partial

from export.character_model import export_character_model
from export.report import run_recipe

export_char_rnn = partial(export_character_model, "char_rnn")

if __name__ == "__main__":
    sys.exit(run_recipe(export_char_rnn))
