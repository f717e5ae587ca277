"""The command line: `kerasseq`, `train_all.py` and `python -m export.NAME`.

Parsing and help load neither TensorFlow nor Keras; only the work does.
"""

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from kerasseq import __version__
from kerasseq.on_device.command import visible
from kerasseq.option_parameters import with_options
from kerasseq.outcome import exit_code, say
from kerasseq.quiet import hush
from kerasseq.runs.options import Options
from kerasseq.starting import importing, open_streams, own_process
from kerasseq.tools import add_tools

TRAIN = """\
Train small sequence models on a text, and export and check their files.

Each model becomes files for a phone, a browser or wherever LiteRT runs.

  {0}                    prose of Python's own manual
  {0} story.txt          your own text, in any language
  {0} --labels mail.tsv  a classifier of sentences too
  {0} --quick            everything, small, in about a minute
  {0} --preset best      a better model, a few minutes longer
  {0} --resume           continue a stopped run
"""
EXPORT = "Export saved models again, without training, and check their files."
ON_DEVICE = {
    "write": "Write text with a character model.",
    "suggest": "Suggest the next words, as a keyboard does.",
    "classify": "Say which class a sentence is of.",
    "tag": "Find the names in a sentence.",
    "translate": "Translate a text.",
    "encode": "Print a sentence's vectors and which words attend to which.",
    "show": "Print a file's card, vocabulary and signatures.",
}
MAKE, DEVICES = "Make models", "Use files, on any device"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `kerasseq`.

    Args:
        arguments: of the command line; None for those of the process.

    Returns:
        The exit code.
    """
    prepare, arguments = _from_process(arguments)
    app = _new_app(add_completion=True)
    _add_version(app)
    _add_train(app, "kerasseq train", prepare, ())
    _add_export(app, "kerasseq export", prepare)
    add_tools(app, MAKE, DEVICES)
    for name, help in ON_DEVICE.items():
        # `__main__` runs these without typer; here they are for the help.
        app.command(name, help=help, rich_help_panel=DEVICES)(lambda: None)
    return _run(app, arguments or ["--help"], "kerasseq")


def train(
    arguments: Sequence[str] | None = None,
    callbacks: Sequence[Any] = (),
    program: str = "train_all.py",
) -> int:
    """Train what a command line asks for.

    Args:
        arguments: of the command line; None for those of the process.
        callbacks: additional Keras callbacks for each training.
        program: the command's name, as the user typed it.

    Returns:
        The exit code; see `exit_code`.
    """
    prepare, arguments = _from_process(arguments)
    app = _new_app()
    _add_train(app, program, prepare, callbacks)
    return _run(app, arguments, program)


@open_streams()
def export_again(name: str, arguments: Sequence[str] | None = None) -> int:
    """Export a saved model again: `python -m export.NAME DIR`, DIR of a run.

    Args:
        name: of the model.
        arguments: of the command line; None for those of the process.

    Returns:
        The exit code; see `exit_code`.
    """
    program = f"export.{name}"
    prepare, arguments = _from_process(arguments)
    if len(arguments) != 1 or arguments[0].startswith("-"):
        say(f"usage: python -m {program} DIR, a run's folder")
        return 2
    prepare()
    return _export(Path(arguments[0]), name, program)


def _from_process(
    arguments: Sequence[str] | None,
) -> tuple[Callable[[], None], Sequence[str]]:
    """What to call before the work, and the arguments."""
    # Only a command with a process of its own may redirect standard error.
    if arguments is None:
        own_process()
        return _load, sys.argv[1:]
    return lambda: None, arguments


def _load() -> None:
    """Import what training and exporting need, whatever Keras is set to elsewhere."""
    hush()
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with importing():
        import_module("keras").config.set_floatx("float32")
        import_module("kerasseq.parts")


def _new_app(add_completion: bool = False) -> typer.Typer:
    return typer.Typer(
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
        add_completion=add_completion,
        pretty_exceptions_enable=False,
    )


def _run(app: typer.Typer, arguments: Sequence[str], program: str) -> int:
    """Run a typer application and report wrong arguments in one line."""

    def work() -> int:
        try:
            # Of Ctrl-C, typer would make an exit code without a word.
            with importing():
                return app(list(arguments), prog_name=program, standalone_mode=False)
        except typer.Abort:
            raise KeyboardInterrupt from None
        except typer.TyperException as error:
            names = {each.name for each in app.registered_commands}
            name = program
            if app.registered_callback and arguments[0] in names:
                name = f"{program} {arguments[0]}"
            line = error.format_message().rstrip(".")
            if near := getattr(error, "possibilities", None):
                line = f"{error.message}; did you mean {' or '.join(near)}?"
            say(f"{name}: error: {line}; --help explains")
            return 2

    return exit_code(program, work, "run this again")


def _add_version(app: typer.Typer) -> None:
    def show(wanted: bool) -> None:
        if wanted:
            print(f"kerasseq {__version__}")
            raise typer.Exit

    version = typer.Option(
        "--version", callback=show, is_eager=True, metavar="", help="Show the version."
    )

    @app.callback()
    def command(
        version: Annotated[bool, version] = False,
    ) -> None:
        """Small sequence models, from your text to files for devices."""


def _add_train(
    app: typer.Typer,
    program: str,
    prepare: Callable[[], None],
    callbacks: Sequence[Any],
) -> None:
    def work(options: Options) -> int:
        prepare()
        from kerasseq.parts import train_all

        again = "continue with --resume"
        return exit_code(
            program, partial(train_all, options, callbacks, stay=True), again
        )

    typed = f"python {program}" if program.endswith(".py") else program
    app.command("train", help=TRAIN.format(typed), rich_help_panel=MAKE)(
        with_options(work)
    )


def _add_export(app: typer.Typer, program: str, prepare: Callable[[], None]) -> None:
    @app.command("export", help=EXPORT, rich_help_panel=MAKE)
    def export(
        out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of a run.")],
        part: Annotated[
            str | None,
            typer.Argument(
                metavar="PART",
                help="A model's folder in OUT, char_rnn for example.",
                show_default="all that are there",
                autocompletion=_saved_models,
            ),
        ] = None,
    ) -> int:
        prepare()
        return _export(out, part, program)


def _export(out: Path, name: str | None, program: str) -> int:
    from kerasseq.parts import export

    def work() -> None:
        export(out, name)
        print(visible(f"written and checked; see {out / 'REPORT.md'}"))

    return exit_code(program, work, "run this again")


def _saved_models(context: typer.Context, incomplete: str) -> list[str]:
    """The saved models of the run named on the command line."""
    saved = Path(context.params["out"]).glob("*/*.keras")
    return [path.stem for path in saved if path.stem.startswith(incomplete)]
