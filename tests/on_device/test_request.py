"""Requests to the server of the page: which are read, and which are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.on_device.request import Refusal, Request, read_request
from tests.support.serving import head

HOSTS = {"127.0.0.1:8000", "localhost:8000", "[::1]:8000"}
HELD = {"/training/hold"}
BASE = {"Host": "127.0.0.1:8000"}


def status_of(content):
    """The status of a refusal; 200 for a request that is answered."""
    try:
        read_request(content, HOSTS)
    except Refusal as refusal:
        return int(refusal.status)
    return 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((host, 200) for host in sorted(HOSTS)),
        ("LocalHost:8000", 200),
        ("127.0.0.1", 421),
        ("127.0.0.1:8001", 421),
        ("evil.example:8000", 421),
        ("evil.example", 421),
        ("127.0.0.1:8000.evil.example", 421),
        ("user:pass@127.0.0.1:8000", 421),
        ("", 421),
    ],
)
def test_only_this_servers_own_names_are_answered(host, status):
    assert status_of(head(fields={"Host": host})) == status


@pytest.mark.parametrize(
    ("fields", "page", "model"),
    [
        ({}, 200, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200, 200),
        ({"Sec-Fetch-Site": "none"}, 200, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 200, 403),
        ({"Sec-Fetch-Site": "same-site"}, 200, 403),
        ({"Origin": "http://127.0.0.1:8000"}, 200, 200),
        ({"Origin": "http://127.0.0.1:3000"}, 200, 403),
        ({"Origin": "https://127.0.0.1:8000"}, 200, 403),
        ({"Origin": "http://evil.example"}, 200, 403),
        ({"Origin": "null"}, 200, 403),
    ],
)
def test_another_page_can_link_to_the_page_and_read_nothing(fields, page, model):
    assert status_of(head("GET /?model=%2Fmodel%2Fm HTTP/1.1", BASE | fields)) == page
    assert status_of(head("GET /model/m.tflite HTTP/1.1", BASE | fields)) == model


@pytest.mark.parametrize(
    ("method", "fields", "status"),
    [
        ("POST", {"Origin": "http://127.0.0.1:8000"}, 200),
        ("POST", {"Origin": "http://127.0.0.1:8000", "Content-Length": "0"}, 200),
        ("POST", {}, 403),
        ("POST", {"Origin": "http://evil.example"}, 403),
        ("POST", {"Origin": "null"}, 403),
        ("POST", {"Origin": "http://localhost:8000"}, 403),
        (
            "POST",
            {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"},
            403,
        ),
        ("POST", {"Origin": "http://127.0.0.1:8000", "Content-Length": "1"}, 400),
        ("PUT", {"Origin": "http://127.0.0.1:8000"}, 405),
    ],
)
def test_only_the_page_itself_lets_the_server_do_something(method, fields, status):
    content = head(f"{method} /training/hold HTTP/1.1", BASE | fields)
    try:
        request = read_request(content, HOSTS, HELD)
    except Refusal as refusal:
        assert refusal.status == status
    else:
        assert request.acts and status == 200
    assert not read_request(head("GET /training/hold HTTP/1.1"), HOSTS, HELD).acts
    # Where nothing is to be done, a POST is refused whoever sends it.
    assert status_of(content) == 405


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (head("POST / HTTP/1.1"), 405),
        (head("OPTIONS * HTTP/1.1"), 405),
        (head("CONNECT 127.0.0.1:8000 HTTP/1.1"), 405),
        (head("get / HTTP/1.1"), 405),
        (head("GET http://[ HTTP/1.1"), 400),
        (head("GET http://127.0.0.1:8000/ HTTP/1.1"), 400),
        (head("GET / HTTP/2.0"), 400),
        (head("GET /"), 400),
        (head("GET / / HTTP/1.1"), 400),
        (head("GET /\x00 HTTP/1.1"), 400),
        (head("GET /é HTTP/1.1"), 400),
        (head(fields={}), 400),
        (head("GET / HTTP/1.0", {}), 400),
        (head(fields=BASE | {"host": "127.0.0.1:8000"}), 400),
        (head(fields=BASE | {" X": "folded"}), 400),
        (head(fields=BASE | {"X ": "y"}), 400),
        (head(fields=BASE | {"X": "\x00"}), 400),
        (head(fields=BASE | {"X": "a\nb: c"}), 400),
        (head(fields=BASE | {"Content-Length": "0"}), 200),
        (head(fields=BASE | {"Content-Length": "5"}), 400),
        (head(fields=BASE | {"Transfer-Encoding": "chunked"}), 400),
        (head().replace(b"\r\n", b"\n"), 400),
    ],
)
def test_what_is_no_plain_question_is_refused(content, status):
    assert status_of(content) == status


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content):
    for request in (content, head(f"GET /{content!r} HTTP/1.1"), head() + content):
        assert status_of(request) in (200, 400, 405)


@given(
    st.sampled_from(["GET", "HEAD"]),
    st.from_regex(r"/[!->@-~]*", fullmatch=True),
    st.from_regex(r"(\?[!-~]*)?", fullmatch=True),
    st.sampled_from("01"),
    st.dictionaries(
        st.from_regex(r"X-[!#-'*+.0-9A-Za-z^_`|~-]*", fullmatch=True),
        st.from_regex(r"[\t -~\x80-\xff]*", fullmatch=True),
    ),
)
def test_every_well_formed_request_is_read(method, path, query, version, fields):
    found = read_request(
        head(f"{method} {path}{query} HTTP/1.{version}", BASE | fields), HOSTS
    )
    assert found == Request(path, method == "GET", False, version == "0")
