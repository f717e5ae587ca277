"""Serve the page on this machine alone: `python serve.py FILE.tflite`.

It needs the standard library, and the built page, which `npm ci && npm run build` makes
in the folder of its sources. Only the page and the given files can be read from it.
"""

import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import NoReturn
from urllib.parse import quote, urlsplit

if __package__:
    from .command import Command
else:  # copied: beside one another
    from command import Command  # type: ignore[no-redef]

HOST = "127.0.0.1"
HERE = Path(__file__).resolve().parent
# The sources of the page: in a checkout, and in the installed package.
CHECKOUT, PACKAGED = HERE.parents[1] / "export" / "web", HERE / "web"
DIST = (CHECKOUT if CHECKOUT.is_dir() else PACKAGED) / "dist"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".tflite": "application/octet-stream",
    ".wasm": "application/wasm",
}
# A worker is not bound by what its page says of itself.
WORKER_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"
)


class Server(ThreadingHTTPServer):
    """A server of the page and of models beside it.

    Args:
        port: 0 takes a free one.
        models: files to serve beside the page.
        dist: the folder of the built page.

    Attributes:
        addresses: of the page with each of the models open, or of the page alone.

    Raises:
        OSError: the port is taken or not allowed.
    """

    daemon_threads = True
    # On Windows two servers would share the port.
    allow_reuse_address = os.name != "nt"

    def __init__(
        self, port: int, models: Sequence[Path] = (), dist: Path = DIST
    ) -> None:
        super().__init__((HOST, port), Handler)
        # Requests are looked up here and never read as a path.
        self.files = {f"/{path.name}": path for path in dist.iterdir()}
        self.files["/"] = dist / "index.html"
        root = f"http://{HOST}:{self.server_port}/"
        self.addresses = [] if models else [root]
        for index, model in enumerate(models):
            path = f"/model/{quote(model.name, safe='')}"
            if path in self.files:
                path = f"/model/{index}/{quote(model.name, safe='')}"
            self.files[path] = model
            self.addresses.append(f"{root}?model={quote(path)}")


class Handler(BaseHTTPRequestHandler):
    """Answers for one connection."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(with_content=True)

    def do_HEAD(self) -> None:
        self.answer(with_content=False)

    def answer(self, with_content: bool) -> None:
        path = self.server.files.get(urlsplit(self.path).path)
        try:
            content = path.read_bytes() if path else None
        except OSError:
            content = None
        if path is None or content is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        kind = TYPES.get(path.suffix.lower(), "application/octet-stream")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        if path.name == "worker.js":
            self.send_header("Content-Security-Policy", WORKER_POLICY)
        self.end_headers()
        if with_content:
            self.wfile.write(content)

    def log_message(self, format: str, *values: object) -> None:
        """Say nothing of each request."""


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """End quietly, wherever the signal comes."""
    sys.exit(0)


def main(
    arguments: Sequence[str] | None = None, prog: str = "serve.py", dist: Path = DIST
) -> int:
    """Run the command line.

    Args:
        arguments: None for those of the process.
        prog: the name in messages.
        dist: the folder of the built page.

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
    options = command.parse_args(arguments)

    def lines() -> Iterator[str]:
        if not (dist / "index.html").is_file():
            raise ValueError(
                f"{dist} is not built; run `npm ci && npm run build` in {dist.parent}"
            )
        for path in options.files:
            if not path.is_file():
                raise ValueError(f"{path} is no file; give a .tflite, or none")
        if not 0 <= options.port < 2**16:
            raise ValueError(f"--port {options.port}: give 0 to 65535")
        try:
            server = Server(options.port, options.files, dist)
        except OSError as error:
            taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
            reason = "is taken or not allowed" if taken else f"fails: {error.strerror}"
            raise ValueError(
                f"port {options.port} {reason}; give another with --port, 0 for any"
            ) from None
        with server:
            *others, last = server.addresses
            for address in others:
                yield f"{address}\n"
            yield f"{last} (Ctrl-C ends)\n"
            server.serve_forever()

    # A shell's background jobs ignore SIGINT, and go on doing so.
    numbers = (signal.SIGINT, signal.SIGTERM)
    heard = [n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _end) for number in heard}
    try:
        return command.run(lines())
    except SystemExit:
        return 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
