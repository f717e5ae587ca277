"""How a command ends: with an exit code, and one line on standard error."""

import contextlib
import errno
import sys
from collections.abc import Callable
from typing import Any

from kerasseq.files.report import ChecksFailed
from kerasseq.files.writing import WriteError
from kerasseq.on_device.command import visible
from kerasseq.starting import interruptible, open_streams

LONGEST = 500  # characters of a line; what is wrong stands at its start or its end


@open_streams()
def exit_code(program: str, work: Callable[[], Any], again: str) -> int:
    """Run a command's work.

    Args:
        program: the command's name, which begins the line.
        work: what the command does; it may return an exit code.
        again: how to continue once the disk can be written to, or after Ctrl-C.

    Returns:
        The work's exit code, else 0; 1 if training fails, or a file or standard output
        cannot be written, or a file fails its checks; 2 if the request cannot be
        carried out; 130 after Ctrl-C.
    """
    failed: list[str] = []
    try:
        with interruptible():
            code = work() or 0
            _flush()
            return code
    except ValueError as error:
        line, code = f"error: {error}", 2
    except ModuleNotFoundError as error:
        line, code = f"error: {error.name} is not installed; pip install kerasseq", 2
    except FloatingPointError as error:
        line, code = f"training failed: {error}", 1
    except ChecksFailed as error:
        line, code = "checks failed:", 1
        failed = str(error).split("\n")
    except WriteError as error:
        line, code = f"{error}; once it can, {again}", 1
    except OSError as error:
        line, code = f"cannot continue: {error}", 1
        if error.errno == errno.ENAMETOOLONG:  # only a name that was given is
            code = 2
    except KeyboardInterrupt:
        line, code = f"stopped; {again}", 130
    for each in (f"{program}: {line}", *failed):
        say(each)
    return code


def _flush() -> None:
    """Write what is left for standard output, while its faults can still be said."""
    try:
        sys.stdout.flush()
    except OSError as error:
        raise OSError(f"standard output cannot be written ({error.strerror})") from None


def say(message: str) -> None:
    """Write a line to standard error: foreign text is visible, and long text cut."""
    line = visible(message)
    if len(line) > LONGEST:
        line = f"{line[: LONGEST - 200]} … {line[-200:]}"
    with contextlib.suppress(OSError):  # there is no other place to say it
        print(line, file=sys.stderr)
