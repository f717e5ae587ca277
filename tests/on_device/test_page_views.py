"""The page's view of each kind of model gives the answers of the program in Python."""

import re

import pytest

from kerasseq.on_device.classify import Classifier
from kerasseq.on_device.model_file import Model
from tests.support.pages import Page, keras_text, runner_text

pytestmark = pytest.mark.slow

STRENGTHS = """(marks) => marks.map(
  (mark) => parseInt(mark.style.getPropertyValue("--strength")),
)"""
TEXTS = ["the cat", "THE  ΟΔΟΣ, 好 dog\nsat!", "🧑‍🚀 the cat", "sat " * 9]


@pytest.fixture
def view(fresh_page):
    """The page with nothing open."""
    return fresh_page.go(fresh_page.served.root)


def press(page, name):
    page.page.get_by_role("button", name=name, exact=True).click()


def test_go_on_gives_the_text_that_one_call_gives(page, exported):
    page.prompt("a bad cab")
    page.write()
    for length, pressed in ((63, 26), (163, 100)):
        page.fill(length=pressed)
        press(page, "Go on")
        page.expect(page.done).to_have_text(re.compile(f"^Wrote {length} .* seed 0.$"))
        assert page.text() == "a bad cab" + runner_text(
            exported, "a bad cab", length=length
        )


def test_go_on_after_a_stop_leaves_nothing_out(page, exported):
    page.prompt("a")
    page.fill(length=2**31 - 1)
    page.write_button.click()
    page.expect(page.page.locator("#progress")).to_have_text(re.compile(r"^\d,\d{3} "))
    press(page, "Stop")
    page.expect(page.done).to_have_text(re.compile("^Stopped after"))
    page.fill(length=999)
    press(page, "Go on")
    page.expect(page.done).to_have_text(re.compile("^Wrote "))
    length = len(page.text()) - 1
    assert page.text() == "a" + runner_text(exported, "a", length=length)


def test_write_again_takes_the_next_seed_and_shows_it(page, module):
    page.prompt("dé")
    page.fill(seed=2**31 - 2)
    page.write()
    for seed in (2**31 - 1, 0):
        press(page, "Write again")
        page.expect(page.done).to_have_text(re.compile(f"seed {seed}.$"))
        assert page.text() == "dé" + keras_text(module, "dé", seed=seed)
        assert page.page.get_by_label("Seed").input_value() == str(seed)


def test_stop_texts_end_the_text_and_go_on_passes_them(page, module):
    page.prompt("")
    page.fill(length=400)
    whole = keras_text(module, "", length=400)
    stops = [whole[50:53], "\n" + whole[whole.index("\n", 100) + 1], "zz"]
    lines = "\n".join(stop.replace("\n", "\\n") for stop in stops)
    page.page.get_by_label("Stop texts").fill(lines)
    shown, passed = page.write(), 0
    while len(shown) < len(whole):
        found = [whole.index(stop, passed) for stop in stops if stop in whole[passed:]]
        if not found:
            break
        assert shown == whole[: min(found)]
        passed = min(found) + next(
            len(stop) for stop in stops if whole.startswith(stop, min(found))
        )
        before = shown
        press(page, "Go on")
        page.expect(page.page.locator("#text")).not_to_have_text(
            before, use_inner_text=False
        )
        page.expect(page.done).to_have_text(re.compile("^(Wrote|Found)"))
        shown = page.text()
    assert passed, "the stop texts are in the text"
    page.page.get_by_label("Stop texts").fill("")


def test_a_phone_shows_the_text_and_code_in_a_fixed_width(chromium, served, exported):
    size = {"width": 390, "height": 844}
    context = chromium.new_context(viewport=size, reduced_motion="reduce")
    page = Page(context.new_page(), served).open()
    box = page.page.locator("#text")
    assert box.bounding_box()["y"] < 600
    fixed = page.page.get_by_label("Fixed width")
    page.prompt("a b c d é\n" * 3)
    page.fill(length=0)
    page.write()
    page.expect(fixed).not_to_be_checked()
    page.prompt("    a b\n    c d\na\n")
    page.write()
    page.expect(fixed).to_be_checked()
    family = "(box) => getComputedStyle(box).fontFamily"
    assert "mono" in box.evaluate(family)
    fixed.uncheck()
    assert "mono" not in box.evaluate(family)
    context.close()


def test_a_classifier_answers_as_you_type(view, files):
    path = files["classify"]
    view.choose(path)
    classifier = Classifier(Model(path))
    field = view.page.get_by_role("textbox", name="Text")
    for text in TEXTS:
        field.fill(text)
        answer = classifier.classify(text)
        best = view.page.locator("dd.best")
        view.expect(view.page.locator("#spoken")).to_contain_text(f"{answer.label}, ")
        view.expect(view.page.locator("dt.best")).to_have_text(answer.label)
        share = best.evaluate(
            "(bar) => parseFloat(bar.style.getPropertyValue('--share'))"
        )
        assert share == pytest.approx(100 * answer.probability, abs=1e-3)
        marks = view.page.locator("#marks mark")
        assert marks.all_text_contents() == [
            "".join(text[start:end]) for start, end in answer.offsets
        ]
        strengths = marks.evaluate_all(STRENGTHS)
        wanted = 100 * (answer.weights / answer.weights.max()) ** 2
        assert strengths == pytest.approx(wanted.tolist(), abs=1)
    view.expect(view.page.locator("#typed-note")).to_have_text(
        "It reads the first 7 words; 2 are left out."
    )
    field.fill("xyz")
    view.expect(view.page.locator("#typed-note")).to_have_text(
        "The model knows none of these words."
    )
    view.expect(view.page.locator("dt.best")).to_have_count(0)


def test_what_was_typed_stays_when_another_model_is_opened(view, files, exported):
    view.choose(files["classify"])
    view.page.get_by_role("textbox", name="Text").fill("a bad cab")
    view.choose(exported)
    view.expect(view.page.get_by_label("Prompt")).to_have_value("a bad cab")
    view.expect(view.write_button).to_be_enabled()
