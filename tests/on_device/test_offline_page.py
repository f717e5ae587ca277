"""The page on a phone: installed, without a network, replaced, and saved."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from kerasseq.on_device.classify import Classifier
from kerasseq.on_device.encode import Encoder
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.suggest import Keyboard
from kerasseq.on_device.tag import Tagger
from kerasseq.on_device.translate import Translator
from kerasseq.page import save_page
from tests.support.firefox import Firefox
from tests.support.pages import DEFAULTS, Page, Serving, keras_text
from tests.support.serving import network_address

pytestmark = pytest.mark.slow


@pytest.fixture
def phone(playwright, chromium):
    """A phone that has not seen the page."""
    context = chromium.new_context(**playwright.devices["Pixel 7"])
    yield context
    context.close()


@pytest.fixture
def port() -> int:
    """A port that is free, for a server that comes again."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def visit(phone, served) -> Page:
    """Open the page and wait until it is kept."""
    page = Page(phone.new_page(), served).go(served.root)
    kept = page.page.locator("#offline")
    page.expect(kept).to_have_text("Opens without a network, too.")
    return page


def choose(page: Page, model: str, file: str) -> None:
    page.page.get_by_role("link", name=model).click()
    page.expect(page.status).to_have_text(f"{file} is open.")
    page.fill(**DEFAULTS, seed=3)


def test_it_writes_in_flight_mode_with_the_server_gone(
    phone, dist, exported, module, tmp_path, port
):
    other = shutil.copy(exported, tmp_path / "other_int8.tflite")
    serving = Serving(f"--port={port}", str(exported), str(other))
    page = visit(phone, serving)
    serving.end()
    phone.set_offline(True)
    for name, file in (("a model", exported.name), ("other, int8", other.name)):
        page.page.goto(serving.root)
        choose(page, name, file)
        assert page.write() == keras_text(module, "", seed=3)
        # Each model has an address of its own, which opens it again.
        page.page.reload()
        page.expect(page.status).to_have_text(f"{file} is open.")
        assert page.page.locator("#run li").count() == 2
    page.check()


TEXT = "DOG the cat sat, 好 οδοσ dog. " * 3
TYPE = """(text) => {
  const field = document.querySelector("#view textarea");
  field.value = text;
  field.dispatchEvent(new Event("input"));
}"""
MARKS = "[...document.querySelectorAll('#marks mark')].map((mark) => mark.textContent)"


@pytest.fixture(scope="module")
def answers(files, translator):
    """For each model but that of characters, an expression in the page.

    It is true once the view shows what the program in Python answers to `TEXT`.
    """
    label = Classifier(Model(files["classify"])).classify(TEXT).label
    (word, _), *_ = Keyboard(Model(files["suggest"])).suggest(TEXT)
    names = [name.text for name in Tagger(Model(files["tag"])).find(TEXT)]
    tokens = Encoder(Model(files["encode"])).encode(TEXT).tokens
    found = Translator(Model(translator)).translate(TEXT).text
    assert label and names and found
    said = "document.getElementById('spoken').textContent"
    shown = "document.querySelector('#suggestions button').textContent"
    return {
        files["classify"]: f"{said}.startsWith({json.dumps(f'{label}, ')})",
        files["suggest"]: f"{shown} === {json.dumps(word)}",
        files["tag"]: f"String({MARKS}) === {json.dumps(','.join(names))}",
        files["encode"]: "document.querySelectorAll('#near dt').length === "
        f"{len(tokens)} && document.querySelector('#lines line') !== null",
        translator: f"{said} === {json.dumps(found)} && "
        "document.querySelector('#others button') !== null",
    }


def test_every_kind_of_model_answers_in_flight_mode(phone, dist, answers, port):
    serving = Serving(f"--port={port}", *map(str, answers))
    page = visit(phone, serving)
    serving.end()
    phone.set_offline(True)
    for path, answer in answers.items():
        page.page.goto(serving.root)
        page.page.get_by_role("link", name=path.stem).click()
        page.expect(page.status).to_have_text(f"{path.name} is open.")
        page.page.evaluate(TYPE, TEXT)
        for _ in range(100):
            if page.page.evaluate(answer):
                break
            page.page.wait_for_timeout(100)
        assert page.page.evaluate(answer), path.name
    page.check()


def test_a_network_that_does_not_answer_is_not_waited_for(
    phone, dist, exported, module, port
):
    serving = Serving(f"--port={port}", str(exported))
    page = visit(phone, serving)
    serving.end()
    with socket.create_server(("127.0.0.1", port)):  # it takes requests, and no more
        began = time.monotonic()
        page.page.goto(serving.root)
        choose(page, "a model", exported.name)
        assert page.write() == keras_text(module, "", seed=3)
        assert 3.5 < time.monotonic() - began < 15, "seconds: it waits once"
    page.check()


def test_another_version_replaces_the_one_before(
    phone, dist, exported, module, tmp_path, port
):
    new = shutil.copytree(dist, tmp_path / "dist")
    (new / "index.html").write_text(
        (new / "index.html").read_text().replace("<h1>kerasseq", "<h1>kerasseq 2")
    )
    listing = json.loads((new / "models.json").read_text())
    (new / "models.json").write_text(json.dumps({**listing, "version": "2"}))
    serving = Serving(f"--port={port}", str(exported))
    page = visit(phone, serving)
    serving.end()
    heading = page.page.get_by_role("heading", level=1)
    # The server comes again, with another page and another run.
    other = shutil.copy(exported, tmp_path / "other_int8.tflite")
    save_page(new, [other], tmp_path / "saved")
    with StaticServer(tmp_path / "saved", port):
        page.page.reload()
        page.expect(heading).to_have_text("kerasseq 2")
        page.expect(page.page.locator("#run li")).to_have_text(["other int8"])
        page.expect(page.page.locator("#offline")).to_have_text(re.compile("network"))
    phone.set_offline(True)
    page.page.reload()
    page.expect(heading).to_have_text("kerasseq 2")
    choose(page, "other, int8", other.name)
    assert page.write() == keras_text(module, "", seed=3)
    names = page.page.evaluate("caches.keys()")
    assert len(names) == 1, "the version before is gone"


class StaticServer:
    """Python's own server of static files, which knows nothing of the page."""

    def __init__(self, folder, port):
        self.command = [sys.executable, "-m", "http.server", str(port)]
        self.command += ["--bind", "127.0.0.1", "--directory", str(folder)]
        self.root = f"http://127.0.0.1:{port}/"

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(100):
            try:
                urllib.request.urlopen(self.root, timeout=10).close()
                return self
            except OSError:
                time.sleep(0.1)
        raise TimeoutError(self.root)

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()


def test_a_saved_folder_is_a_page_of_its_own(
    phone, dist, exported, module, tmp_path, port
):
    save_page(dist, [exported], tmp_path / "deep" / "page")
    with StaticServer(tmp_path, port) as server:
        server.root += "deep/page/"
        page = visit(phone, server)
        choose(page, "a model", exported.name)
        assert page.write() == keras_text(module, "", seed=3)
    page.page.reload()
    choose(page, "a model", exported.name)
    assert page.write() == keras_text(module, "", seed=3)
    page.expect(page.page.locator("#unstarted")).to_have_count(0)
    page.check()
    alone = phone.new_page()
    alone.goto((tmp_path / "deep" / "page" / "index.html").as_uri())
    page.expect(alone.locator("#unstarted")).to_contain_text("python -m http.server")
    page.expect(alone.locator("#unstarted")).to_be_visible()


def test_a_phone_can_install_it(phone, served):
    page = visit(phone, served)
    session = phone.new_cdp_session(page.page)
    manifest = session.send("Page.getAppManifest")
    assert manifest["errors"] == [] and manifest["url"].startswith(served.root)
    found = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # Such a context is like a private window, where nothing can be installed.
    assert [each["errorId"] for each in found] in ([], ["in-incognito"])
    page.check()


def test_without_https_it_writes_and_keeps_nothing(chromium, dist, exported, module):
    serving = Serving("--host", network_address(), str(exported))
    one, said = chromium.new_page(), []
    one.on("console", lambda message: said.append(message.text))
    try:
        page = Page(one, serving).open()
        page.fill(seed=3)
        assert page.write() == keras_text(module, "", seed=3)
        assert one.locator("#offline").text_content() == ""
        assert not [text for text in said if "Cross-Origin" in text]
        page.check()
    finally:
        one.close()
        serving.end()


def test_firefox_answers_with_the_server_gone(
    dist, exported, module, answers, tmp_path
):
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if not program:
        pytest.skip("firefox is not installed")
    serving = Serving(*map(str, [exported, *answers]))
    (tmp_path / "profile").mkdir()
    firefox = Firefox(program, tmp_path / "profile")
    try:
        firefox.go(serving.root)
        firefox.wait_for("document.getElementById('offline').textContent")
        serving.end()
        firefox.go(serving.root)
        firefox.wait_for("document.querySelector('#run a') !== null")

        def open_model(path):
            link = json.dumps(f"#run a[aria-label^='{path.name},']")
            firefox.evaluate(f"document.querySelector({link}).click()")
            name = "document.getElementById('model-name').textContent"
            firefox.wait_for(f"{name} === {json.dumps(path.name)}")

        for path, answer in answers.items():
            open_model(path)
            firefox.evaluate(f"({TYPE})({json.dumps(TEXT)})")
            firefox.wait_for(answer)
        open_model(exported)
        firefox.evaluate("document.getElementById('prompt').value = ''")
        firefox.evaluate("document.getElementById('write').click()")
        firefox.wait_for("/^Wrote/.test(document.getElementById('done').textContent)")
        text = firefox.evaluate("document.getElementById('text').textContent")
        seed = firefox.evaluate("document.getElementById('seed').value")
        assert text == keras_text(module, "", seed=int(seed))
    finally:
        firefox.end()
        serving.end()
