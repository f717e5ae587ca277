"""Serve the page on this machine: `python serve.py FILE.tflite`.

It needs the standard library, and the built page, which `npm ci && npm run build` makes
in the folder of its sources. Only the page and the given files can be read from it, and
only from this machine, unless --host names an address of it.
"""

import asyncio
import errno
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import NoReturn

if __package__:
    from .addresses import NO_HOST, is_host
    from .archive import open_regular
    from .command import Command
    from .server import HOST, Server
else:  # copied: beside one another
    from addresses import NO_HOST, is_host  # type: ignore[no-redef]
    from archive import open_regular  # type: ignore[no-redef]
    from command import Command  # type: ignore[no-redef]
    from server import HOST, Server  # type: ignore[no-redef]

HERE = Path(__file__).resolve().parent
# The sources of the page: in a checkout, and in the installed package.
CHECKOUT, PACKAGED = HERE.parents[1] / "export" / "web", HERE / "web"
DIST = (CHECKOUT if CHECKOUT.is_dir() else PACKAGED) / "dist"
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:[/\\]", re.IGNORECASE)
_OPEN = """\
Everyone in this network can read the page and {models}, and nothing else.
Nothing is encrypted and there is no password. What is typed stays on the device that
opens the page. A browser keeps the page for use without a network only from https or
from this machine.
"""


def check_file(path: Path) -> None:
    """Check that a path is of a file that can be served.

    Raises:
        ValueError: it is not.
    """
    if _ADDRESS.match(str(path)):
        # Not shown: it may have a password in it.
        raise ValueError(
            "an address is no file; run this without it, and open it in the page"
        )
    try:
        open_regular(path).close()
    except OSError as error:
        raise ValueError(
            f"{path} cannot be served: {error.strerror}; give a .tflite, or none"
        ) from None


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """End quietly, wherever the signal comes."""
    sys.exit(0)


def main(
    arguments: Sequence[str] | None = None,
    prog: str = "serve.py",
    dist: Path = DIST,
    draw: Callable[[str], str] = lambda address: "",
) -> int:
    """Run the command line.

    Args:
        arguments: None for those of the process.
        prog: the name in messages.
        dist: the folder of the built page.
        draw: makes lines of an address for the camera of a phone.

    Returns:
        The exit code.
    """
    command = Command(
        prog=prog, description="Serve the page that writes text with a model."
    )
    command.add_argument(
        "files", nargs="*", type=Path, help=".tflite files to open in the page"
    )
    command.add_argument(
        "--port", type=int, default=8000, help="0 takes a free one (8000)"
    )
    command.add_argument(
        "--host",
        default=HOST,
        help="address of this machine to listen at, 0.0.0.0 for all; others in the "
        "network can then read the page and the files (127.0.0.1: nobody else can)",
    )
    options = command.parse_args(arguments)
    # A shell's background jobs ignore SIGINT, and go on doing so.
    numbers = (signal.SIGINT, signal.SIGTERM)
    heard = [n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN]

    def lines() -> Iterator[str]:
        for path in options.files:
            check_file(path)
        with start(options.port, options.files, dist, options.host) as server:
            if not ip_address(options.host).is_loopback:
                count = len(options.files)
                models = f"{count or 'no'} model file{'s' * (count != 1)}"
                yield _OPEN.format(models=models) + draw(server.address)
            yield f"{server.address} (Ctrl-C ends)\n"
            asyncio.run(server.serve(heard))

    before = {number: signal.signal(number, _end) for number in heard}
    try:
        return command.run(lines())
    except SystemExit:
        return 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start(port: int, models: Sequence[Path], dist: Path, host: str) -> Server:
    """A server of the page.

    Args:
        port: where it listens; 0 takes a free one.
        models: files to serve beside the page.
        dist: the folder of the built page.
        host: the address of this machine where it listens.

    Raises:
        ValueError: it cannot start; the message says why.
    """
    if not 0 <= port < 2**16:
        raise ValueError(f"--port {port}: give 0 to 65535")
    if not is_host(host):
        raise ValueError(f"--host {host} {NO_HOST}")
    try:
        return Server(port, models, dist, host)
    except (FileNotFoundError, KeyError):
        raise ValueError(
            f"{dist} is not built; run `npm ci && npm run build` in {dist.parent}"
        ) from None
    except OSError as error:
        if error.filename:
            reason = f"{error.filename} cannot be read: {error.strerror}"
            raise ValueError(reason) from None
        if error.errno in (errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EAFNOSUPPORT):
            raise ValueError(
                f"--host {host} is no address of this machine in a network now; "
                "leave it out to use the page on this machine"
            ) from None
        taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        reason = "is taken or not allowed" if taken else f"fails: {error.strerror}"
        raise ValueError(
            f"port {port} {reason}; give another with --port, 0 for any"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
