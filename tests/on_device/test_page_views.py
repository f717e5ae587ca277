"""The page's view of each kind of model gives the answers of the program in Python."""

import re

import numpy as np
import pytest

from kerasseq.on_device.classify import Classifier
from kerasseq.on_device.encode import Encoder
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.sampling import choose_token
from kerasseq.on_device.subwords import END, Pieces
from kerasseq.on_device.suggest import Keyboard
from kerasseq.on_device.tag import Tagger
from kerasseq.on_device.tokens import encode_prompt
from kerasseq.on_device.translate import BEAM_WIDTH, LENGTH_PENALTY, Translator
from tests.support.pages import CHARACTERS, DEFAULTS, Page, keras_text, runner_text
from tests.support.searching import hypotheses_by_steps

pytestmark = pytest.mark.slow

STRENGTHS = """(marks) => marks.map(
  (mark) => parseInt(mark.style.getPropertyValue("--strength")),
)"""
OPACITIES = "(all) => all.map((each) => Number(each.getAttribute('fill-opacity')))"
SHARES = """(all) => all.map(
  ({ dataset: { share } }) => (share ? parseFloat(share) / 100 : null),
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
    # A thousand characters or more.
    page.expect(page.page.locator("#progress")).to_have_text(
        re.compile(r"^[\d,]+,\d{3} ")
    )
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


@pytest.mark.parametrize(
    ("settings", "prompt"),
    [
        ({"temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0}, ""),
        ({"temperature": 0.35, "top_k": 0, "top_p": 1, "min_p": 0}, "dé"),
        ({"temperature": 1.75, "top_k": 5, "top_p": 0.75, "min_p": 0.06}, "bad cab"),
        ({"temperature": 0.8, "top_k": 0, "top_p": 1, "min_p": 0.4}, "𝄞" * 700),
        ({"temperature": 0, "top_k": 3, "top_p": 1, "min_p": 0}, "a"),
    ],
)
def test_what_comes_next_is_what_python_draws(page, exported, settings, prompt):
    model = Model(exported)
    states = {n: np.zeros(s, np.float32) for n, s in model.state_shapes().items()}
    for token in encode_prompt(prompt, model.vocabulary["characters"]):
        outputs = model.signatures()["step"](token=np.array([token], "i4"), **states)
        states = {name: outputs[name].copy() for name in states}
    logits = outputs["logits"][0].copy()
    uniforms = (np.arange(2000) + 0.5) / 2000
    drawn = [choose_token(logits, uniform, **settings) for uniform in uniforms]
    shares = np.bincount(drawn, minlength=len(logits)) / 2000
    kept = shares[shares > 0]
    bits = -(kept * np.log2(kept)).sum()

    page.fill(**settings)
    page.prompt(prompt)
    words = page.page.locator("#next-words")
    number = "All" if len(kept) == len(logits) else f"{len(kept)} of"
    wanted = f"{number} {len(logits)} characters remain."
    if len(kept) == 1:
        wanted = "One character remains: there is no choice."
    page.expect(words).to_contain_text(wanted)
    order = np.argsort(-logits, kind="stable")
    shown = page.page.locator("#next dd")
    for _ in range(50):  # while the page reads the prompt
        if widths(shown) == pytest.approx(100 * shares[order], abs=0.06):
            break
        page.page.wait_for_timeout(100)
    assert widths(shown) == pytest.approx(100 * shares[order], abs=0.06)
    said = re.findall(r"\d+\.\d+", words.text_content())
    assert list(map(float, said)) == (
        pytest.approx([2**bits, bits], abs=0.06) if len(kept) > 1 else []
    )
    names = page.page.locator("#next dt").all_text_contents()
    known = dict(zip(" \n", ("space", "newline"), strict=True))
    assert names == [known.get(CHARACTERS[id], CHARACTERS[id]) for id in order]


def widths(bars):
    """How wide bars are, in percent."""
    return bars.evaluate_all(
        "(all) => all.map((bar) => parseFloat(bar.style.getPropertyValue('--share')))"
    )


def test_a_setting_slides_and_its_bars_follow(page):
    for name, value, shown in (
        ("temperature", "0", "One character remains"),
        ("temperature", "1.35", "All 8 characters"),
        ("top_k", "3", "3 of 8 characters"),
        ("top_k", "8", "All 8 characters"),
        ("min_p", "1", "One character remains"),
    ):
        page.fill(**DEFAULTS | {"top_k": 0, "top_p": 1, "min_p": 0})
        page.page.locator(f"#{name}-slider").fill(value)
        field = page.page.locator(f"#{name}")
        keeps_all = (name, value) == ("top_k", "8")
        page.expect(field).to_have_value("0" if keeps_all else value)
        page.expect(page.page.locator("#next-words")).to_contain_text(shown)
    page.fill(temperature=1.4, min_p=0)
    assert page.page.locator("#temperature-slider").input_value() == "1.4"


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


def suggested(page):
    buttons = page.page.locator("#suggestions button").all_text_contents()
    return [word for word in buttons if word]


@pytest.fixture
def keyboard(view, files):
    """A next-word model that is open, and its suggestions for a text in Python."""
    view.choose(files["suggest"])
    return Keyboard(Model(files["suggest"])).suggest


def test_a_keyboard_suggests_as_you_type(view, keyboard):
    field = view.page.get_by_role("textbox", name="Text")
    for text in [
        *("", "T", "th", "the k", "the K", "the KI", "the king ", "the king. "),
        *("the king", "Zork zork a ", "Zork zork a z", "the zork Zorn! z", "q", "好 "),
        "a kin " * 40,
    ]:
        field.fill(text)
        wanted = [word for word, _ in keyboard(text)]
        spoken = f"Suggestions: {', '.join(wanted)}" if wanted else ""
        view.expect(view.page.locator("#spoken")).to_have_text(spoken)
        assert suggested(view) == wanted, text
        shares = view.page.locator("#suggestions button").evaluate_all(SHARES)
        wanted = [probability for _, probability in keyboard(text)]
        assert shares[: len(wanted)] == pytest.approx(wanted, abs=6e-3), text
        assert shares[len(wanted) :] == [None] * (3 - len(wanted))
    view.expect(view.page.locator("#learned")).to_contain_text("your own so far: 0.")


def test_a_suggestion_is_taken_by_tab_and_by_touch(view, keyboard):
    field = view.page.get_by_role("textbox", name="Text")
    field.focus()
    view.page.keyboard.type("Th")
    view.expect(view.page.locator("#suggestions button").first).to_have_text("The")
    view.page.keyboard.press("Tab")
    view.expect(field).to_have_value("The ")
    _, (second, _), *_ = keyboard("The ")
    view.expect(view.page.locator("#suggestions button").nth(1)).to_have_text(second)
    view.page.locator("#suggestions button").nth(1).click()
    text = f"The {second} "
    view.expect(field).to_have_value(text)
    view.expect(field).to_be_focused()
    keys = 4
    view.expect(view.page.locator("#saved")).to_have_text(
        f"{keys} keystrokes for {len(text)} characters: "
        f"{100 * (1 - keys / len(text)):.0f} % saved."
    )
    view.page.keyboard.type(".")
    view.expect(field).to_have_value(f"{text[:-1]}.")
    view.page.keyboard.press("Escape")
    view.page.keyboard.press("Tab")
    view.expect(field).not_to_be_focused()


def test_a_tagger_marks_names_as_you_type(view, files):
    view.choose(files["tag"])
    tagger = Tagger(Model(files["tag"]))
    field = view.page.get_by_role("textbox", name="Text")
    seen = 0
    for text in [*TEXTS, "DOG the cat sat, 好 οδοσ dog. " * 3]:
        field.fill(text)
        found = tagger.find(text)
        seen += len(found)
        spoken = ", ".join(f"{' '.join(name.text.split())}: x" for name in found)
        view.expect(view.page.locator("#spoken")).to_have_text(spoken)
        marks = view.page.locator("#marks mark").all_text_contents()
        assert marks == [name.text for name in found]
        view.expect(view.page.locator("#found li")).to_have_count(len(found))
        view.expect(view.page.locator("#kinds")).to_have_text(f"x{len(found)}")
    assert seen, "no text has a name"


def test_an_encoder_shows_who_attends_to_whom_and_what_is_near(view, files):
    view.choose(files["encode"])
    encoder = Encoder(Model(files["encode"]))
    page = view.page
    for text in TEXTS:
        page.get_by_role("textbox", name="Sentence").fill(text)
        tokens, _, embeddings, weights = encoder.encode(text)
        count = len(tokens)
        view.expect(page.locator("#near dt")).to_have_count(count)
        for block, heads in enumerate(weights, 1):
            page.get_by_label("Block").select_option(str(block))
            for head, map in [*enumerate(heads, 1), ("mean", heads.mean(0))]:
                page.get_by_label("Head").select_option(str(head))
                shown = page.locator("#heatmap rect").evaluate_all(OPACITIES)
                assert shown == pytest.approx((map / map.max()).ravel(), abs=1e-3)
        lengths = np.linalg.norm(embeddings, axis=1)
        cosines = embeddings @ embeddings.T / np.outer(lengths, lengths)
        near = page.locator("#near dd").all_text_contents()
        for row, each in enumerate(near):
            best = np.sort(np.delete(cosines[row], row))[::-1][:3]
            found = [float(number) for number in re.findall(r"-?\d\.\d\d", each)]
            assert found == pytest.approx(best, abs=0.006)
    page.get_by_role("textbox", name="Sentence").fill("the cat sat")
    page.locator("#from button").nth(1).focus()
    view.expect(page.locator("#lines line")).to_have_count(3)
    view.expect(page.locator("#looked")).to_contain_text("“cat” attends to “")
    cat = encoder.encode("the cat sat").embeddings[1]
    cosines = {}
    for word in Model(files["encode"]).vocabulary["words"][3:]:
        other = encoder.encode(f"the {word} sat").embeddings[1]
        cosines[word] = cat @ other / np.linalg.norm(cat) / np.linalg.norm(other)
    del cosines["cat"]
    best = sorted(cosines, key=lambda word: -cosines[word])[:5]
    names = ", ".join(f"{word} {cosines[word]:.2f}" for word in best)
    view.expect(page.locator("#in-place")).to_have_text(f"In place of “cat”: {names}.")


def test_a_translator_translates_as_you_type(view, translator):
    path = translator
    view.choose(path)
    translator = Translator(Model(path))
    page = view.page
    for text in ["a cat", "ein Hund 😀 und", "the cat  sat\non a mat", "ß" * 40]:
        page.get_by_role("textbox", name="Text").fill(text)
        found = translator.translate(text)
        words = page.locator("#translation .word")
        view.expect(page.locator("#spoken")).to_have_text(found.text)
        notes = page.locator("#typed-note").text_content()
        assert ("is left out" in notes) == bool(found.left_out)
        assert ("was cut" in notes) == (not found.finished)
        if not words.count():
            continue
        words.first.focus()
        view.expect(page.locator("#looked")).to_contain_text("looked at")
        first = next(
            (
                index
                for index, piece in enumerate(found.target)
                if index and (piece.startswith(" ") or not piece)
            ),
            len(found.target),
        )
        starts = [
            index
            for index, piece in enumerate(found.source[:-1])
            if index == 0 or piece.startswith(" ")
        ]
        looked = found.alignment[:first].mean(axis=0)[:-1]
        weights = np.add.reduceat(looked, starts)
        strengths = page.locator("#marks mark").evaluate_all(STRENGTHS)
        assert strengths == pytest.approx(100 * weights / weights.max(), abs=1)
        wanted = alternatives(path, text)
        others = page.locator("#others button")
        view.expect(others).to_have_text([*wanted], use_inner_text=False)
        said = page.locator("#others .share").evaluate_all(
            "(all) => all.map(({ title }) => parseFloat(title.split(' ').at(-1)))"
        )
        assert said == pytest.approx([*wanted.values()], abs=0.01)
        assert others.first.get_attribute("aria-pressed") == "true"
        others.last.click()
        assert others.last.get_attribute("aria-pressed") == "true"
        shown = "".join(words.all_text_contents())
        assert shown == "".join(list(wanted)[-1].split(" "))


def alternatives(path, text):
    """The texts that plain Python's beam search keeps, and their log probabilities."""
    file = Model(path)
    pieces = Pieces(file.vocabulary["pieces"])
    source = [*pieces.encode(text)[: file.card["length"] - 1], END]
    found: dict[str, float] = {}
    for ids, total in hypotheses_by_steps(file, source, BEAM_WIDTH, LENGTH_PENALTY):
        found.setdefault(pieces.decode(ids), total)
    return found


def test_every_view_fits_a_phone_and_keeps_the_rules_of_access(
    chromium, served, packages, files, translator
):
    context = chromium.new_context(
        viewport={"width": 390, "height": 844},
        reduced_motion="reduce",
        bypass_csp=True,  # for axe, which is injected into the page
    )
    page = Page(context.new_page(), served).go(served.root)
    axe = (packages / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    page.page.add_script_tag(content=axe)
    opened = {**files, "translate": translator}
    del opened["show"]
    for name, path in opened.items():
        page.choose(path)
        page.page.locator("textarea").first.fill("THE  ΟΔΟΣ, 好 dog\nsat! " * 3)
        page.page.wait_for_timeout(1000)
        for word in page.page.locator(".word").all()[:1]:
            word.focus()
        assert page.page.evaluate("document.documentElement.scrollWidth") == 390, name
        for scheme in ("light", "dark"):
            page.page.emulate_media(color_scheme=scheme)
            found = page.page.evaluate("axe.run()")["violations"]
            shown = [(rule["id"], rule["nodes"][0]["html"]) for rule in found]
            assert shown == [], name
    page.check()
    context.close()


def test_what_was_typed_stays_when_another_model_is_opened(view, files, exported):
    view.choose(files["classify"])
    view.page.get_by_role("textbox", name="Text").fill("a bad cab")
    view.choose(exported)
    view.expect(view.page.get_by_label("Prompt")).to_have_value("a bad cab")
    view.expect(view.write_button).to_be_enabled()
