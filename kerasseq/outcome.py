"""How a command ends: with an exit code, and one line on standard error."""

import sys
from collections.abc import Callable
from typing import Any

from kerasseq.files.report import ChecksFailed
from kerasseq.files.writing import WriteError


def exit_code(program: str, work: Callable[[], Any], again: str) -> int:
    """Run a command's work.

    Args:
        program: the command's name, which begins the line.
        work: what the command does; it may return an exit code.
        again: how to continue once the disk has room, or after Ctrl-C.

    Returns:
        The work's exit code, else 0; 1 if training fails, or a file cannot be written
        or fails its checks; 2 if the request cannot be carried out; 130 after Ctrl-C.
    """
    try:
        return work() or 0
    except ValueError as error:
        line, code = f"error: {error}", 2
    except FloatingPointError as error:
        line, code = f"training failed: {error}", 1
    except ChecksFailed as error:
        line, code = f"checks failed:\n{error}", 1
    except WriteError as error:
        line, code = f"{error}; make room, then {again}", 1
    except OSError as error:
        line, code = f"cannot continue: {error}", 1
    except KeyboardInterrupt:
        line, code = f"stopped; {again}", 130
    print(f"{program}: {line}", file=sys.stderr)
    return code
