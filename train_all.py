"""From a text to models and tested files: `python train_all.py --corpus FILE`.

Parts, each of which can be run alone with --only: attention shows what scaled
dot-product attention computes; encoder trains a small Transformer on masked words;
char_rnn trains a model that writes text, with --model transformer a Transformer. Others
run where their file is given: next_word (--words) suggests words, tagger (--tags) finds
names, classifier (--labels) tells what a sentence is. Models end as SavedModel and
TFLite files, checked against the models that they were made from. What a part does,
from its file to its export, is one module in the folder train.
"""

import os
import sys
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

from kerasseq.files.report import ChecksFailed
from kerasseq.files.writing import WriteError
from kerasseq.runs.attention import show_attention
from kerasseq.runs.characters import plan_character_model, train_character_model
from kerasseq.runs.classifier import plan_classifier, train_classifier
from kerasseq.runs.encoder import plan_encoder, train_encoder
from kerasseq.runs.next_word import plan_next_word, train_next_word
from kerasseq.runs.options import check_writable, parse_arguments
from kerasseq.runs.tagger import plan_tagger, train_tagger
from kerasseq.training.fitting import tensorboard


def main(
    arguments: Sequence[str] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> int:
    """Run what the command line asks for.

    Args:
        arguments: of the command line; None for those of the process.
        callbacks: further ones for the training of the character model.

    Returns:
        The exit code: 0; 1 where training fails, a file cannot be written or does not
        keep its promises; 2 where what was asked for cannot be done.
    """
    options = parse_arguments(arguments)
    try:
        # What can be refused is refused here, before anything is written.
        if "encoder" in options.only:
            sentences = plan_encoder(options)
        if "char_rnn" in options.only:
            character_model = plan_character_model(options)
        if "next_word" in options.only:
            next_word = plan_next_word(options)
        if "tagger" in options.only:
            tagger = plan_tagger(options)
        if "classifier" in options.only:
            classifier = plan_classifier(options)
        if options.tensorboard:
            callbacks = [*callbacks, tensorboard(options.tensorboard)]
        check_writable(options.out)
    except ValueError as error:
        print(f"train_all.py: error: {error}", file=sys.stderr)
        return 2
    try:
        if "attention" in options.only:
            show_attention(options)
        if "encoder" in options.only:
            train_encoder(options, sentences)
        if "char_rnn" in options.only:
            train_character_model(options, character_model, callbacks)
        if "next_word" in options.only:
            train_next_word(options, next_word)
        if "tagger" in options.only:
            train_tagger(options, tagger)
        if "classifier" in options.only:
            train_classifier(options, classifier)
    except FloatingPointError as error:
        print(f"train_all.py: training failed: {error}", file=sys.stderr)
        return 1
    except ChecksFailed as error:
        print(f"train_all.py: checks failed:\n{error}", file=sys.stderr)
        return 1
    except WriteError as error:
        print(
            f"train_all.py: {error}; make room, then go on with --resume",
            file=sys.stderr,
        )
        return 1
    except OSError as error:
        print(f"train_all.py: cannot go on: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntrain_all.py: stopped; --resume goes on from here", file=sys.stderr)
        return 130
    print(f"\nEverything is in {options.out}; {options.out / 'REPORT.md'} sums it up.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
