"""The server of the page: files to this machine's browser, and to nobody else.

Other pages in the same browser get nothing, and requests and answers have limits of
time and size.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote

if __package__:
    from .archive import open_regular
    from .request import Refusal, read_request
else:  # copied: beside one another
    from archive import open_regular  # type: ignore[no-redef]
    from request import Refusal, read_request  # type: ignore[no-redef]

HOST = "127.0.0.1"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".tflite": "application/octet-stream",
    ".wasm": "application/wasm",
}
# A page cannot say this of itself, and a worker is not bound by what its page says.
PAGE_POLICY = "frame-ancestors 'none'"
WORKER_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"
)
HEADERS = (
    "Cache-Control: no-cache",
    "Cross-Origin-Opener-Policy: same-origin",
    "Cross-Origin-Resource-Policy: same-origin",
    "Referrer-Policy: no-referrer",
    "X-Content-Type-Options: nosniff",
    "X-Frame-Options: DENY",
)
CONNECTIONS = 64  # at once; a browser has six
SECONDS = 10.0  # to send a request, and to take each piece of an answer
REQUEST_SIZE = 2**16  # bytes; cookies of this machine's other servers come along
PIECE = 2**16  # bytes of a file in memory, for each connection


class Server:
    """A server of the page and of models beside it.

    Args:
        port: 0 takes a free one.
        models: files to serve beside the page.
        dist: the folder of the built page.

    Attributes:
        addresses: of the page with each of the models open, or of the page alone.

    Raises:
        OSError: the port is taken or not allowed, or the folder cannot be read.
        KeyError: the folder has no page.
    """

    def __init__(self, port: int, models: Sequence[Path], dist: Path) -> None:
        # Requests are looked up here and never read as a path.
        self.files = {f"/{path.name}": path for path in dist.iterdir()}
        self.files["/"] = self.files["/index.html"]
        self.socket = socket.create_server((HOST, port))
        port = self.socket.getsockname()[1]
        names = HOST, "localhost", "[::1]"
        self.hosts = {f"{name}:{port}" for name in names}
        if port == 80:
            self.hosts.update(names)
        self.connections = 0
        root = f"http://{HOST}:{port}/"
        self.addresses = [] if models else [root]
        for index, model in enumerate(models):
            name = quote(os.fsencode(model.name), safe="")
            path = f"/model/{name}"
            if path in self.files:
                path = f"/model/{index}/{name}"
            self.files[path] = model
            self.addresses.append(f"{root}?model={quote(path)}")

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    async def serve(self, numbers: Sequence[int] = ()) -> None:
        """Answer until one of these signals comes, or the task is cancelled."""
        ending, loop = asyncio.Event(), asyncio.get_running_loop()

        def end(number: int, frame: FrameType | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(ending.set)

        def complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            # The system may lack room for another connection, which is lost.
            if not isinstance(context.get("exception"), OSError):
                loop.default_exception_handler(context)

        loop.set_exception_handler(complain)
        for number in numbers:
            signal.signal(number, end)
        await asyncio.start_server(self._talk, sock=self.socket, limit=REQUEST_SIZE)
        await ending.wait()

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        # Nothing is written until all before it has been sent.
        writer.transport.set_write_buffer_limits(0)
        try:
            while not await self._answer(reader, writer):
                pass
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # It is lost or too slow, the file was cut, or the server ends.
        finally:
            self.connections -= 1
            writer.transport.abort()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request, and say whether it was the last."""
        try:
            if self.connections > CONNECTIONS:
                raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE)
            try:
                async with asyncio.timeout(SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.LimitOverrunError:
                raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
            request = read_request(head, self.hosts)
            try:
                file = open_regular(self.files[request.path])
            except (KeyError, OSError):
                raise Refusal(HTTPStatus.NOT_FOUND) from None
        except Refusal as refusal:
            text = f"{refusal}\n".encode()
            headers = _headers(refusal.status, Path("error.txt"), len(text), last=True)
            await _send(writer, headers + text)
            return True
        with file:
            left = os.fstat(file.fileno()).st_size
            path = self.files[request.path]
            await _send(writer, _headers(HTTPStatus.OK, path, left, request.last))
            while request.content and left:
                piece = file.read(min(left, PIECE))
                if not piece:
                    raise EOFError  # the reader sees that less came than was promised
                await _send(writer, piece)
                left -= len(piece)
        return request.last


def _headers(status: HTTPStatus, path: Path, size: int, last: bool) -> bytes:
    """The status line and the headers of an answer."""
    default = "application/octet-stream" if status == HTTPStatus.OK else "text/plain"
    policy = WORKER_POLICY if path.name == "worker.js" else PAGE_POLICY
    lines = [
        f"HTTP/1.1 {status} {status.phrase}",
        f"Content-Type: {TYPES.get(path.suffix.lower(), default)}",
        f"Content-Length: {size}",
        f"Content-Security-Policy: {policy}",
        f"Date: {formatdate(usegmt=True)}",
        *HEADERS,
        *(["Allow: GET, HEAD"] if status == HTTPStatus.METHOD_NOT_ALLOWED else []),
        *(["Connection: close"] if last else []),
    ]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


async def _send(writer: asyncio.StreamWriter, content: bytes) -> None:
    """Send all of it.

    Raises:
        OSError: the connection is lost, or takes too long.
    """
    writer.write(content)
    async with asyncio.timeout(SECONDS):
        await writer.drain()
