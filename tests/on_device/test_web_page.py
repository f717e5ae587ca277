"""The page of export/web, end to end in Chromium, and its server."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest

from kerasseq.files.tflite import convert, write_tflite
from kerasseq.models.char_transformer import (
    CharTransformerConfig,
    build_char_transformer,
)
from kerasseq.models.stateful import describe_sizes
from kerasseq.on_device.card import CONTRACT_VERSION
from kerasseq.on_device.model_file import Model
from kerasseq.signatures.characters import build_generating_module
from kerasseq.text.characters import Vocabulary
from tests.support.pages import (
    CHARACTERS,
    DEFAULTS,
    WEB,
    Page,
    Serving,
    keras_text,
    runner_text,
)
from tests.support.programs import FOLDER, run_program

pytestmark = pytest.mark.slow


def test_the_page_writes_the_text_of_python_and_keras(page, exported, module):
    page.prompt("a bad cab")
    text = page.write()
    assert text == "a bad cab" + runner_text(exported, "a bad cab")
    assert text == "a bad cab" + keras_text(module, "a bad cab")
    page.fill(seed=5, length=700)
    assert page.write() == "a bad cab" + keras_text(
        module, "a bad cab", seed=5, length=700
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0},
        {"temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0, "length": 1021},
        {"temperature": 1.7, "top_k": 4, "top_p": 0.8, "min_p": 0.1, "seed": 2**31 - 1},
        {"length": 0},
    ],
)
def test_every_setting_reaches_the_sampler(page, module, settings):
    page.prompt("dé")
    page.fill(**settings)
    assert page.write() == "dé" + keras_text(module, "dé", **settings)


def test_a_long_prompt_is_read_whole(page, module):
    prompt = "dé ab\n𝄞" * 130
    page.prompt(prompt)
    page.fill(length=300)
    assert page.write() == prompt + keras_text(module, prompt, length=300)


def test_an_empty_prompt_stands_for_a_newline(page, module):
    assert page.write() == keras_text(module, "\n")


def test_unknown_characters_are_left_out_and_named(page, module):
    page.prompt("Xa é\t𝄫baX")
    page.expect(page.page.locator("#unknown")).to_have_text(
        "Left out, since the model does not know them: U+0009 X 𝄫"
    )
    assert page.write() == "a éba" + keras_text(module, "a éba")


def test_half_a_character_is_left_out_and_named(page, module):
    page.page.evaluate(
        r"""const prompt = document.getElementById("prompt");
        prompt.value = "a\ud834b";
        prompt.dispatchEvent(new Event("input"));"""
    )
    page.expect(page.page.locator("#unknown")).to_contain_text("U+D834")
    assert page.write() == "ab" + keras_text(module, "ab")


def test_the_defaults_are_those_of_the_card(fresh_page):
    page = fresh_page.open()
    for name, value in DEFAULTS.items():
        label = name.capitalize().replace("_", "-")
        assert page.page.get_by_label(label, exact=True).input_value() == str(value)


def test_a_file_is_opened_by_choice(fresh_page, exported, module):
    page = fresh_page.go(fresh_page.served.root)
    page.page.get_by_label("file").set_input_files(exported)
    page.expect(page.status).to_have_text("a model.tflite is open.")
    assert page.write() == keras_text(module, "")
    page.page.get_by_text("About this model").click()
    card = page.page.locator("#card")
    page.expect(card).to_contain_text("GRU")
    page.expect(card).to_contain_text("newline space a b c d é 𝄞")
    page.expect(card).to_contain_text("<b>none</b>")


def test_a_transformer_writes_the_text_of_keras_past_its_context(fresh_page, tmp_path):
    vocabulary = Vocabulary.from_text(CHARACTERS)
    model = build_char_transformer(
        CharTransformerConfig(len(vocabulary), 16, 2, 2, context=19)
    )
    numbers = np.random.default_rng(17)
    model.set_weights([numbers.normal(0, 0.5, w.shape) for w in model.get_weights()])
    frozen = build_generating_module(model, vocabulary, frozen=True)
    path = write_tflite(
        tmp_path / "transformer.tflite",
        convert(frozen, frozen.device_signatures()),
        {
            "contract": CONTRACT_VERSION,
            "kind": "character model",
            **describe_sizes(model),
            "vocabulary_size": len(vocabulary),
            "state_shapes": frozen.state_shapes,
            "sampling_defaults": DEFAULTS | {"length": 300},
        },
        {"vocabulary.json": vocabulary.to_json()},
    )
    page = fresh_page.go(fresh_page.served.root)
    page.page.get_by_label("file").set_input_files(path)
    page.expect(page.status).to_have_text("transformer.tflite is open.")
    page.prompt("a bad cab")
    module = build_generating_module(model, vocabulary)
    assert page.write() == "a bad cab" + keras_text(module, "a bad cab", length=300)
    page.page.get_by_text("About this model").click()
    page.expect(page.page.locator("#card")).to_contain_text("Context19")


def drop(page, name, content):
    """Drop a file on the page, with the events that a browser sends."""
    page.page.evaluate(
        """([name, numbers]) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([new Uint8Array(numbers)], name));
          const options = { bubbles: true, cancelable: true, dataTransfer };
          for (const type of ["dragenter", "dragover", "drop"]) {
            const event = new DragEvent(type, options);
            document.querySelector("main").dispatchEvent(event);
            if (type !== "dragenter" && !event.defaultPrevented) throw Error(type);
          }
        }""",
        [name, list(content)],
    )


def test_a_file_is_opened_by_drag_and_drop(fresh_page, exported, module):
    page = fresh_page.go(fresh_page.served.root)
    drop(page, "dropped.tflite", exported.read_bytes())
    page.expect(page.status).to_have_text("dropped.tflite is open.")
    page.expect(page.page.locator("body")).not_to_have_class(re.compile("is-over"))
    assert page.write() == keras_text(module, "")


def test_a_file_is_opened_by_the_address_that_is_typed(fresh_page, module):
    page = fresh_page.go(fresh_page.served.root)
    query = urllib.parse.urlsplit(page.served.address).query
    (path,) = urllib.parse.parse_qs(query)["model"]
    page.page.get_by_label("address").fill(page.served.root + path)
    page.page.get_by_role("button", name="Open", exact=True).click()
    page.expect(page.status).to_have_text("a model.tflite is open.")
    assert page.write() == keras_text(module, "")


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("/model/none.tflite", "the server answers 404 Not Found; check the address"),
        ("http://127.0.0.1:9/m.tflite", "its server does not let other pages read"),
        ("ftp://127.0.0.1/m.tflite", "is no address; give one like https://"),
        ("http://", "is no address; give one like https://"),
        ("", "is no address; give one like https://"),
    ],
)
def test_an_address_that_cannot_be_loaded_is_named(fresh_page, address, complaint):
    page = fresh_page.go(fresh_page.served.root)
    page.page.get_by_label("address").fill(address)
    page.page.get_by_role("button", name="Open", exact=True).click()
    page.expect(page.complaint).to_contain_text(complaint)
    page.expect(page.complaint).to_contain_text(address)
    page.requests = [url for url in page.requests if ":9/" not in url]


def wrong_files(exported, folder):
    """Files that cannot be opened, and the message for each."""
    content = exported.read_bytes()
    flipped = bytearray(content)
    flipped[1009] ^= 16
    yield "cut.tflite", content[:-7], "is not a whole .tflite of this project ("
    yield "half.tflite", content[: len(content) // 2], "is not a whole .tflite of"
    yield "empty.tflite", b"", "is not a whole .tflite of this project ("
    yield "p.png", b"\x89PNG\r\n\x1a\n" + bytes(999), "is not a whole .tflite of"
    yield "flipped.tflite", bytes(flipped), "is damaged: SHA-256"
    with zipfile.ZipFile(exported) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    card = json.loads(files["card.json"])
    flatbuffer = Model(exported).flatbuffer
    fewer = Vocabulary.from_text(CHARACTERS[:-1]).to_json()
    for name, changes, vocabulary, complaint in (
        ("new.tflite", {"contract": 4}, None, "speaks contract 4, this page 3; take"),
        (
            "word.tflite",
            {"kind": "oracle"},
            None,
            'of the kind "oracle", which this page does not know; take the page',
        ),
        ("few.tflite", {}, fewer, "has a vocabulary of 7, its model one of 8; export"),
        (
            "fewer.tflite",
            {"vocabulary_size": 7},
            fewer,
            "of the shape [1,8], where its card promises [1,7]; export it again",
        ),
        (
            "state.tflite",
            {"state_shapes": [[1, 6]]},
            None,
            "of the shape [1,5], where its card promises [1,6]; export it again",
        ),
    ):
        attached = {"vocabulary.json": vocabulary or files["vocabulary.json"].decode()}
        path = write_tflite(folder / name, flatbuffer, card | changes, attached)
        yield name, path.read_bytes(), complaint
    path = write_tflite(folder / "bare.tflite", flatbuffer, card, {})
    yield "bare.tflite", path.read_bytes(), "(vocabulary.json is missing); copy or"


def test_a_bad_file_is_one_clear_sentence_and_leaves_the_model_open(
    fresh_page, exported, module, tmp_path
):
    page = fresh_page.open()
    page.prompt("a bad cab")
    page.write()
    for name, content, complaint in wrong_files(exported, tmp_path):
        (tmp_path / name).write_bytes(content)
        page.page.locator("#file").set_input_files(tmp_path / name)
        page.expect(page.complaint).to_contain_text(complaint)
        assert page.complaint.text_content().startswith(name)
        assert "\n" not in page.complaint.text_content()
        assert page.write() == "a bad cab" + keras_text(module, "a bad cab")
    page.page.locator("#file").set_input_files(exported)
    page.expect(page.status).to_have_text("a model.tflite is open.")
    page.expect(page.complaint).to_have_text("")


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        (
            "length",
            "-1",
            "-1 is out of range: give a whole number from 0 to 2147483647.",
        ),
        ("length", "many", "“many” cannot be read: give a whole number from 0"),
        ("length", "2.0", "“2.0” cannot be read: give a whole number"),
        ("temperature", "-0.5", "-0.5 is out of range: give a number from 0 up."),
        ("temperature", "nan", "“nan” cannot be read"),
        ("temperature", "1e999", "1e999 is out of range: give a number from 0 up."),
        ("temperature", "0,8", "with a point, not a comma"),
        ("top_k", "2147483648", "2147483648 is out of range"),
        ("top_p", "1.5", "1.5 is out of range: give a number from 0 to 1."),
        ("min_p", "", "Nothing is here: give a number from 0 to 1."),
        ("seed", "2147483648", "is out of range: give a whole number from 0 to 214"),
    ],
)
def test_a_bad_setting_is_named_at_its_field(page, name, value, complaint):
    field = page.page.get_by_label(name.capitalize().replace("_", "-"), exact=True)
    before, text = field.input_value(), page.text()
    page.fill(**{name: value})
    page.write_button.click()
    page.expect(field).to_have_attribute("aria-invalid", "true")
    page.expect(field).to_be_focused()
    page.expect(field).to_have_accessible_description(re.compile(re.escape(complaint)))
    assert page.text() == text
    page.fill(**{name: before})
    page.expect(field).to_have_attribute("aria-invalid", "false")


# In the page: the longest time between two tasks of its thread, in milliseconds.
WATCH = """
let last = performance.now();
window.longest = 0;
const { port1, port2 } = new MessageChannel();
port1.onmessage = () => {
  const now = performance.now();
  window.longest = Math.max(window.longest, now - last);
  last = now;
  setTimeout(() => port2.postMessage(0), 1);
};
port2.postMessage(0);
"""


def test_a_long_text_is_stopped_and_the_page_answers_meanwhile(page, exported, module):
    page.prompt("a")
    page.fill(length=2**31 - 1, temperature=1.2)
    page.page.evaluate(WATCH)
    page.write_button.click()
    page.expect(page.page.locator("#progress")).to_have_text(
        re.compile(r"^\d\d,\d{3} ")
    )
    page.page.get_by_text("About this model").click()
    page.expect(page.page.locator("#card")).to_be_visible()
    page.page.get_by_role("button", name="Stop").click()
    page.expect(page.done).to_have_text(re.compile("^Stopped after"))
    longest = page.page.evaluate("window.longest")
    text = page.text()
    page.expect(page.write_button).to_be_enabled()
    whole = "a" + runner_text(exported, "a", length=9999, temperature=1.2)
    assert text[:10000] == whole, "what was written before the stop stays"
    count = int(re.search(r"[\d,]+", page.done.text_content())[0].replace(",", ""))
    assert len(text) == count + 1
    assert longest < 250, "milliseconds; about 50 were seen"
    page.fill(length=5)
    assert page.write() == "a" + keras_text(module, "a", length=5, temperature=1.2)


def test_a_file_that_is_opened_while_the_model_writes_ends_it(page, exported, module):
    page.prompt("a")
    page.fill(length=2**31 - 1)
    page.write_button.click()
    page.expect(page.page.locator("#progress")).not_to_be_empty()
    page.page.locator("#file").set_input_files(exported)
    page.expect(page.status).to_have_text("a model.tflite is open.")
    page.page.locator("#file").set_input_files([])
    assert page.write() == "a" + keras_text(module, "a")


# In the worker: the address at which the runtime allocates a block that fits into no
# gap. It rises when something below is not freed.
PROBE = """
let factory;
Object.defineProperty(self, "ModuleFactory", {
  configurable: true,
  set: (value) => { factory = value; },
  get: () => factory && (async (...given) => {
    const module = await factory(...given);
    self.endOfMemory = () => {
      const address = module._malloc(2 ** 23);
      module._free(address);
      return address;
    };
    return module;
  }),
});
"""


def test_memory_does_not_grow_with_the_text(fresh_page):
    page = fresh_page

    def with_probe(route):
        reply = route.fetch()
        route.fulfill(response=reply, body=PROBE + reply.text())

    page.page.route("**/worker.js", with_probe)
    page.open().prompt("a")
    page.fill(length=2000, top_k=0, top_p=1, min_p=0)
    page.write()
    (worker,) = page.page.workers
    before = worker.evaluate("self.endOfMemory()")
    page.fill(length=60_000)
    page.write()
    grown = worker.evaluate("self.endOfMemory()") - before
    assert grown < 2**16, "bytes; each of the 235 calls has tensors of 3,500"


def test_everything_can_be_done_with_the_keyboard_alone(fresh_page, module):
    page = fresh_page.open()
    keyboard = page.page.keyboard

    def tab_to(name):
        for _ in range(30):
            keyboard.press("Tab")
            if page.page.evaluate("document.activeElement.id") == name:
                outline = "getComputedStyle(document.activeElement).outlineStyle"
                assert page.page.evaluate(outline) == "solid", name
                return
        raise AssertionError(f"{name} cannot be reached")

    tab_to("prompt")
    keyboard.type("bad")
    tab_to("write")
    keyboard.press("Enter")
    page.expect(page.done).to_have_text(re.compile("^Wrote 37 "))
    page.expect(page.write_button).to_be_focused()
    tab_to("length")
    keyboard.type("99")
    keyboard.press("Enter")
    page.expect(page.done).to_have_text(re.compile("^Wrote 99 "))
    text = page.text()
    assert text == "bad" + keras_text(module, "bad", length=99)
    tab_to("text")
    page.page.get_by_label("Prompt").focus()
    keyboard.press("Control+Enter")
    page.expect(page.page.locator("#text")).to_have_text(text)


def test_the_page_fits_a_phone_and_keeps_the_rules_of_access(
    chromium, served, packages, tmp_path
):
    context = chromium.new_context(
        viewport={"width": 390, "height": 844},
        reduced_motion="reduce",
        bypass_csp=True,  # for axe, which is injected into the page
    )
    page = Page(context.new_page(), served).open()
    page.prompt("a" * 99 + "X" * 99)
    page.fill(length=600, top_p="1,5" * 20)
    page.write_button.click()
    axe = packages / "axe-core" / "axe.min.js"
    page.page.add_script_tag(content=axe.read_text(encoding="utf-8"))
    for before in (lambda: None, lambda: page.fill(top_p=1), page.write):
        before()
        assert page.page.evaluate("document.documentElement.scrollWidth") == 390
        for scheme in ("light", "dark"):
            page.page.emulate_media(color_scheme=scheme)
            found = page.page.evaluate("axe.run()")["violations"]
            assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == []
            page.page.screenshot(path=tmp_path / f"{scheme}.png", full_page=True)
    for role, name in (
        ("main", None),
        ("banner", None),
        ("heading", "kerasseq"),
        ("button", "Write"),
        ("button", "Stop"),
        ("group", "Text"),
        ("status", None),
        ("textbox", "Prompt"),
    ):
        page.expect(page.page.get_by_role(role, name=name).first).to_be_attached()
    context.close()


def test_the_server_serves_the_page_and_the_file_and_nothing_else(served, exported):
    for path, kind in (
        ("/", "text/html; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/litert_wasm_internal.wasm", "application/wasm"),
        ("/model/a%20model.tflite", "application/octet-stream"),
    ):
        headers, content = served.get(path)
        assert (headers["Content-Type"], headers["Cache-Control"]) == (kind, "no-cache")
        assert content
    assert content == exported.read_bytes()
    for path in (
        "/../serve.py",
        "/%2e%2e/serve.py",
        "/model/../../web/serve.py",
        "//etc/passwd",
        "/etc/passwd",
        "/model/",
        "/model/..%2f..%2fserve.py",
        str(exported),
    ):
        with socket.create_connection(_place(served), timeout=10) as connection:
            host = "{}:{}".format(*_place(served))
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"
            connection.sendall(request.encode().replace(b"a model", b"a%20model"))
            assert b" 404 " in connection.makefile("rb").readline(), path


def _place(served):
    parts = urllib.parse.urlsplit(served.root)
    return parts.hostname, parts.port


@pytest.mark.parametrize(
    ("number", "ignored"),
    [
        (signal.SIGINT, signal.SIG_DFL),
        (signal.SIGTERM, signal.SIG_DFL),
        (signal.SIGTERM, signal.SIG_IGN),
    ],
)
def test_the_server_answers_this_machine_alone_and_ends_quietly(dist, number, ignored):
    serving = Serving(ignored=ignored)
    port = _place(serving)[1]
    table = Path("/proc/net/tcp")
    rows = table.read_text().splitlines()[1:] if table.exists() else []
    assert serving.end(number) == (0, "", "")
    assert serving.line == f"http://127.0.0.1:{port}/ (Ctrl-C ends)\n"
    listening = [row.split()[1] for row in rows if row.split()[3] == "0A"]
    here = [address for address in listening if address.endswith(f":{port:04X}")]
    assert here == [f"0100007F:{port:04X}"] or not table.exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["none.tflite"], "none.tflite cannot be served: No such file or directory"),
        (["--port=TAKEN"], "is taken or not allowed; give another with --port"),
        (["--port=99999"], "--port 99999: give 0 to 65535"),
    ],
)
def test_a_server_that_cannot_start_says_why_in_a_line(dist, arguments, complaint):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = [text.replace("TAKEN", port) for text in arguments]
        result = run_program("serve", *arguments, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("serve.py: ") and complaint in line


def test_a_page_that_is_not_built_is_named_with_the_command(tmp_path):
    for source in FOLDER.glob("*.py"):
        shutil.copy(source, tmp_path)
    result = run_program("serve", folder=tmp_path, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert "is not built; run `npm ci && npm run build` in" in line


def test_what_needs_no_browser_passes_in_node(node, packages, exported):
    result = subprocess.run(
        ["npm", "test"],
        cwd=WEB,
        env=os.environ | {"TFLITE": str(exported)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_lock_file_names_no_registry():
    assert "://" not in re.sub(
        r'"(url|funding)": "[^"]*"', "", (WEB / "package-lock.json").read_text()
    )
