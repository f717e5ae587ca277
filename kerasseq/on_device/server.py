"""The server of the page: its files and the given models, and nothing else.

It answers this machine's browsers alone, unless it is given another address. Pages from
elsewhere in the same browser get nothing, and requests and answers have limits of time
and size.
"""

import asyncio
import io
import os
import signal
import socket
from collections.abc import Callable, Sequence
from email.utils import formatdate
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Any, BinaryIO
from urllib.parse import quote

if __package__:
    from .addresses import in_address, own_address
    from .archive import open_regular
    from .page_files import list_files
    from .request import Refusal, read_request
else:  # copied: beside one another
    from addresses import in_address, own_address  # type: ignore[no-redef]
    from archive import open_regular  # type: ignore[no-redef]
    from page_files import list_files  # type: ignore[no-redef]
    from request import Refusal, read_request  # type: ignore[no-redef]

HOST = "127.0.0.1"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tflite": "application/octet-stream",
    ".wasm": "application/wasm",
}
# A page cannot say this of itself, and a worker is not bound by what its page says.
PAGE_POLICY = "frame-ancestors 'none'"
WORKER_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"
)
WORKERS = ("/worker.js", "/offline.js")
HEADERS = (
    "Cache-Control: no-cache",
    "Cross-Origin-Resource-Policy: same-origin",
    "Referrer-Policy: no-referrer",
    "X-Content-Type-Options: nosniff",
    "X-Frame-Options: DENY",
)
# A browser takes it from this machine or https alone, and complains elsewhere.
HERE = "Cross-Origin-Opener-Policy: same-origin"
CONNECTIONS = 64  # at once; a browser has six
SECONDS = 10.0  # to send a request, and to take each piece of an answer
REQUEST_SIZE = 2**16  # bytes; cookies of this machine's other servers come along
PIECE = 2**16  # bytes of a file in memory, for each connection

Content = Path | bytes | Callable[[], bytes]


class Server:
    """A server of the page and of models beside it.

    Args:
        port: 0 takes a free one.
        models: files to serve beside the page.
        dist: the folder of the built page.
        host: the address of this machine where it listens, in IPv4 or IPv6; 0.0.0.0
            and :: are all of them.

    Attributes:
        address: of the page; of one model alone, with it open.
        files: what is served, by its path: files, contents, and functions that return a
            content.
        actions: what a POST to a path does.

    Raises:
        OSError: the address or the port is taken or not allowed, or a file cannot be
            read.
        KeyError: the folder has no page.
    """

    def __init__(
        self, port: int, models: Sequence[Path], dist: Path, host: str = HOST
    ) -> None:
        self.dist = dist
        # Requests are looked up here and never read as a path.
        self.files: dict[str, Content] = {}
        self.actions: dict[str, Callable[[], None]] = {}
        files = self.share(models)
        at = own_address(host) if ip_address(host).is_unspecified else host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.create_server((host, port), family=family)
        self.port = self.socket.getsockname()[1]
        self.connections = 0
        self.address = f"http://{in_address(at)}:{self.port}/"
        if len(models) == 1:
            (path,) = (path for path in files if files[path] is models[0])
            self.address += f"?model={quote(path)}"

    def share(self, models: Sequence[Path]) -> dict[str, Path | bytes]:
        """Serve these models, and list them.

        Returns:
            The files of the page and the models; see `list_files`.

        Raises:
            OSError: a file cannot be read.
            KeyError: the folder has no page.
        """
        files = list_files(self.dist, models)
        self.files.update((f"/{path}", content) for path, content in files.items())
        self.files["/"] = self.files["/index.html"]
        return files

    def _hosts(self, own: str) -> set[str]:
        """The names of this server for who has reached it at one of its addresses."""
        names = {in_address(own), HOST, "localhost", "[::1]"}
        hosts = {f"{name}:{self.port}" for name in names}
        return hosts | names if self.port == 80 else hosts

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
        own = writer.get_extra_info("sockname")[0]
        try:
            if self.connections > CONNECTIONS:
                raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE)
            try:
                async with asyncio.timeout(SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.LimitOverrunError:
                raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
            request = read_request(head, self._hosts(own), self.actions)
            try:
                if request.acts:
                    self.actions[request.path]()
                    file, left = _open(b"")
                else:
                    file, left = _open(self.files[request.path])
            except (KeyError, OSError):
                raise Refusal(HTTPStatus.NOT_FOUND) from None
        except Refusal as refusal:
            text = f"{refusal}\n".encode()
            headers = _headers(refusal.status, "/error.txt", len(text), own, last=True)
            await _send(writer, headers + text)
            return True
        with file:
            path = request.path if request.path != "/" else "/index.html"
            await _send(writer, _headers(HTTPStatus.OK, path, left, own, request.last))
            while request.content and left:
                piece = file.read(min(left, PIECE))
                if not piece:
                    raise EOFError  # the reader sees that less came than was promised
                await _send(writer, piece)
                left -= len(piece)
        return request.last


def _open(content: Content) -> tuple[BinaryIO, int]:
    """A file or a content to read, and its size in bytes.

    Raises:
        OSError: it cannot be read, or is no file now.
    """
    if callable(content):
        content = content()
    if isinstance(content, bytes):
        return io.BytesIO(content), len(content)
    file = open_regular(content)
    return file, os.fstat(file.fileno()).st_size


def _headers(status: HTTPStatus, path: str, size: int, own: str, last: bool) -> bytes:
    """The status line and the headers of an answer."""
    default = "application/octet-stream" if status == HTTPStatus.OK else "text/plain"
    policy = WORKER_POLICY if path in WORKERS else PAGE_POLICY
    suffix = PurePosixPath(path).suffix.lower()
    lines = [
        f"HTTP/1.1 {status} {status.phrase}",
        f"Content-Type: {TYPES.get(suffix, default)}",
        f"Content-Length: {size}",
        f"Content-Security-Policy: {policy}",
        f"Date: {formatdate(usegmt=True)}",
        *HEADERS,
        *([HERE] if ip_address(own).is_loopback else []),
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
