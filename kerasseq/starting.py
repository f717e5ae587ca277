"""What a command's process does first, before it imports anything that takes time."""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import FrameType

AGAIN = 5.0  # seconds, enough to leave the block with all that it holds


def own_process() -> None:
    """Prepare a process for a command, until it ends.

    Ctrl-C ends it at once, with one word, outside `interruptible`: halfway through an
    import, most libraries would show a traceback or be broken. Where a standard stream
    is closed, no other file takes its number, into which a library would then write.
    """
    # Neither where signals are ignored, as by nohup, nor where somebody handles them.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it takes the lowest free number


def interruptible() -> AbstractContextManager[None]:
    """Let Ctrl-C raise KeyboardInterrupt in the block."""
    return _handling(_stop, _interrupt)


def importing() -> AbstractContextManager[None]:
    """Let Ctrl-C end the process in the block, where the command has it for itself."""
    return _handling(_interrupt, _stop)


@contextlib.contextmanager
def _handling(before: Callable, handler: Callable) -> Iterator[None]:
    """Handle Ctrl-C in the block, if it was handled so before."""
    if signal.getsignal(signal.SIGINT) is not before:
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def open_streams() -> Iterator[None]:
    r"""Let a block, and the libraries in it, print whatever they have to.

    What the encoding of standard output lacks becomes an escape such as \u2192, as on
    standard error. Streams that are closed get a place to go.
    """
    with contextlib.ExitStack() as after:
        for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
            if getattr(sys, name) is None:
                stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123
                after.enter_context(stream)
                setattr(sys, name, stream)
                after.callback(setattr, sys, name, None)
        stream, fails = sys.stdout, ("strict", "surrogateescape")  # that of locale C
        if isinstance(stream, io.TextIOWrapper) and stream.errors in fails:
            after.callback(_reconfigure, stream, stream.errors)
            _reconfigure(stream, "backslashreplace")
        yield


def _reconfigure(stream: io.TextIOWrapper, errors: str) -> None:
    with contextlib.suppress(OSError):  # it writes first, and the disk may be full
        stream.reconfigure(errors=errors)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # In a destructor or a callback from C, Python drops an exception, and the work goes
    # on: the exception is raised again until the block ends.
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, _interrupt)
        signal.setitimer(signal.ITIMER_REAL, AGAIN)
    raise KeyboardInterrupt


def _stop(number: int, frame: FrameType | None) -> None:
    with contextlib.suppress(OSError):
        os.write(2, b"stopped\n")
    os._exit(130)
