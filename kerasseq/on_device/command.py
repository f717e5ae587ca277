"""What the programs beside this file do as commands: errors, streams, exit codes."""

import argparse
import contextlib
import errno
import sys
from collections.abc import Iterable, Iterator
from typing import NoReturn, TextIO


class Command(argparse.ArgumentParser):
    """An argument parser that also runs its program."""

    def error(self, message: str) -> NoReturn:
        """Exit with 2 and one line, without the usage before it."""
        self.exit(2, f"{self.prog}: error: {message}; --help explains\n")

    def say(self, message: str) -> None:
        """Write a line to standard error."""
        # Where standard error is closed, `print` would choose standard output.
        if sys.stderr is not None:
            print(f"{self.prog}: {message}", file=sys.stderr, flush=True)

    def run(self, texts: Iterable[str]) -> int:
        """Write texts to standard output, each as soon as it is made.

        Returns:
            The exit code: 0, also where the reader closes the pipe early; 1 where
            standard output cannot be written; 2 where `texts` raises a ValueError;
            130 after Ctrl-C.
        """
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(encoding="utf-8", errors="replace", newline="")
        try:
            for text in texts:
                if sys.stdout is None:
                    raise OSError(errno.EBADF, "it is closed")
                sys.stdout.write(text)
                sys.stdout.flush()
            return 0
        except ValueError as error:
            self.say(str(error))
            return 2
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:
            code = 0
        except OSError as error:
            self.say(f"standard output cannot be written: {error.strerror}")
            code = 1
        # Nothing more can be written, not even when Python exits.
        sys.stdout = None
        return code


def read_lines() -> Iterator[str]:
    """The lines of standard input, without their ends.

    Raises:
        ValueError: it is closed, cannot be read or is not UTF-8.
    """
    with _standard_input() as stream:
        for line in stream:
            yield line.removesuffix("\n")


def read_all() -> str:
    """What comes on standard input; "" where that is a terminal or closed.

    Raises:
        ValueError: it cannot be read or is not UTF-8.
    """
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    with _standard_input() as stream:
        return stream.read()


@contextlib.contextmanager
def _standard_input() -> Iterator[TextIO]:
    if sys.stdin is None:
        raise ValueError("standard input is closed; give the text as an argument")
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict")
    try:
        yield sys.stdin
    except UnicodeDecodeError as error:
        raise ValueError(
            f"standard input is not UTF-8 (byte 0x{error.object[error.start]:02x}); "
            "convert it, for example with iconv"
        ) from None
    except OSError as error:
        raise ValueError(f"standard input cannot be read: {error.strerror}") from None
