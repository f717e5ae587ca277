"""The page of a run while it trains: its server, and the whole of it in Chromium."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kerasseq import live_page
from kerasseq.runs.outlook import Outlook
from kerasseq.runs.watch import Watch
from tests.support.pages import PATIENCE
from tests.support.serving import ask, head, sample_page

ROOT = Path(__file__).parents[2]


@pytest.fixture
def watch() -> Watch:
    return Watch(Outlook(["char_rnn"], "fast"))


@pytest.fixture
def page(watch, tmp_path, monkeypatch):
    (tmp_path / "dist").mkdir()
    dist = sample_page(tmp_path / "dist")
    monkeypatch.setattr(live_page, "build_page", lambda: dist)
    with live_page.live_page(watch, "127.0.0.1") as page:
        yield page


def send(page, start, **fields):
    port = int(re.search(r":(\d+)/", page.address)[1])
    host = f"127.0.0.1:{port}"
    fields = {"Host": host} | {
        name: value.replace("SELF", f"http://{host}") for name, value in fields.items()
    }
    return ask(port, head(f"{start} HTTP/1.1", fields))


def test_the_run_is_told_as_it_is_now(page, watch, tmp_path):
    assert json.loads(send(page, "GET /training.json").content)["ended"] is False
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a b.tflite").write_text(folder)
    watch.exported(tmp_path / name / "a b.tflite" for name in ("one", "other"))
    watch.end()
    report = json.loads(send(page, "GET /training.json").content)
    assert report["ended"] is True
    models = json.loads(send(page, "GET /models.json").content)["models"]
    assert len(models) == report["models"] == 2
    for folder, model in zip(("one", "other"), models, strict=True):
        assert send(page, f"GET /{model['path']}").content == folder.encode()


def test_only_the_page_stops_the_run_and_lets_it_go_on(page, watch):
    def held():
        return json.loads(send(page, "GET /training.json").content)["held"]

    for fields in (
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "SELF", "Sec-Fetch-Site": "cross-site"},
    ):
        assert send(page, "POST /training/hold", **fields).status == 403
        assert not held()
    assert send(page, "GET /training/hold", Origin="SELF").status == 404
    assert send(page, "POST /training.json", Origin="SELF").status == 405
    assert not held()
    assert send(page, "POST /training/hold", Origin="SELF").status == 200
    assert held()
    assert (
        send(page, "POST /training/go-on", Origin="http://evil.example").status == 403
    )
    assert held()
    assert send(page, "POST /training/go-on", Origin="SELF").status == 200
    assert not held()
    # What it writes is read by nobody else.
    assert send(page, "GET /training.json", Origin="http://evil.example").status == 403


def test_a_taken_port_is_replaced_and_the_server_ends_with_the_block(
    watch, tmp_path, monkeypatch
):
    dist = sample_page(tmp_path)
    monkeypatch.setattr(live_page, "build_page", lambda: dist)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(live_page, "PORT", taken.getsockname()[1])
        with live_page.live_page(watch, "127.0.0.1") as page:
            assert send(page, "GET /").status == 200
    with pytest.raises(ConnectionRefusedError):
        send(page, "GET /")


@pytest.mark.slow
def test_a_run_is_stopped_goes_on_and_writes_in_the_page(dist, chromium, tmp_path):
    text = "".join(f"{n} and {n + 1} make {2 * n + 1}.\n" for n in range(3000))
    (tmp_path / "sums.txt").write_text(text)
    command = [sys.executable, "train_all.py", str(tmp_path / "sums.txt"), "--page"]
    options = ["--only=char_rnn", "--quick", "--units=64", f"--out={tmp_path / 'out'}"]
    with (tmp_path / "log").open("w") as log:
        run = subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
    said = tmp_path / "log"
    try:
        address = _wait_for(r"http://\S+\?training", said, run)
        errors = []
        page = chromium.new_page(viewport={"width": 390, "height": 844})
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(address)
        page.locator("#losses svg").wait_for(timeout=6 * PATIENCE)
        page.locator("#training-stop").click(timeout=6 * PATIENCE)
        status = page.locator("#training-status")
        status.filter(has_text="held after").wait_for()
        held = status.text_content()
        page.wait_for_timeout(2500)
        assert status.text_content() == held
        page.locator("#training-go-on").click()
        status.filter(has_text="Trained").wait_for(timeout=12 * PATIENCE)
        picture = page.locator("#losses svg").get_attribute("aria-label")
        assert "by the characters' frequencies" in picture
        assert "make" in page.locator("#samples").text_content()
        # When it is done, the same page writes.
        page.get_by_text("char_rnn_int8.tflite is open.").wait_for(timeout=PATIENCE)
        page.get_by_role("button", name="Write", exact=True).click()
        page.get_by_text(re.compile("Wrote 500 characters")).wait_for(timeout=PATIENCE)
        assert "make" in page.locator("#text").text_content()
        assert errors == []
        page.close()
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=20) == 0
    finally:
        run.kill()
        run.wait()


def _wait_for(pattern, path, process):
    """The first match in what a process writes to a file."""
    for _ in range(120):
        if found := re.search(pattern, path.read_text()):
            return found[0]
        if process.poll() is not None:
            break
        time.sleep(0.5)
    raise AssertionError(path.read_text())
