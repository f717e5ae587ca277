"""The options of a training run as the parameters of a typer command."""

from collections.abc import Callable, Sequence
from dataclasses import Field, fields
from inspect import Parameter, Signature
from typing import Annotated, Any

import typer

from kerasseq.runs.fields import option_name
from kerasseq.runs.options import Options


def with_options(work: Callable[[Options], Any]) -> Callable[..., Any]:
    """A function for typer, with one parameter for each field of `Options`."""

    defaults = {field.name: _default(field) for field in fields(Options)}

    def command(text: str | None, **given: Any) -> Any:
        values = {name: value for name, value in given.items() if value}
        if text is not None and values["corpus"] != defaults["corpus"]:
            raise typer.TyperException("give the text as TEXT or --corpus, not both")
        if text is not None:
            values["corpus"] = text
        try:
            options = Options(**values)
        except ValueError as error:
            raise typer.TyperException(str(error)) from None
        return work(options)

    text = typer.Argument(
        metavar="TEXT", help="A text file.", show_default="see --corpus"
    )
    parameters = [_parameter("text", str | None, None, text)]
    parameters += [
        _parameter(field.name, _kind(field), defaults[field.name], _typer_option(field))
        for field in fields(Options)
    ]
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return command


def _parameter(name: str, kind: Any, default: Any, info: Any) -> Parameter:
    return Parameter(
        name,
        Parameter.POSITIONAL_OR_KEYWORD,
        default=default,
        annotation=Annotated[kind, info],
    )


def _kind(field: Field) -> Any:
    """The type of typer's value; `Options` converts texts to numbers."""
    if field.type is bool:
        return bool
    return list[str] | None if field.metadata["repeatable"] else str | None


def _default(field: Field) -> Any:
    if field.type is bool:
        return False
    # What has a text for its default is left to `Options`.
    unknown = field.metadata["default_text"] or field.default in ("", None)
    return None if unknown else str(field.default)


def _typer_option(field: Field) -> Any:
    about = field.metadata
    choices = about["choices"]
    return typer.Option(
        option_name(field),
        metavar=about["metavar"],
        help=about["help"],
        rich_help_panel=about["group"],
        show_default=about["default_text"] or field.type is not bool,
        autocompletion=_completing(choices) if choices else None,
    )


def _completing(names: Sequence[str]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return complete
