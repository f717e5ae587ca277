"""The page with files, addresses and pages that are wrong on purpose."""

import re
import urllib.parse

import pytest

from kerasseq.on_device.model_file import Model
from tests.fuzz.fuzz_page import hostile_files
from tests.fuzz.fuzz_runner import assemble
from tests.support.pages import Page, Serving, keras_text

pytestmark = pytest.mark.slow


def choose(page, name, content):
    file = {"name": name, "mimeType": "", "buffer": content}
    page.page.locator("#file").set_input_files(file)


def with_card(exported, **changes):
    """The file with another card, under right hashes."""
    model = Model(exported)
    card = {**model.card, **changes}
    return assemble(model.flatbuffer, card, model.vocabulary, hashes=True)


def test_presses_in_a_row_write_one_text(page, module):
    page.prompt("a bad cab")
    page.fill(length=300)
    page.page.evaluate(
        """() => {
          const form = document.getElementById("writing");
          for (let press = 0; press < 3; press += 1) form.requestSubmit();
          document.getElementById("write").click();
        }"""
    )
    page.expect(page.done).to_have_text(re.compile("^Wrote 300 "))
    assert page.text() == "a bad cab" + keras_text(module, "a bad cab", length=300)


@pytest.mark.slow
def test_pages_in_a_row_write_their_own_texts(context, served, module):
    pages = [Page(context.new_page(), served).open() for _ in range(3)]
    for seed, page in enumerate(pages):
        page.fill(length=400, seed=seed)
    for page in pages:
        page.write_button.click()
    for seed, page in enumerate(pages):
        page.expect(page.done).to_have_text(re.compile("^Wrote 400 "))
        assert page.text() == keras_text(module, "", length=400, seed=seed)
        page.page.close()


def test_a_hostile_model_ends_in_a_line_and_the_page_goes_on(
    fresh_page, exported, module
):
    page = fresh_page.go(fresh_page.served.root)
    ends = set()
    for content in hostile_files(exported.read_bytes(), 5, seed=3):
        choose(page, "hostile.tflite", content)
        page.wait_for("body:not(.is-opening)")
        complaint = page.complaint.text_content()
        if not complaint:
            page.write_button.click()
            page.wait_for(".sheet:not(.is-writing)")
            complaint = page.page.locator("#writing-error").text_content()
        ends.add(complaint.split("(")[0])
        assert "\n" not in complaint and len(complaint) < 1000
    assert "LiteRT.js cannot open hostile.tflite " in ends
    choose(page, exported.name, exported.read_bytes())
    page.expect(page.status).to_have_text("a model.tflite is open.")
    assert page.write() == keras_text(module, "")


def test_a_model_that_never_answers_is_left_behind(fresh_page, exported, module):
    page = fresh_page.open()
    hang = "setTimeout(() => { for (;;); }, 0)"
    page.page.workers[-1].evaluate(hang)
    page.write_button.click()
    page.expect(page.done).to_have_text("Writing ...")
    choose(page, exported.name, exported.read_bytes())
    page.expect(page.status).to_have_text("a model.tflite is open.")
    assert page.write() == keras_text(module, "")
    page.page.workers[-1].evaluate(hang)
    page.write_button.click()
    page.page.evaluate(
        "const real = setTimeout; window.setTimeout = (f, ms) => real(f, ms / 100)"
    )
    page.page.get_by_role("button", name="Stop").click()
    page.expect(page.page.locator("#writing-error")).to_have_text(
        "The model does not stop; open it again, or another one."
    )
    page.expect(page.write_button).to_be_disabled()
    choose(page, exported.name, exported.read_bytes())
    page.expect(page.status).to_have_text("a model.tflite is open.")
    assert page.page.locator("#writing-error").text_content() == ""
    assert page.write() == keras_text(module, "")


def test_foreign_text_is_shown_as_what_it_is(fresh_page, exported):
    page = fresh_page.open()
    title = page.page.title()
    markup = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    content = with_card(
        exported,
        cell=f"{markup}\u202e",
        licence=f"{markup}\n\u001b[2J",
        Kind="no model",
        **{"SHA-256 of the model": "0" * 64, f"{markup}": [markup]},
    )
    choose(page, f"שלום {'m' * 3}\u202efdp.tflite\nis open", content)
    name = "שלום mmm[U+202E]fdp.tflite is open"
    page.expect(page.status).to_have_text(f"{name} is open.")
    assert page.status.locator("bdi").text_content() == name
    page.page.get_by_text("About this model").click()
    card = page.page.locator("#card")
    for text in (markup + " [U+001B][2J", f"“{markup}”", "“SHA-256 of the model”"):
        page.expect(card).to_contain_text(text)
    labels = card.locator("dt").all_text_contents()
    assert labels.count("SHA-256 of the model") == labels.count("Kind") == 1
    assert f"{markup}[U+202E]" in page.page.locator("#summary").text_content()
    assert page.page.locator("img, .model script").count() == 0
    assert page.page.title() == title


def test_the_password_in_an_address_is_not_shown(fresh_page):
    page = fresh_page.go(fresh_page.served.root)
    field = page.page.get_by_label("address")
    for start in ("https://", "//", "ftp://", "http://[", ""):
        address = f"{start}user:secret@127.0.0.1/m.tflite"
        field.fill(address)
        page.page.get_by_role("button", name="Open", exact=True).click()
        page.expect(page.complaint).to_contain_text("a user name or a password in it")
        assert field.input_value() == f"{start.removesuffix('[')}127.0.0.1/m.tflite"
        page.go(f"{page.served.root}?model={urllib.parse.quote(address)}")
        page.expect(page.complaint).to_contain_text("a user name or a password in it")
        shown = page.page.locator("body").inner_text(), field.input_value()
        assert not any("secret" in text for text in (*shown, page.page.url))


def test_a_long_prompt_is_read_without_a_change_of_the_page(page, module):
    prompt = "abcd\n" * 6000
    page.fill(length=5)
    page.page.evaluate(
        """(prompt) => {
          document.getElementById("prompt").value = prompt;
          window.changes = 0;
          new MutationObserver((records) => (window.changes += records.length)).observe(
            document.body,
            { childList: true, subtree: true, characterData: true, attributes: true },
          );
        }""",
        prompt,
    )
    assert page.write() == prompt + keras_text(module, prompt, length=5)
    changes = page.page.evaluate("window.changes")
    assert changes < 60, "each costs a layout of the prompt; 118 calls read it"


def test_a_file_too_large_is_refused_before_it_is_read(fresh_page, tmp_path):
    page = fresh_page.go(fresh_page.served.root)
    path = tmp_path / "large.tflite"
    with path.open("wb") as file:
        file.truncate(5_000_000_000)  # sparse
    page.page.locator("#file").set_input_files(path)
    page.expect(page.complaint).to_have_text(
        "large.tflite has more than 512 MiB, which is too much for a page; open a "
        "smaller file"
    )


def test_another_page_reads_nothing(chromium, served, exported):
    model = urllib.parse.parse_qs(urllib.parse.urlsplit(served.address).query)["model"]
    wanted = served.root + model[0]
    other = Serving(str(exported))
    page = chromium.new_page()
    try:
        # evil.example means this machine: the flags of this browser say so.
        port = urllib.parse.urlsplit(served.root).port
        for path in ("", model[0], "models.json", "offline.js"):
            reply = page.goto(f"http://evil.example:{port}/{path}")
            assert reply.status == 421
        page.goto(other.root)
        read = """(url) => fetch(url).then((reply) => reply.status, () => "refused")"""
        assert page.evaluate(read, wanted) == "refused"
        assert page.evaluate(read, f"{served.root}models.json") == "refused"
        here = wanted.replace("127.0.0.1", "localhost")
        assert page.evaluate(read, here) == "refused"
        own = wanted.replace(served.root, other.root)
        assert page.evaluate(read, own) == 200
    finally:
        page.close()
        other.end()
