"""Send the page's server bad requests: `python tests/fuzz/fuzz_server.py`.

Random bytes, well-formed requests and changed ones, in pieces, cut, pipelined or reset,
go to serve.py in a process of its own (--cases 10000). Each answer must be one that
Python's http.client reads. A file may come only to a request under this server's name
and from no other page, and then byte for byte. A traceback, a connection that is
neither answered nor closed, or an end of the server is a failure; afterwards the server
must still serve the page. The cases are random with a fixed seed (--seed).
"""

import argparse
import http.client
import io
import random
import select
import socket
import struct
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.serving import FILES, Serving, ask, sample_page


class Case(NamedTuple):
    """What is sent, in which pieces, and how it ends: waits, closes or resets."""

    kind: str
    pieces: list[bytes]
    end: str
    own: bool  # whether a file may come


def case(chance: random.Random, port: int) -> Case:
    """A random case."""
    fields = [
        ("Host", chance.choice(["127.0.0.1", "localhost", "[::1]"]) + f":{port}"),
        ("User-Agent", "fuzz"),
        ("Accept", "*/*"),
    ]
    paths = ["/", "/page.js", "/worker.js", "/model/m.tflite", "/none", "/index.html?a"]
    line = f"{chance.choice(['GET', 'GET', 'HEAD'])} {chance.choice(paths)} HTTP/1.1"
    kinds = ["plain", "foreign", "method", "target", "fields", "bytes", "noise", "many"]
    kind = chance.choice(kinds)
    if kind == "foreign":
        hosts = ["evil.example", "", f"127.0.0.1:{port + 1}", f"a@localhost:{port}"]
        own = f"127.0.0.1:{port}"
        way = chance.randrange(4)
        if way == 0:
            fields[0] = ("Host", chance.choice(hosts))
        elif way == 1:
            fields += [("HOST", chance.choice([*hosts, own]))]
        elif way == 2:
            site = chance.choice(["cross-site", "same-site", "x", ""])
            fields += [("Sec-Fetch-Site", site)]
        else:
            origins = [f"https://{own}", "null", "", "http://x"]
            fields += [("Origin", chance.choice(origins))]
        if way > 1:
            line = f"GET {chance.choice(paths[1:4])} HTTP/1.1"
    elif kind == "method":
        methods = [
            "POST",
            "PUT",
            "DELETE",
            "OPTIONS",
            "TRACE",
            "CONNECT",
            "get",
            "A" * 9,
        ]
        line = f"{chance.choice(methods)} / HTTP/1.1"
    elif kind == "target":
        targets = [
            "http://[",
            "*",
            "//",
            "/../x",
            "/%",
            "/%00",
            "/\0",
            "/é",
            "",
            "a:b@c",
        ]
        targets += ["http://u:p@h/", "/model/../../etc/passwd", "/" + "a" * 70_000]
        version = chance.choice(["HTTP/1.1", "HTTP/1.0", "HTTP/9.9", "", "HTTP/1.1 x"])
        line = f"GET {chance.choice(targets)} {version}"
    elif kind == "fields":
        others = [
            ("Content-Length", "7"),
            ("Transfer-Encoding", "chunked"),
            (" a", "b"),
        ]
        others += [
            ("", ""),
            ("a b", "c"),
            ("X", "y" * 70_000),
            ("Content-Length", "-1"),
        ]
        others += [("Connection", "close"), ("Expect", "100-continue"), ("X", "\0\x7f")]
        others += [(f"X{n}", "y") for n in range(chance.choice([1, 9, 9000]))]
        for _ in range(chance.randint(1, 40)):
            fields.insert(chance.randint(0, len(fields)), chance.choice(others))
    text = "\r\n".join([line, *(f"{name}: {value}" for name, value in fields), "", ""])
    content = text.encode("utf-8")
    if kind == "bytes":
        changed = bytearray(content)
        for _ in range(chance.choice([1, 1, 2, 8])):
            position = chance.randrange(len(changed))
            size = chance.choice([0, 1, 1, 5])
            changed[position : position + size] = chance.randbytes(
                chance.choice([0, 1])
            )
        content = bytes(changed)
    elif kind == "noise":
        content = chance.randbytes(chance.choice([0, 1, 40, 3000, 200_000]))
        content += chance.choice([b"", b"\r\n\r\n", b"\n\n"])
    elif kind == "many":
        content *= chance.choice([2, 50])
    pieces = [content]
    for _ in range(chance.choice([0, 0, 0, 1, 5])):
        last = pieces.pop()
        cut = chance.randint(0, len(last))
        pieces += [last[:cut], last[cut:]]
    if chance.random() < 0.1:
        pieces.pop()
    # Changed bytes may by chance still be a request under this server's name.
    own = kind in ("plain", "many", "fields", "bytes", "target")
    return Case(kind, pieces, chance.choice(["wait", "wait", "close", "reset"]), own)


def play(each: Case, port: int, contents: set[bytes]) -> str:
    """Send a case, read what comes, and name how it ended.

    Raises:
        AssertionError: an answer is malformed, or a file came to who may not read it.
    """
    received = b""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    with connection:
        try:
            for piece in each.pieces:
                connection.sendall(piece)
            if each.end == "close":
                connection.shutdown(socket.SHUT_WR)
            if each.end == "reset":
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return "reset by the reader"
            while piece := connection.recv(2**20):
                received += piece
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            # The server has closed it while more was sent.
    statuses = read_answers(received, contents if each.own else set())
    return " ".join(sorted({str(status) for status in statuses})) or "closed"


def read_answers(received: bytes, contents: set[bytes]) -> list[int]:
    """The status of each answer on a connection.

    Raises:
        AssertionError: one is malformed, or has a content that is not expected.
    """
    statuses = []
    while received:
        start, _, rest = received.partition(b"\r\n")
        version, status, *_ = start.split(b" ")
        assert version == b"HTTP/1.1", received[:200]
        # http.client stands for what a browser reads.
        headers = http.client.parse_headers(io.BytesIO(rest))
        body = rest.partition(b"\r\n\r\n")[2]
        size = int(headers["Content-Length"])
        content = body[:size]
        if status == b"200":
            # The answer to HEAD has no content: the next answer, or nothing, follows.
            if content not in contents:
                assert not content or content.startswith(b"HTTP/1.1 "), content[:200]
                assert contents, "a file came to who may not read it"
                size = 0
        else:
            assert headers["Connection"] == "close" and len(body) <= size, body[:200]
        statuses.append(int(status))
        received = body[size:]
    return statuses


def fuzz(count: int, seed: int = 7) -> Counter:
    """Run cases and count how they ended, by kind.

    Raises:
        AssertionError: a case ended in the wrong way; the message shows it.
    """
    chance, counts = random.Random(seed), Counter()
    with tempfile.TemporaryDirectory() as name:
        model = Path(name) / "m.tflite"
        model.write_bytes(chance.randbytes(5000))
        (Path(name) / "dist").mkdir()
        dist = sample_page(Path(name) / "dist")
        contents = {model.read_bytes(), *((dist / name).read_bytes() for name in FILES)}
        with Serving(dist, model, seconds=0.05) as serving:
            for index in range(count):
                each = case(chance, serving.port)
                try:
                    counts[each.kind, play(each, serving.port, contents)] += 1
                    assert serving.process.poll() is None, "the server has ended"
                    assert serving.process.stderr, "it is a pipe"
                    loud, _, _ = select.select([serving.process.stderr], [], [], 0)
                    assert not loud, "the server has said something"
                except (AssertionError, OSError) as error:
                    shown = repr(each)[:2000]
                    raise AssertionError(f"case {index}, {shown}: {error!r}") from error
            host = f"Host: 127.0.0.1:{serving.port}"
            page = ask(serving.port, f"GET / HTTP/1.1\r\n{host}\r\n\r\n".encode())
            assert page.content == b"// index.html", page
        assert (serving.process.returncode, serving.said) == (0, ""), serving.said
    return counts


def main() -> int:
    """Print the counts; the exit code says whether every case ended as required."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    try:
        counts = fuzz(options.cases, options.seed)
    except AssertionError as error:
        print(error, file=sys.stderr)
        return 1
    print("| request | answers | cases |")
    print("| --- | --- | --- |")
    for (kind, end), number in sorted(counts.items()):
        print(f"| {kind} | {end} | {number} |")
    print(
        f"{sum(counts.values())} cases: no traceback, no hang, and the page after them"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
