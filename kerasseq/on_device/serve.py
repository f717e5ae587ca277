"""Serve the page on this machine alone: `python serve.py FILE.tflite`.

It needs the standard library, and dist/, which `npm ci && npm run build` makes. Nothing
but dist/ and the file can be read from it.
"""

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlsplit

HOST = "127.0.0.1"
DIST = Path(__file__).resolve().parents[2] / "export" / "web" / "dist"
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
    """A server of the files in a table.

    Args:
        port: 0 takes a free one.
        model: a file to serve beside the page, or None.
    """

    daemon_threads = True
    # On Windows two servers would share the port.
    allow_reuse_address = os.name != "nt"

    def __init__(self, port: int, model: Path | None) -> None:
        super().__init__((HOST, port), Handler)
        # What is asked for is looked up here and never read as a path.
        self.files = {f"/{path.name}": path for path in DIST.iterdir()}
        self.files["/"] = DIST / "index.html"
        self.address = f"http://{HOST}:{self.server_port}/"
        if model:
            place = f"/model/{quote(model.name, safe='')}"
            self.files[place] = model
            self.address += f"?model={quote(place)}"


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(
        prog="serve.py", description="Serve the page that writes text with a model."
    )
    parser.add_argument(
        "file", nargs="?", type=Path, help="a .tflite to open in the page"
    )
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    options = parser.parse_args(arguments)
    complaint = None
    if not (DIST / "index.html").is_file():
        complaint = (
            f"{DIST} is not built; run `npm ci && npm run build` in {DIST.parent}"
        )
    elif options.file and not options.file.is_file():
        complaint = f"{options.file} is no file; give a .tflite, or none"
    elif not 0 <= options.port < 2**16:
        complaint = f"--port {options.port}: give 0 to 65535"
    if complaint:
        print(f"serve.py: {complaint}", file=sys.stderr)
        return 2
    try:
        server = Server(options.port, options.file)
    except OSError as error:
        taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        reason = "is taken or not allowed" if taken else f"fails: {error.strerror}"
        print(
            f"serve.py: port {options.port} {reason}; give another with --port, "
            "0 for any",
            file=sys.stderr,
        )
        return 2
    with server:
        try:
            print(f"{server.address} (Ctrl-C ends)", flush=True)
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
