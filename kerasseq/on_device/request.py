"""Requests to serve.py, parsed by a strict grammar and checked."""

import re
from collections.abc import Collection
from http import HTTPStatus
from typing import NamedTuple

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST = re.compile(
    rb"(%b) ([!-~]+) HTTP/1\.([01])\r\n((?:%b:[\t -~\x80-\xff]*\r\n)*)\r\n"
    % (_TOKEN, _TOKEN)
)


class Refusal(Exception):
    """A request that is answered with an error.

    Args:
        status: of the answer.
        reason: how to ask, where it is not obvious.
    """

    def __init__(self, status: HTTPStatus, reason: str = "") -> None:
        super().__init__(f"{status} {status.phrase}{reason}")
        self.status = status


class Request(NamedTuple):
    """A request that can be answered.

    Attributes:
        path: without the query.
        content: whether the answer is wanted, and not its headers alone.
        acts: whether it asks to do something.
        last: whether the connection ends with the answer.
    """

    path: str
    content: bool
    acts: bool
    last: bool


def read_request(
    head: bytes, hosts: Collection[str], actions: Collection[str] = ()
) -> Request:
    """Parse and check a request, without its body.

    Args:
        head: all of it, up to and with the empty line.
        hosts: the names of this server, in lower case, as in "localhost:8000".
        actions: paths where a POST does something.

    Raises:
        Refusal: it is malformed, for another server, of another page, or asks to do
            something else.
    """
    match = _REQUEST.fullmatch(head)
    if not match:
        raise Refusal(HTTPStatus.BAD_REQUEST)
    method, target, version, lines = match.groups()
    fields: dict[str, list[str]] = {}
    for line in lines.decode("latin-1").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        fields.setdefault(name.lower(), []).append(value.strip(" \t").lower())
    if len(fields.get("host", ())) != 1:
        raise Refusal(HTTPStatus.BAD_REQUEST)
    # A page elsewhere can let its own name mean this machine, but sends that name.
    (host,) = fields["host"]
    if host not in hosts:
        names = " or ".join(sorted(hosts))
        raise Refusal(HTTPStatus.MISDIRECTED_REQUEST, f": this is {names}")
    path = target.decode("ascii").partition("?")[0]
    acts = method == b"POST" and path in actions
    if not acts and method not in (b"GET", b"HEAD"):
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED)
    body = "transfer-encoding" in fields or set(fields.get("content-length", ())) - {
        "0"
    }
    if body or not target.startswith(b"/"):
        raise Refusal(HTTPStatus.BAD_REQUEST)
    origin = f"http://{host}"
    foreign = set(fields.get("origin", ())) - {origin} or set(
        fields.get("sec-fetch-site", ())
    ) - {"same-origin", "none"}
    # Another page may link to this one, and that is all. Browsers name the page that
    # sends a POST, so one without a name is not of the page.
    if (foreign and path != "/") or (acts and "origin" not in fields):
        raise Refusal(HTTPStatus.FORBIDDEN)
    last = version == b"0" or "close" in ",".join(fields.get("connection", ()))
    return Request(path, method != b"HEAD", acts, last)
