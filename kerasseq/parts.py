"""From a text to models and tested files: the parts of a run, and its whole story.

Parts, each of which can be run alone with --only: attention shows what scaled
dot-product attention computes; encoder trains a small Transformer on masked words;
char_rnn trains a model that writes text, with --model transformer a Transformer. Others
run where their file is given: next_word (--words) suggests words, tagger (--tags) finds
names, classifier (--labels) tells what a sentence is. Models end as SavedModel and
TFLite files, checked against the models that they were made from.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras

from kerasseq.outcome import exit_code
from kerasseq.recipes.characters import export_character_model
from kerasseq.recipes.classifier import export_classifier
from kerasseq.recipes.encoder import export_encoder
from kerasseq.recipes.next_word import export_next_word
from kerasseq.recipes.tagger import export_tagger
from kerasseq.runs import attention, characters, classifier, encoder, next_word, tagger
from kerasseq.runs.options import check_writable, parse_arguments
from kerasseq.training.callbacks import tensorboard


class Part(NamedTuple):
    """A part of a run.

    Attributes:
        plan: reads what it learns from, and refuses what cannot be used, before
            anything is written.
        train: from options, plan and further callbacks to the name of the model that it
            saved, or None.
        exports: for each name the recipe of its files, called with the run's folder.
        how_to: what to type next, with `{file}` in it.
    """

    plan: Callable[..., Any]
    train: Callable[..., str | None]
    exports: Mapping[str, Callable[..., Any]] = {}
    how_to: str = ""


PARTS = {
    "attention": Part(lambda options: None, attention.show_attention),
    "encoder": Part(
        encoder.plan_encoder,
        encoder.train_encoder,
        {"encoder": export_encoder},
        encoder.HOW_TO,
    ),
    "char_rnn": Part(
        characters.plan_character_model,
        characters.train_character_model,
        {
            name: partial(export_character_model, name)
            for name in ("char_rnn", "char_transformer")
        },
        characters.HOW_TO,
    ),
    "next_word": Part(
        next_word.plan_next_word,
        next_word.train_next_word,
        {"next_word": export_next_word},
        next_word.HOW_TO,
    ),
    "tagger": Part(
        tagger.plan_tagger,
        tagger.train_tagger,
        {"tagger": export_tagger},
        tagger.HOW_TO,
    ),
    "classifier": Part(
        classifier.plan_classifier,
        classifier.train_classifier,
        {"classifier": export_classifier},
        classifier.HOW_TO,
    ),
}


def main(
    arguments: Sequence[str] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> int:
    """Train what the command line asks for.

    Args:
        arguments: of the command line; None for those of the process.
        callbacks: further ones for each training.

    Returns:
        The exit code; see `exit_code`.
    """
    options = parse_arguments(arguments)
    work = partial(train_all, options, callbacks)
    return exit_code("train_all.py", work, "go on with --resume")


def train_all(options: Any, callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Plan all parts, then train and export each."""
    # What can be refused is refused here, before anything is written.
    plans = {name: PARTS[name].plan(options) for name in options.only}
    if options.tensorboard:
        callbacks = [*callbacks, tensorboard(options.tensorboard)]
    check_writable(options.out)
    for name, plan in plans.items():
        model = PARTS[name].train(options, plan, callbacks)
        if model:
            PARTS[name].exports[model](options.out)
            file = options.out / model / f"{model}_int8.tflite"
            print(PARTS[name].how_to.format(file=file))
    report = options.out / "REPORT.md"
    print(f"\nEverything is in {options.out}; {report} sums it up.")


def export_again(name: str) -> int:
    """Export a saved model once more: `python -m export.NAME DIR`, DIR of a run.

    Args:
        name: of the model.

    Returns:
        The exit code; see `exit_code`.
    """
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(f"usage: python -m export.{name} DIR, a run's folder", file=sys.stderr)
        return 2
    exports = {
        key: value for part in PARTS.values() for key, value in part.exports.items()
    }
    work = partial(exports[name], sys.argv[1])
    code = exit_code(f"export.{name}", work, "run this again")
    if not code:
        print(f"written and checked; see {Path(sys.argv[1]) / 'REPORT.md'}")
    return code
