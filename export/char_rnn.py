"""Export an RNN that writes: `python -m export.char_rnn DIR`, DIR of a run."""

import sys
from functools import partial

from kerasseq.files.report import run_recipe
from kerasseq.recipes.characters import export_character_model

export_char_rnn = partial(export_character_model, "char_rnn")

if __name__ == "__main__":
    sys.exit(run_recipe(export_char_rnn))
