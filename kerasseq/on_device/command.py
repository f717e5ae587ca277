"""What the programs beside this file do as commands: errors, streams, exit codes."""

import argparse
import contextlib
import errno
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NoReturn, TextIO

_program = getattr(sys.modules["__main__"], "__file__", None)
if _program and Path(_program).resolve().parent == Path(__file__).resolve().parent:
    # One of these programs is the process, and has nothing to clean up. Raised halfway
    # through an import, KeyboardInterrupt becomes a traceback or another error; so the
    # programs import this file before numpy.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))
# Characters, so that no input fills the memory.
LONGEST_LINE, LONGEST_PROMPT = 2**20, 2**24
# Some programs begin a text with it; it is none of the text.
BYTE_ORDER_MARK = "\ufeff"
# What moves a terminal's cursor, ends a line, turns the direction of writing or cannot
# be seen: control characters, bidirectional controls, separators of lines and
# paragraphs, halves of surrogate pairs, byte order marks, annotations and tags.
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def visible(text: str, kept: str = "") -> str:
    r"""A text from elsewhere as one line that is safe on a terminal.

    Args:
        text: any. Writing of all languages stays as it is; each character that
            `HIDDEN` matches becomes an escape like \x1b or \u202e.
        kept: characters that stay all the same.
    """
    return HIDDEN.sub(
        lambda found: (
            found[0]
            if found[0] in kept
            else found[0].encode("unicode_escape").decode("ascii")
        ),
        text,
    )


def mark(text: str, marks: Iterable[tuple[int, int, str, str]]) -> str:
    """A typed text on a line, with something around some of its words.

    Args:
        text: any; its white space becomes spaces, else see `visible`.
        marks: in order, where each starts and ends in the text, and what stands before
            and after it.
    """
    shown, last = [], 0
    spaced = re.sub(r"[^\S\x1c-\x1f]", " ", text)
    for start, end, before, after in marks:
        shown += [
            visible(spaced[last:start]),
            before,
            visible(spaced[start:end]),
            after,
        ]
        last = end
    return "".join([*shown, visible(spaced[last:])]).rstrip()


# Standard error is the process's, so one thread at a time exchanges it.
_standard_error = threading.Lock()


@contextlib.contextmanager
def native_silence() -> Iterator[None]:
    """Hold back what LiteRT prints when it opens a model; it has no log level."""
    with _standard_error:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            kept = os.dup(2)
        except OSError:  # standard error is closed
            yield
            return
        try:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def json_line(answer: dict[str, Any]) -> str:
    """An answer for programs: an object in ASCII on a line of its own.

    Raises:
        ValueError: a number in it is NaN or infinite.
    """
    return json.dumps(answer, allow_nan=False) + "\n"


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person reads what is written."""
    return stream is not None and stream.isatty()


class Command(argparse.ArgumentParser):
    """An argument parser that also runs its program."""

    def error(self, message: str) -> NoReturn:
        """Exit with 2 and one line, without the usage before it."""
        self.say(f"error: {message}; --help explains")
        sys.exit(2)

    def print_help(self, file: object = None) -> NoReturn:
        """Write the help as a program writes its texts, and exit."""
        sys.exit(self.run([self.format_help()]))

    def say(self, message: str) -> None:
        """Write a line to standard error, if it can be written."""
        try:
            # Where standard error is closed, `print` would choose standard output.
            if sys.stderr is not None:
                line = f"{self.prog}: {visible(message)}"
                print(line, file=sys.stderr, flush=True)
        except OSError:
            sys.stderr = None  # it would fail again when Python exits

    def run(self, texts: Iterable[str]) -> int:
        """Write texts to standard output, each as soon as it is made.

        Returns:
            The exit code: 0, also where the reader closes the pipe early; 1 where
            standard output cannot be written, or the machine fails or is short of
            memory; 2 where `texts` raises a ValueError; 130 after Ctrl-C.
        """
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(encoding="utf-8", errors="replace", newline="")
        try:
            for text in texts:
                try:
                    _write(text)
                except OSError as error:
                    # Nothing more can be written, not even when Python exits.
                    sys.stdout = None
                    if isinstance(error, BrokenPipeError):
                        return 0
                    self.say(f"standard output cannot be written: {error.strerror}")
                    return 1
            return 0
        except ValueError as error:
            self.say(str(error))
            return 2
        except KeyboardInterrupt:
            return 130
        except (MemoryError, OSError) as error:
            self.say(str(error) or "there is not enough memory")
            return 1


def _write(text: str) -> None:
    if sys.stdout is None:
        raise OSError(errno.EBADF, "it is closed")
    sys.stdout.write(text)
    sys.stdout.flush()


def read_lines() -> Iterator[str]:
    """The lines of standard input, without their ends, LF or CRLF.

    Raises:
        ValueError: it is closed, cannot be read or is not UTF-8, or a line is longer
            than LONGEST_LINE.
    """
    with _standard_input() as stream:
        for number in count(1):
            line = stream.readline(LONGEST_LINE + 3)  # with a mark and CRLF
            if number == 1:
                line = line.removeprefix(BYTE_ORDER_MARK)
            if not line:
                return
            line = line.removesuffix("\n").removesuffix("\r")
            yield _within(LONGEST_LINE, line, f"line {number} of ")


def read_all() -> str:
    """What comes on standard input; "" where that is a terminal or closed.

    Raises:
        ValueError: it cannot be read, is not UTF-8 or is longer than LONGEST_PROMPT.
    """
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    with _standard_input() as stream:
        text = stream.read(LONGEST_PROMPT + 2).removeprefix(BYTE_ORDER_MARK)
        return _within(LONGEST_PROMPT, text)


def _within(most: int, text: str, where: str = "") -> str:
    if len(text) > most:
        raise ValueError(
            f"{where}standard input has more than {most:,} characters; give less"
        )
    return text


@contextlib.contextmanager
def _standard_input() -> Iterator[TextIO]:
    if sys.stdin is None:
        raise ValueError("standard input is closed; give the text as an argument")
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict", newline="\n")
    try:
        yield sys.stdin
    except UnicodeDecodeError as error:
        raise ValueError(
            f"standard input is not UTF-8 (byte 0x{error.object[error.start]:02x}); "
            "convert it, for example with iconv"
        ) from None
    except OSError as error:
        raise ValueError(f"standard input cannot be read: {error.strerror}") from None
