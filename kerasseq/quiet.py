"""Keeps log lines of TensorFlow and LiteRT that a user cannot act on off the screen.

Most of them are written before or after any log level applies: while TensorFlow is
being loaded and, by LiteRT, while the process ends. So a process of its own reads what
native code writes to standard error and passes on all but those lines. What Python
writes does not go through it, and what native code says when it crashes still arrives.
"""

import contextlib
import io
import logging
import os
import re
import signal
import subprocess
import sys
import warnings

NOISE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|I\d{4} [\d:.]+ "  # absl's information
    rb"|[WE]\d{4} [\d:.]+ .*(failed call to cuInit|already (been )?registered)"
    rb"|E\d{4} [\d:.]+ .*oneDNN supports DT_\w+ only on platforms with AVX-512"
    rb"|E\d{4} [\d:.]+ .*NodeDef mentions attribute \w+ which is not in the op defin"
    rb"|W\d{4} [\d:.]+ .*Error in PredictCost"  # of how long an operation takes
    rb"|W\d{4} [\d:.]+ .*tf_tfl_flatbuffer_helpers.*Ignored "
    rb"|To enable the following instructions: "
    rb"|INFO: "  # LiteRT's information
)


class Screen(io.TextIOWrapper):
    """Standard error. That it is full or closed ends no command."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()


def hush() -> None:
    """Filter what native code writes to standard error, until the process ends.

    For a command's own process, before TensorFlow is loaded.
    """
    if sys.stderr is None:
        return  # it was closed
    # Warnings and errors. Those of other machines come as one line of ours.
    level = "3" if os.environ.get("TF_CONFIG") else "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", level)
    if any(action == "error" for action, *_ in warnings.filters):
        # `python -W error` is for our code: the libraries warn of their own.
        warnings.filterwarnings("default", module="(?!kerasseq)")
    # Sentences have many lengths, and each is traced once.
    logging.getLogger("tensorflow").addFilter(
        lambda record: "triggered tf.function retracing" not in record.getMessage()
    )
    sys.stderr.flush()
    screen = os.dup(2)
    # It ends with the last process that can write to the pipe, and Ctrl-C is for the
    # command: what is blocked here is blocked there for ever, and comes here later.
    if sys.platform != "win32":
        usual = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        reader = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=screen,
        )
    except OSError:  # no process can be started: then the screen shows more
        os.close(screen)
        return
    finally:
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_SETMASK, usual)
    assert reader.stdin  # a pipe was asked for
    os.dup2(reader.stdin.fileno(), 2)
    reader.stdin.close()
    reader.returncode = 0  # it outlives this process, which is no fault
    sys.stderr = Screen(
        os.fdopen(screen, "wb"),
        encoding=sys.stderr.encoding,
        errors="backslashreplace",
        line_buffering=True,
    )


def pass_on() -> None:
    """Copy standard input to standard output without the noise."""
    for line in sys.stdin.buffer:
        if not NOISE.match(line):
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    pass_on()
