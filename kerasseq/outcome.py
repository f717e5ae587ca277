"""What a command's ending says: its exit code, and one line on standard error."""

import sys
from collections.abc import Callable
from typing import Any

from kerasseq.files.report import ChecksFailed
from kerasseq.files.writing import WriteError


def exit_code(program: str, work: Callable[[], Any], again: str) -> int:
    """Run a command's work.

    Args:
        program: its name, which begins the line.
        work: what it does.
        again: how to go on once there is room on the disk, or after Ctrl-C.

    Returns:
        0; 1 where training fails, a file cannot be written or does not keep its
        promises; 2 where what was asked for cannot be done; 130 after Ctrl-C.
    """
    try:
        work()
        return 0
    except ValueError as error:
        line, code = f"error: {error}", 2
    except FloatingPointError as error:
        line, code = f"training failed: {error}", 1
    except ChecksFailed as error:
        line, code = f"checks failed:\n{error}", 1
    except WriteError as error:
        line, code = f"{error}; make room, then {again}", 1
    except OSError as error:
        line, code = f"cannot go on: {error}", 1
    except KeyboardInterrupt:
        line, code = f"stopped; {again}", 130
    print(f"{program}: {line}", file=sys.stderr)
    return code
