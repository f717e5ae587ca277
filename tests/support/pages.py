"""The page of export/web and its server, as a person uses them."""

import re
import select
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from kerasseq.on_device.model_file import Model
from kerasseq.on_device.tokens import encode_prompt, write_tokens
from kerasseq.signatures.characters import generate
from tests.support.programs import FOLDER

SERVE = FOLDER / "serve.py"
WEB = Path(__file__).parents[2] / "export" / "web"
CHARACTERS = "\n abcdé𝄞"
DEFAULTS = {"length": 37, "temperature": 0.9, "top_k": 6, "top_p": 0.95, "min_p": 0.01}
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-sync"),
    "--disable-component-update",
    # A name that another could let mean this machine.
    "--host-resolver-rules=MAP evil.example 127.0.0.1",
]
PATIENCE = 10_000  # milliseconds, for a busy machine


class Serving:
    """serve.py in a process of its own."""

    def __init__(self, *arguments, ignored=signal.SIG_DFL):
        self.process = subprocess.Popen(
            [sys.executable, "-E", "-s", str(SERVE), "--port=0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Background jobs of a shell, and what they start, ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, ignored),
        )
        assert select.select([self.process.stdout], [], [], 20)[0]
        while not (line := self.process.stdout.readline()).startswith("http"):
            assert line, self.process.communicate()[1]
        self.line = line
        self.address = self.line.split()[0]
        self.root = self.address.split("?")[0]

    def get(self, path):
        with urllib.request.urlopen(self.root.rstrip("/") + path, timeout=10) as reply:
            return reply.headers, reply.read()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=10)
        return self.process.returncode, output, errors


class Page:
    """The page as a person uses it: by its visible text."""

    def __init__(self, page, served):
        from playwright.sync_api import expect

        self.page, self.served, self.expect = page, served, expect
        self.errors, self.requests = [], []
        page.on("pageerror", lambda error: self.errors.append(error))
        page.on("console", self._hear)
        page.on("request", lambda request: self.requests.append(request.url))
        self.write_button = page.get_by_role("button", name="Write", exact=True)
        self.status = page.get_by_role("status")
        self.done = page.locator("#done")
        self.complaint = page.locator("#opening-error")

    def _hear(self, message):
        # Chromium logs each file that is not there, which the page says too, and what a
        # test evaluates as a string; Playwright, that it keeps service workers out.
        expected = re.search(
            "Failed to load resource|unsafe-eval|Service Worker registration blocked",
            message.text,
        )
        if message.type in ("error", "warning") and not expected:
            self.errors.append(message.text)

    def choose(self, path):
        """Choose a file, and wait until it is open or refused."""
        self.page.locator("#file").set_input_files(path)
        self.page.locator("body:not(.is-opening)").wait_for()
        return self

    def go(self, address):
        self.page.goto(address)
        return self

    def open(self, name="a model.tflite"):
        self.go(self.served.address)
        self.expect(self.status).to_have_text(f"{name} is open.")
        return self

    def fill(self, **settings):
        details = self.page.locator("#settings")
        if details.get_attribute("open") is None:
            self.page.get_by_text("Settings", exact=True).click()
        for name, value in settings.items():
            label = name.capitalize().replace("_", "-")
            self.page.get_by_label(label, exact=True).fill(str(value))

    def prompt(self, text):
        self.page.get_by_label("Prompt").fill(text)

    def write(self):
        self.write_button.click()
        self.expect(self.done).to_have_text(re.compile("^(Wrote|Stopped|Found)"))
        return self.text()

    def wait_for(self, selector):
        self.page.locator(selector).first.wait_for(state="attached", timeout=PATIENCE)

    def text(self):
        return self.page.locator("#text").text_content()

    def check(self):
        """No script failed, and nothing was requested from another host."""
        assert self.errors == [], self.errors
        away = [url for url in self.requests if not url.startswith(self.served.root)]
        assert away == []


def keras_text(module, prompt, **changes):
    values = DEFAULTS | changes
    return generate(module, prompt, values.pop("length"), **values)


def runner_text(path, prompt, **changes):
    """The text of generate.py's functions."""
    model = Model(path)
    characters = model.vocabulary["characters"]
    parts = write_tokens(
        model.signatures()["generate"],
        model.state_shapes(),
        encode_prompt(prompt, characters),
        **DEFAULTS | changes,
    )
    return "".join(characters[token] for part in parts for token in part)
