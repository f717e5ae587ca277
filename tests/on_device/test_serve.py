"""The server of the page: whom it answers, what it sends, and where it stops."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import pytest

from kerasseq.on_device.page_files import list_files
from tests.fuzz import fuzz_server
from tests.support.serving import (
    FILES,
    Reply,
    Serving,
    ask,
    head,
    network_address,
    sample_page,
)


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    return sample_page(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("models") / "a model.tflite"
    path.write_bytes(random.Random(3).randbytes(300_000))
    return path


@pytest.fixture(scope="module")
def serving(dist, model):
    with Serving(dist, model) as serving:
        yield serving
    assert serving.said == ""


def get(serving, path="/", **fields) -> Reply:
    return ask(serving.port, head(f"GET {path} HTTP/1.1", serving.host | fields))


def test_a_file_is_sent_whole_with_its_headers(serving, model):
    reply = get(serving, "/model/a%20model.tflite")
    assert reply.content == model.read_bytes()
    for path, policy in (
        ("/", "frame-ancestors 'none'"),
        ("/index.html?x=/y", "frame-ancestors 'none'"),
        ("/worker.js", "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "),
        ("/none", "frame-ancestors 'none'"),
    ):
        headers = get(serving, path).headers
        assert headers["Content-Security-Policy"].startswith(policy)
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers


def test_a_refusal_says_how_to_ask(serving):
    reply = get(serving, Host="evil.example")
    assert reply.status == 421
    assert f"this is 127.0.0.1:{serving.port} or " in reply.content.decode()
    assert get(serving, "/none").content == b"404 Not Found\n"


def test_a_connection_answers_one_request_after_the_other(serving, model):
    with socket.create_connection(("127.0.0.1", serving.port), timeout=10) as one:
        request = head("HEAD /model/a%20model.tflite HTTP/1.1", serving.host)
        one.sendall(request * 3 + head("GET /page.js HTTP/1.0", serving.host))
        content = one.makefile("rb").read()
    assert content.count(b"HTTP/1.1 200 OK\r\n") == 4
    assert content.count(b"Content-Length: 300000\r\n") == 3
    assert content.endswith(b"\r\n\r\n// page.js")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_file_that_became_something_else_is_refused(dist, tmp_path):
    paths = [tmp_path / name for name in ("pipe", "folder", "device", "gone", "cut")]
    for path in paths:
        path.write_bytes(b"a file")
    with Serving(dist, *paths) as serving:
        pipe, folder, device, gone, cut = paths
        for path in paths:
            path.unlink()
        os.mkfifo(pipe)
        folder.mkdir()
        device.symlink_to("/dev/zero")
        cut.write_bytes(bytes(50_000_000))
        for path in (pipe, folder, device, gone):
            assert get(serving, f"/model/{path.name}").status == 404, path.name
        # A file that is cut while it is read: less comes than was promised.
        with socket.create_connection(("127.0.0.1", serving.port), timeout=10) as slow:
            slow.sendall(head("GET /model/cut HTTP/1.1", serving.host))
            assert b"Content-Length: 50000000" in slow.recv(1000)
            cut.write_bytes(b"")
            assert len(slow.makefile("rb").read()) < 49_000_000
        assert get(serving, "/model/cut").content == b""
    assert serving.said == ""


def test_time_connections_and_size_have_limits(dist, model):
    with Serving(dist, model, seconds=0.3, connections=5) as serving:
        place = "127.0.0.1", serving.port
        began = time.monotonic()
        with socket.create_connection(place, timeout=10) as slow:
            # One byte at a time keeps no connection alive.
            for byte in head(fields=serving.host | {"X": "y" * 500}):
                try:
                    slow.sendall(bytes([byte]))
                except ConnectionError:
                    break
                time.sleep(0.01)
            else:
                pytest.fail("all 500 bytes were taken")
        assert 0.2 < time.monotonic() - began < 5
        many = [socket.create_connection(place, timeout=10) for _ in range(5)]
        assert get(serving).status in (503, None)
        for each in many:
            assert each.recv(1) == b"", "an idle connection is closed"
            each.close()
        assert get(serving).status == 200
        assert get(serving, "/" + "x" * 2**17).status in (431, None)
        assert get(serving, X="y" * 2**17).status in (431, None)
        assert get(serving, X="y" * 2**15).status == 200
    assert serving.said == ""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_slow_readers_of_a_large_file_take_little_memory(dist, tmp_path):
    large = tmp_path / "large.tflite"
    with large.open("wb") as file:
        file.truncate(50_000_000)  # sparse

    with Serving(dist, large, seconds=0.5) as serving:

        def memory(name):
            lines = Path(f"/proc/{serving.process.pid}/status").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if name in line) * 1024

        before = memory("VmRSS")
        slow = []
        for _ in range(20):
            slow.append(socket.create_connection(("127.0.0.1", serving.port)))
            slow[-1].sendall(head("GET /model/large.tflite HTTP/1.1", serving.host))
            slow[-1].recv(1000)
        assert memory("VmHWM") - before < 30_000_000, "bytes; 1 GB for whole files"
        assert len(get(serving, "/model/large.tflite").content) == 50_000_000
        time.sleep(0.7)
        for each in slow:
            # What is on its way arrives, and the rest never does.
            each.settimeout(10)
            received = 0
            while piece := each.recv(2**20):
                received += len(piece)
            assert received < 49_000_000, "who does not read is not waited for"
            each.close()
    assert serving.said == ""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="no prlimit")
def test_without_room_for_connections_it_waits_in_silence(dist, model):
    import resource

    with Serving(dist, model, seconds=0.2) as serving:
        limit = resource.RLIMIT_NOFILE
        _, most = resource.prlimit(serving.process.pid, limit)
        resource.prlimit(serving.process.pid, limit, (16, most))
        place = "127.0.0.1", serving.port
        many = [socket.create_connection(place) for _ in range(40)]
        for each in many:
            each.close()
        assert get(serving).content == b"// index.html"
    assert serving.said == ""


def test_models_of_one_name_have_paths_of_their_own(dist, tmp_path):
    paths = [tmp_path / str(size) / "m.tflite" for size in (5, 7)]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(bytes(int(path.parent.name)))
    with Serving(dist, *paths) as serving:
        assert "?" not in serving.address
        listed = json.loads(get(serving, "/models.json").content)
        assert listed["files"] == list(FILES)
        assert [each["size"] for each in listed["models"]] == [5, 7]
        for each in listed["models"]:
            content = get(serving, f"/{each['path']}").content
            assert content == bytes(each["size"])


def test_the_version_is_another_where_a_file_is(dist, tmp_path):
    path, versions = tmp_path / "m.tflite", set()
    for content in (b"one", b"two", b"one"):
        path.write_bytes(content)
        versions.add(json.loads(list_files(dist, [path])["models.json"])["version"])
    assert len(versions) == 2
    with pytest.raises(KeyError):
        list_files(tmp_path, [])


def test_a_phone_in_the_network_reads_it_where_a_host_is_given(dist, model):
    own = network_address()
    with Serving(dist, "--host=0.0.0.0", model) as serving:
        port = serving.port
        query = "?model=model/a%2520model.tflite"
        assert serving.address == f"http://{own}:{port}/{query}"
        assert "can read the page and 1 model file, and nothing" in serving.told
        for host, status in ((own, 200), ("127.0.0.1", 200), ("evil.example", 421)):
            request = head(fields={"Host": f"{host}:{port}"})
            with socket.create_connection((own, port), timeout=10) as connection:
                connection.sendall(request)
                answer = connection.makefile("rb").readline()
            assert answer.split()[1] == str(status).encode(), host


def test_nobody_else_reaches_it_without_a_host(serving):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((network_address(), serving.port), timeout=10)


def test_names_of_any_bytes_are_served(dist, tmp_path):
    for name in (b"\xff\n.tflite", "é?#%2f&\u202e.tflite".encode()):
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(b"the model")
        with Serving(dist, path) as serving:
            address = urllib.parse.urlsplit(serving.address)
            (wanted,) = urllib.parse.parse_qs(address.query)["model"]
            assert get(serving, f"/{wanted}").content == b"the model"
            assert serving.address.isascii() and serving.address.isprintable()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_quietly_while_it_sends(dist, model, number):
    with Serving(dist, model) as serving:
        place = "127.0.0.1", serving.port
        with (
            socket.create_connection(place) as sending,
            socket.create_connection(place),
        ):
            sending.sendall(
                head("GET /model/a%20model.tflite HTTP/1.1", serving.host) * 99
            )
            sending.recv(1000)
            serving.end(number)
    assert (serving.process.returncode, serving.said) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["n" * 300], "cannot be served: File name too long"),
        (["/"], "/ cannot be served: Is a directory"),
        (["/dev/null"], "/dev/null cannot be served: it is not an ordinary file"),
        (["--host=mybox"], "--host mybox is no IP address; give one of this machine"),
        (["--host=fe80::1%eth0"], "--host fe80::1%eth0 is no IP address"),
        (["--host=192.0.2.77"], "192.0.2.77 is no address of this machine"),
        (["https://user:secret@host/m.tflite"], "an address is no file"),
    ],
)
def test_what_cannot_be_served_is_one_line(dist, arguments, complaint):
    code = "import sys, pathlib; from kerasseq.on_device import serve; sys.exit("
    code += "serve.main(sys.argv[2:], dist=pathlib.Path(sys.argv[1])))"
    result = subprocess.run(
        [sys.executable, "-c", code, str(dist), *arguments],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert complaint in line and "secret" not in line


def test_random_requests(dist, model):
    counts = fuzz_server.fuzz(60, seed=1)
    assert sum(counts.values()) == 60


@pytest.mark.slow
def test_many_random_requests():
    assert sum(fuzz_server.fuzz(4_000).values()) == 4_000
