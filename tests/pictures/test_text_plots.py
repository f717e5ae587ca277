"""Pictures of texts: every word is drawn, at its position and in its colour."""

import itertools

import numpy as np
import pytest
from matplotlib.image import imread

from kerasseq.pictures import drawing
from kerasseq.pictures.answers import Answer, draw_answers
from kerasseq.pictures.classifier import WeightedWords, plot_weighted_words
from kerasseq.pictures.drawing import BLUE, DOTS_PER_INCH, GREY, ORANGE, drawable
from kerasseq.pictures.next_word import plot_typing
from tests.support.pictures import check_picture


def test_each_character_is_typed_or_saved(tmp_path):
    words = [("Don't", 2), (",", None), ("(", None), ("été", 0), ("好😀", 2)]
    path = tmp_path / "typing.png"
    figure = plot_typing({"ours": words, "other": words[:1]}, path, line=12)
    check_picture(path, figure)
    [axes] = figure.axes
    # 2 + 0 + 2 letters and a tap or space for each word; 5 + 3 + 2 letters and spaces.
    titles = [text for text in axes.texts if "keystrokes" in text.get_text()]
    assert [text.get_text() for text in titles] == [
        "ours: 7 keystrokes instead of 13",
        "other: 3 keystrokes instead of 6",
    ]
    letters = [text for text in axes.texts if text not in titles]
    colours = {"t": ORANGE, "s": BLUE, "n": GREY}
    shown = "".join(text.get_text() for text in letters[:14])
    assert shown.replace("好", "□").replace("😀", "□") == "Don't, ( été□□"
    kinds = "ttsssn" + " n" + " sss" + "tt"
    for text, kind in zip(letters, kinds, strict=False):
        assert kind == " " or text.get_color() == colours[kind], text.get_text()
    # "été" fits into the line, the next word does not.
    rows = [text.get_position()[1] for text in letters[:14]]
    assert rows == [1] * 12 + [2] * 2


def test_arabic_runs_from_the_right_and_hindi_keeps_its_marks(tmp_path):
    arabic, hindi = [("اللون", 2), (".", None), ("id", 0)], [("हिंदी", 3)]
    figure = plot_typing({"a": arabic, "h": hindi}, tmp_path / "t.png", line=12)
    texts = [each for each in figure.axes[0].texts if "keys" not in each.get_text()]
    places = [each.get_position()[0] for each in texts]
    assert places[:9] == [*range(11, 2, -1)]
    assert places[9:] == [*range(len(places) - 9)]
    marked = [(each.get_text(), each.get_color()) for each in texts[9:]]
    if "□" not in marked[0][0]:  # a font is installed
        assert marked == [("हिं", ORANGE), ("दी", BLUE)]

    words = [WeightedWords("right: لون, 0.9", ["لا", "id", "لون"], np.ones(3))]
    figure = plot_weighted_words(words, tmp_path / "w.png", "title")
    first, *_, last = [each.get_position()[0] for each in figure.texts[-3:]]
    assert 0.8 < last < first


def test_letters_that_no_font_has_are_named_by_their_script_once(capsys):
    drawing._name_missing_font.cache_clear()  # another test may have had such letters
    assert drawable("𓀀a𓀁\x00👾\u200d" + drawable("𓀂")) == "□a□□□□"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("pictures show □ for letters of Egyptian, which no instal")


@pytest.mark.slow
def test_words_and_labels_of_any_length_are_drawn(tmp_path):
    word, label = "x" * 10**6, "many words " * 900
    typed = plot_typing({"ours": [(word, None), (word, 7)]}, tmp_path / "t.png")
    check_picture(tmp_path / "t.png", typed)
    assert len(typed.axes[0].texts) < 200
    (tmp_path / "t.png").unlink()
    answer = Answer(word, label, label * 2, 0.5, np.ones(1))
    draw_answers([answer] * 8, tmp_path / "a.png")
    assert imread(tmp_path / "a.png").shape[0] < 2000


def test_a_word_longer_than_a_line_is_drawn(tmp_path):
    figure = plot_typing({"ours": [("x" * 50, 50)]}, tmp_path / "t.png", line=20)
    [axes] = figure.axes
    assert axes.get_xlim()[1] >= 50


def test_every_word_has_a_background_for_its_weight(tmp_path):
    words = ["the", "好", "$x$", "w" * 99, *["word"] * 40, "last"]
    weights = np.linspace(0, 1, len(words))
    path = tmp_path / "words.png"
    texts = [WeightedWords("heading " * 20, words, weights)]
    texts += [WeightedWords("nothing", ["a", "b"], np.zeros(2))]
    figure = plot_weighted_words(texts, path, "What it looked at")
    check_picture(path, figure)
    drawn = [text for text in figure.texts if text.get_bbox_patch()]
    shown = [text.get_text() for text in drawn]
    assert shown[0] == "the" and shown[2] == "$x$" and shown[-3:] == ["last", "a", "b"]
    assert shown[3].endswith("…") and len(shown[3]) == 30
    assert len(drawn) == len(words) + 2
    darkness = [-sum(text.get_bbox_patch().get_facecolor()[:3]) for text in drawn]
    first = darkness[: len(words)]
    assert first == sorted(first) and first[0] < first[-1]
    figure.set_dpi(DOTS_PER_INCH)  # as it was written
    boxes = [text.get_window_extent() for text in figure.texts]
    assert all(
        0 <= box.x0 and box.x1 <= figure.bbox.width and box.y0 >= 0 for box in boxes
    ), "a word is outside the picture"
    for one, other in itertools.combinations(boxes, 2):
        assert not (
            min(one.x1, other.x1) > max(one.x0, other.x0) + 1
            and min(one.y1, other.y1) > max(one.y0, other.y0) + 1
        ), "two words overlap"
