"""The server of the page in a process of its own, and how to ask it."""

import http.client
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from kerasseq.on_device.addresses import own_address

ROOT = Path(__file__).parents[2]
FILES = ("index.html", "page.js", "worker.js", "style.css")
START = """
import sys
from pathlib import Path
from kerasseq.on_device import serve, server
server.SECONDS, server.CONNECTIONS = float(sys.argv[1]), int(sys.argv[2])
sys.exit(serve.main(["--port=0", *sys.argv[4:]], dist=Path(sys.argv[3])))
"""


def sample_page(folder: Path) -> Path:
    """A built page in small: each file says its name."""
    for name in FILES:
        (folder / name).write_text(f"// {name}")
    listing = {"version": "0", "files": list(FILES), "models": []}
    (folder / "models.json").write_text(json.dumps(listing))
    return folder


def network_address() -> str:
    """This machine's address in a network."""
    try:
        return own_address("0.0.0.0")
    except OSError:
        pytest.skip("this machine is in no network")


class Serving:
    """The server in a process of its own.

    Args:
        dist: the folder of the built page.
        models: files to serve beside it, and options.
        seconds: limit of time, in place of the server's own.
        connections: limit at once, in place of the server's own.

    Attributes:
        told: what it says before the address.
        address: of the page.
        said: what it wrote to standard error, once it has ended.
    """

    def __init__(
        self,
        dist: Path,
        *models: Path | str,
        seconds: float = 10,
        connections: int = 64,
    ) -> None:
        limits = str(seconds), str(connections)
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, *limits, str(dist), *map(str, models)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            # Background jobs of a shell, and what they start, ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert self.process.stdout  # it is a pipe
        self.told = ""
        while not (line := self.process.stdout.readline()).startswith("http"):
            assert line, self.process.communicate()[1]
            self.told += line
        self.address = line.split()[0]
        self.port = int(self.address.split(":")[2].split("/")[0])
        self.host = {"Host": f"127.0.0.1:{self.port}"}
        self.said = ""

    def __enter__(self) -> "Serving":
        return self

    def end(self, number: int = signal.SIGTERM) -> None:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        self.said = self.process.communicate(timeout=10)[1]

    def __exit__(self, *exception: object) -> None:
        if self.process.returncode is None:
            self.end()


def head(
    start: str = "GET /page.js HTTP/1.1", fields: dict[str, str] | None = None
) -> bytes:
    """A request: its first line and its fields, by default of a server at 8000."""
    if fields is None:
        fields = {"Host": "127.0.0.1:8000"}
    lines = [start, *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


class Reply(NamedTuple):
    """An answer; `status` is None where the connection ended without one."""

    status: int | None
    headers: http.client.HTTPMessage | dict[str, str]
    content: bytes


def ask(port: int, request: bytes) -> Reply:
    """Send one request and read its answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        try:
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return Reply(answer.status, answer.headers, answer.read())
        except (ConnectionError, http.client.BadStatusLine):
            return Reply(None, {}, b"")
