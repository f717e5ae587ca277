"""Coloured sentences: in a terminal, without one, and as a page."""

import re
from html.parser import HTMLParser
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.data.tagged import TaggedSentence
from kerasseq.on_device.command import visible
from kerasseq.pictures.tagger import (
    COLOURS,
    HUES,
    colour_entities,
    score_rows,
    write_entity_page,
)
from kerasseq.scores.entities import OVERALL, EntityScore
from tests.support.markdown import MARKUP

SENTENCE = TaggedSentence(
    ("<in>", "New", "York", "<b>Ada</b>", "sang"),
    ("O", "B-city", "I-city", "B-person", "O"),
)
KINDS = ["city", "person"]
ELEMENTS = ["html", "meta", "meta", "title", "style", "h1", "p"]


def test_a_terminal_gets_colours(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert colour_entities(SENTENCE, KINDS, terminal=True) == (
        "<in> \x1b[36;1mNew York\x1b[22m city\x1b[0m "
        "\x1b[33;1m<b>Ada</b>\x1b[22m person\x1b[0m sang"
    )


@pytest.mark.parametrize(("terminal", "no_color"), [(True, "1"), (False, "")])
def test_brackets_without_a_terminal_or_colours(terminal, no_color, monkeypatch):
    monkeypatch.setenv("NO_COLOR", no_color)
    assert colour_entities(SENTENCE, KINDS, terminal) == (
        "<in> [New York city] [<b>Ada</b> person] sang"
    )


def test_more_kinds_than_colours():
    kinds = [f"k{index}" for index in range(30)]
    sentence = TaggedSentence(("a",), ("B-k29",))
    assert f"\x1b[{COLOURS[9]};1m" in colour_entities(sentence, kinds, terminal=True)


class Page(HTMLParser):
    """The text of a page, and what is marked in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.marks: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.elements.append(tag)
        if tag == "mark":
            self.marks.append("")
        self.links += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag):
        while self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if "mark" in self.open:
            self.marks[-1] += f"/{data}" if "b" in self.open else data


def test_the_page_marks_what_was_predicted_and_what_is_in_the_file(tmp_path):
    right = TaggedSentence(("Rome",), ("B-city",))
    path = write_entity_page(
        tmp_path / "page.html",
        [(SENTENCE, ["O", "O", "B-city", "O", "O"]), (right, ["B-city"])],
        KINDS,
        "Names & <more>",
    )
    text = path.read_text()
    page = Page(text)
    assert page.marks == [
        "York/city",
        "New York/city",
        "<b>Ada</b>/person",
        "Rome/city",
    ]
    assert text.count("in the file:") == 1
    assert "&lt;in&gt; New" in text
    assert "<title>Names &amp; &lt;more&gt;</title>" in text
    assert "In 1 of them the entities differ" in text
    assert not page.links, "nothing is loaded from elsewhere"
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def luminance(hue: float, saturation: float, lightness: float) -> float:
    """Relative luminance of an HSL colour, WCAG 2.2."""
    chroma = (1 - abs(2 * lightness - 1)) * saturation

    def channel(shift: int) -> float:
        k = (shift + hue / 30) % 12
        value = lightness - chroma / 2 * max(-1, min(k - 3, 9 - k, 1))
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = channel(0), channel(8), channel(4)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("hue", HUES)
def test_text_is_legible_on_every_colour(hue, tmp_path):
    text = write_entity_page(tmp_path / "p.html", [], [], "").read_text()
    backs = [int(found) / 100 for found in re.findall(r"--back: (\d+)%", text)]
    letters = [int(found) / 100 for found in re.findall(r"--letters: (\d+)%", text)]
    assert len(backs) == len(letters) == 2, "light and dark"
    for back, letter in zip(backs, letters, strict=True):
        one, other = luminance(hue, 0.6, back), luminance(hue, 0.6, letter)
        contrast = (max(one, other) + 0.05) / (min(one, other) + 0.05)
        assert contrast >= 4.5, (hue, back, letter, contrast)


def test_rows_of_scores():
    row, few = score_rows(
        {"town": EntityScore(10, 20, 40), "river": EntityScore(1, 2, 24)}
    )
    assert row == {
        "entities": "town",
        "precision": 0.5,
        "recall": 0.25,
        "F1": pytest.approx(1 / 3),
        "in the file": 40,
        "found": 20,
        "right": 10,
    }
    assert few == {
        "entities": "river",
        **dict.fromkeys(("precision", "recall", "F1"), "too few to judge"),
        "in the file": 24,
        "found": 2,
        "right": 1,
    }
    (overall,) = score_rows({OVERALL: EntityScore(1, 2, 4)})
    assert overall["recall"] == 0.25


@settings(max_examples=10)
@given(st.lists(MARKUP.filter(bool), min_size=3, max_size=3), MARKUP)
def test_no_text_forges_lines_colours_or_elements(tokens, kind):
    sentence = TaggedSentence(tuple(tokens), ("O", f"B-{kind}", "O"))
    plain = colour_entities(sentence, [kind], terminal=False)
    assert plain == visible(plain)
    coloured = colour_entities(sentence, [kind], terminal=True)
    ours = re.sub("\x1b\\[(36;1|22|0)m", "", coloured)
    assert ours == visible(ours)
    with TemporaryDirectory() as folder:
        path = write_entity_page(
            f"{folder}/page.html", [(sentence, ["O", "O", "O"])], [kind], kind
        )
        page = path.read_text(encoding="utf-8")
    assert visible(page, "\n") == page
    found = Page(page)
    assert found.elements == [*ELEMENTS, "p", "small", "mark", "b"]
    assert not found.links
