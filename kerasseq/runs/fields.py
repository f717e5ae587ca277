"""One field of `Options`: its description for the command line, and its check."""

import math
from collections.abc import Callable, Sequence
from dataclasses import field
from functools import partial
from typing import Any

from kerasseq.on_device.addresses import NO_HOST, is_host


def one_of(*names: str) -> Callable[[Any], str]:
    """A check: a value is one of some names."""

    def check(value: Any) -> str:
        if value not in names:
            raise ValueError(f"{value!r} is none of {', '.join(names)}")
        return value

    return check


def ip(value: str) -> str:
    """An IP address of this machine, or of all its networks."""
    if not is_host(value):
        raise ValueError(f"{value!r} {NO_HOST}")
    return value


def number(kind: type, low: float, high: float = math.inf) -> Callable[[Any], Any]:
    """A check: a value, or the text of one, is a number from `low` to `high`."""

    def check(given: Any) -> Any:
        try:
            value = kind(given)
        except (TypeError, ValueError):
            value = math.nan
        if not low <= value <= high or math.isinf(value) or value != float(given):
            bounds = f"from {low} up" if high == math.inf else f"from {low} to {high}"
            name = "whole number" if kind is int else "number"
            raise ValueError(f"{given!r} is not a {name} {bounds}")
        return value

    return check


def numbers(check: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    """A check of one or more values."""
    return lambda values: tuple(
        map(check, [values] if isinstance(values, str | float | int) else values)
    )


def cell(value: Any) -> str:
    """A check: a value names a recurrent cell."""
    # Imported here, since the help does not need Keras.
    from kerasseq.models.char_rnn import CELLS

    return one_of(*CELLS)(value)


def two_columns(value: Any) -> tuple[int, int]:
    """A check: two different numbers of columns, or the text of them, "1,4"."""
    given = value.split(",") if isinstance(value, str) else value
    try:
        first, second = map(number(int, 1, 1000), given)
    except (TypeError, ValueError):
        first = second = 0
    if first == second:
        raise ValueError(f"{value!r} is not two columns, such as 1,4")
    return first, second


def option(
    group: str,
    default: Any,
    metavar: str,
    help: str,
    check: Callable[[Any], Any] = lambda value: value,
    *,
    name: str = "",
    default_text: str = "",
    choices: Sequence[str] = (),
    repeatable: bool = False,
) -> Any:
    """A field of `Options`, with its description for the command line.

    Args:
        group: heading in the help.
        default: value of an option that is not given.
        metavar: name of the value in the help; empty for a flag.
        help: one or two lines.
        check: converts the value, or its text; raises ValueError.
        name: of the option, if it differs from the field's.
        default_text: shown in the help instead of the default.
        choices: completed by the shell.
        repeatable: the option may be given more than once.
    """
    metadata = {
        "group": group,
        "metavar": metavar,
        "help": help,
        "check": check,
        "name": name,
        "default_text": default_text,
        "choices": choices,
        "repeatable": repeatable,
    }
    return field(default=default, metadata=metadata)


# An option, under each heading of the help.
about_data = partial(option, "What to train on")
about_training = partial(option, "How to train")
about_samples = partial(option, "Sample texts")


def option_name(each: Any) -> str:
    """How the command line calls a field of `Options`."""
    return each.metadata["name"] or f"--{each.name.replace('_', '-')}"
