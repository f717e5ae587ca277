"""From a text to models and tested files: the parts of a run.

Parts, each of which can be run alone with --only: attention shows what scaled
dot-product attention computes; encoder trains a small Transformer on masked words;
char_rnn trains a model that writes text, a Transformer with --model transformer. Others
run if their file is given: next_word (--words) suggests words, tagger (--tags) finds
names, classifier (--labels) classifies sentences, translation (--pairs) translates
them. Models become SavedModel and TFLite files, which are checked against the Keras
models.
"""

import os
import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol

import keras

from kerasseq.files.lock import locked
from kerasseq.files.report import read_report
from kerasseq.live_page import live_page
from kerasseq.models.precision import check_keras
from kerasseq.on_device.command import visible
from kerasseq.recipes.exporting import RECIPES, export_run
from kerasseq.runs import (
    attention,
    characters,
    classifier,
    encoder,
    next_word,
    tagger,
    translation,
)
from kerasseq.runs.options import Options
from kerasseq.runs.outlook import Outlook
from kerasseq.runs.watch import Watch
from kerasseq.starting import open_streams
from kerasseq.training.callbacks import tensorboard
from kerasseq.training.workers import Workers, join


class Part(Protocol):
    """A part of a run, a module of `kerasseq.runs`."""

    HOW_TO: str  # the next commands to type, with `{file}` for the model

    def plan(self, options: Options) -> Any:
        """Read the data; refuse unusable options and files before anything is written.

        Raises:
            ValueError: an option or a file cannot be used.
        """

    def train(
        self, options: Options, plan: Any, callbacks: Sequence[keras.callbacks.Callback]
    ) -> str | None:
        """Train and save a model; return its name, or None if there is no model."""


PARTS: dict[str, Part] = {
    "attention": attention,
    "encoder": encoder,
    "char_rnn": characters,
    "next_word": next_word,
    "tagger": tagger,
    "classifier": classifier,
    "translation": translation,
}
# Several workers can train these together.
SHARED = "char_rnn", "next_word"


def how_to(part: str, file: Path) -> str:
    """The next commands to type, or to paste, for a file of a part."""
    return PARTS[part].HOW_TO.format(file=visible(shlex.quote(file.as_posix())))


# Ids of processes: this one's and, where it was forked, also of those before it.
_TRAINED_IN: set[int] = set()


@open_streams()
def train_all(
    options: Options,
    callbacks: Sequence[keras.callbacks.Callback],
    stay: bool = False,
) -> None:
    """Plan all parts, then train and export each.

    Args:
        options: of the run.
        callbacks: additional Keras callbacks for each training.
        stay: keep the run's page, where there is one, until Ctrl-C.
    """
    check_keras()
    if _TRAINED_IN - {os.getpid()}:
        raise RuntimeError(
            "this process was forked from one that has trained, and TensorFlow's "
            "threads are not in it: it would wait for ever; start processes with "
            'multiprocessing.get_context("spawn")'
        )
    _TRAINED_IN.add(os.getpid())
    team = join()
    if team.count > 1 and (alone := set(options.only) - set(SHARED)):
        raise ValueError(
            f"several workers, which TF_CONFIG names, train {' and '.join(SHARED)}, "
            f"not {', '.join(sorted(alone))}; give --only, or unset TF_CONFIG"
        )
    with team.together():
        _train_parts(options, callbacks, stay, team)


def _train_parts(
    options: Options,
    callbacks: Sequence[keras.callbacks.Callback],
    stay: bool,
    team: Workers,
) -> None:
    # All plans come first, so that errors show before anything is written.
    plans = team.agree(
        lambda: {name: PARTS[name].plan(options) for name in options.only}
    )
    if options.tensorboard and team.is_chief:
        callbacks = [*callbacks, tensorboard(options.tensorboard)]
    measuring = {
        name: getattr(plan, "seconds_of_measuring", 0.0) for name, plan in plans.items()
    }
    outlook = Outlook(options.only, options.preset, measuring)
    watch = Watch(outlook)
    shows, writes = options.page and team.is_chief, team.is_chief
    with live_page(watch, options.host) if shows else nullcontext() as page:
        lock = locked(options.out, *PARTS, *RECIPES) if writes else nullcontext()
        with lock, outlook.watching():
            read_report(options.out)  # refused here, not after a training
            for name, plan in plans.items():
                outlook.begin(name)
                watch.begin(name)
                model = PARTS[name].train(options, plan, [*callbacks, outlook, watch])
                if model:
                    outlook.export()
                    export_run(model, options.out)
                    folder = options.out / model
                    print(how_to(name, folder / f"{model}_int8.tflite"))
                    watch.exported(sorted(folder.glob("*.tflite")))
        report = options.out / "REPORT.md"
        line = visible(f"Everything is in {options.out}; {report} sums it up.")
        print(f"\n{line}")
        watch.end()
        if page and stay:
            page.stay()


@open_streams()
def export(directory: str | Path, name: str | None = None) -> None:
    """Export saved models again.

    Args:
        directory: of a run.
        name: of the model; None for all in the directory.

    Raises:
        ValueError: there is no model, it cannot be used, or another run uses the
            folder.
        ChecksFailed: a file fails its checks.
    """
    check_keras()
    directory = Path(directory)
    if name and name not in RECIPES:
        raise ValueError(f"{name!r} is none of {', '.join(RECIPES)}")
    names = [
        each
        for each in ([name] if name else RECIPES)
        if (directory / each / f"{each}.keras").exists()
    ]
    if not names:
        kind = f" of the kind {name}" if name else ""
        raise ValueError(f"{directory} holds no saved model{kind}; train one first")
    with locked(directory, *names):
        for each in names:
            export_run(each, directory)


def train(
    corpus: str = "pydoc",
    out: str | Path = "out",
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **options: Any,
) -> dict[str, Any]:
    """Train and export as `kerasseq train` does.

    Args:
        corpus: a text file, `toy` or `pydoc`.
        out: folder for the files.
        callbacks: additional Keras callbacks for each training. A checkpoint keeps
            their numbers and lists of arrays, or what `get_state()` returns of a
            callback that has that method and `set_state(state)`.
        **options: of the command line, with `_` for `-`: `only=["char_rnn"]`,
            `preset="fast"`, `top_p=0.9`. `kerasseq train --help` explains them.

    Returns:
        The run's report by section, as in its `report.json`.

    Raises:
        ValueError: an option or a file cannot be used; nothing is written.
        FloatingPointError: training fails.
        ChecksFailed: a file fails its checks.
        OSError: a file cannot be written.
        RuntimeError: this process was forked from one that has trained.

    Example:
        >>> import kerasseq
        >>> report = kerasseq.train("toy", "out", only=["char_rnn"], epochs=1, units=32)
        >>> report["char_rnn"]["held-out loss"] < 2
        True
    """
    chosen = Options(corpus=corpus, out=Path(out), **options)
    train_all(chosen, callbacks)
    return read_report(chosen.out)
