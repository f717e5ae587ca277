"""Ends a process whose cluster does not form, with a line that says who is missing.

It is a program of its own, of the standard library alone.
"""

import json
import os
import signal
import socket
import sys
import threading


def missing(others: list[tuple[str, str]], seconds: float = 2.0) -> list[str]:
    """The names of those who do not listen at their HOST:PORT."""
    found = []
    for name, address in others:
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), seconds).close()
        except OSError:
            found.append(name)
    return found


def line(others: list[tuple[str, str]], absent: list[str], seconds: float) -> str:
    """What a user reads."""
    if absent:
        who = f"{', '.join(absent)} did not come"
    else:
        names = ", ".join(name for name, _ in others)
        who = f"{names} did not answer, though there"
    return (
        f"kerasseq: cannot continue: {who} within {seconds:g} seconds; start all "
        "workers within that time, with the same TF_CONFIG but for the task"
    )


def main(process: int, seconds: float, others: list[tuple[str, str]]) -> None:
    """Wait for the end of standard input, else end the process."""

    def give_up() -> None:
        print(line(others, missing(others), seconds), file=sys.stderr, flush=True)
        # TensorFlow takes the polite signal for a notice of preemption, and waits on.
        os.kill(process, getattr(signal, "SIGKILL", signal.SIGTERM))

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command
    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    sys.stdin.buffer.read()
    timer.cancel()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), json.loads(sys.argv[3]))
