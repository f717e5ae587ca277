"""Plots show the values that they were given, whatever these are."""

import itertools
import math

import numpy as np
import pytest

from kerasseq.pictures import drawing, losses
from kerasseq.pictures.attention import plot_scaling
from kerasseq.pictures.classifier import plot_confusion
from kerasseq.pictures.heatmap import plot_attention
from kerasseq.pictures.losses import plot_losses
from kerasseq.pictures.next_word import plot_savings
from kerasseq.pictures.tagger import plot_scores
from tests.support.pictures import check_picture


def softmax(*shape: int) -> np.ndarray:
    powers = np.exp(np.random.default_rng(0).standard_normal(shape))
    return powers / powers.sum(-1, keepdims=True)


def lines(axes) -> dict[str, list[tuple[float, float]]]:
    """The points of every line by its label."""
    return {
        line.get_label(): [tuple(map(float, point)) for point in line.get_xydata()]
        for line in axes.lines
    }


def labels(axis) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


# --- losses


def test_the_training_loss_may_have_another_name(tmp_path):
    figure = plot_losses({"loss": [1.0]}, tmp_path / "loss.png", training="smoothed")
    assert set(lines(figure.axes[0])) == {"smoothed", "lowest"}


def test_losses_are_drawn_by_epoch(tmp_path):
    history = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.5, 2.25, 2.5]}
    path = tmp_path / "run" / "loss.png"
    figure = plot_losses(history, path, {"words": 3.25, "truth": 0.5}, "nats a word")
    check_picture(path, figure)
    [axes] = figure.axes
    assert lines(axes) == {
        "training": [(1, 3.0), (2, 2.0), (3, 1.0)],
        "held-out": [(1, 3.5), (2, 2.25), (3, 2.5)],
        "lowest": [(2, 2.25)],
        "words: 3.250": [(0, 3.25), (1, 3.25)],  # across the width of the axes
        "truth: 0.500": [(0, 0.5), (1, 0.5)],
    }
    title = axes.get_title(loc="left")
    assert title == "Lowest held-out loss: 2.250 nats a word, epoch 2 of 3"
    assert axes.get_xlabel() == "epoch"
    assert axes.get_ylabel() == "loss (nats a word)"
    [legend] = figure.legends
    assert [text.get_text() for text in legend.texts] == list(lines(axes))
    low, high = axes.get_ylim()
    assert low < 0.5 and high > 3.5


def test_training_loss_alone(tmp_path):
    figure = plot_losses({"loss": [2.0, 1.0]}, tmp_path / "loss.png")
    [axes] = figure.axes
    assert lines(axes) == {"training": [(1, 2.0), (2, 1.0)], "lowest": [(2, 1.0)]}
    title = axes.get_title(loc="left")
    assert title == "Lowest training loss: 1.000 nats a character, epoch 2 of 2"


def test_losses_that_are_not_finite_are_left_out(tmp_path):
    losses = [math.nan, 2.0, math.inf, 1.5, -math.inf]
    figure = plot_losses({"loss": losses}, tmp_path / "loss.png")
    [axes] = figure.axes
    drawn = np.array(lines(axes)["training"])[:, 1]
    np.testing.assert_array_equal(drawn, [math.nan, 2.0, math.nan, 1.5, math.nan])
    assert lines(axes)["lowest"] == [(4, 1.5)]


def test_no_finite_loss_at_all(tmp_path):
    history = {"loss": [1.0], "val_loss": [math.nan]}
    figure = plot_losses(history, tmp_path / "loss.png")
    [axes] = figure.axes
    assert axes.get_title(loc="left") == "No held-out loss is a finite number"
    assert "lowest" not in lines(axes)


@pytest.mark.parametrize(
    ("losses", "marked"),
    [([1.0], True), ([1.0] * 31, False), ([math.nan, *[1.0] * 31], True)],
)
def test_points_that_no_line_joins_have_markers(tmp_path, losses, marked):
    figure = plot_losses({"loss": losses}, tmp_path / "loss.png")
    assert (figure.axes[0].lines[0].get_marker() == "o") == marked


def test_epochs_are_whole_numbers(tmp_path):
    figure = plot_losses({"loss": [2.0, 1.0]}, tmp_path / "loss.png")
    assert [tick for tick in labels(figure.axes[0].xaxis) if "." in tick] == []


@pytest.mark.parametrize("history", [{}, {"loss": []}, {"val_loss": [1.0]}])
def test_losses_refuse_an_empty_history(tmp_path, history):
    with pytest.raises(ValueError, match="has no 'loss' of any epoch"):
        plot_losses(history, tmp_path / "loss.png")
    assert not list(tmp_path.iterdir())


def test_a_failed_picture_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "loss.png"
    path.write_text("old")

    def fill_the_disk(figure, file, **_):
        file.write_text("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(losses.Figure, "savefig", fill_the_disk)
    with pytest.raises(OSError, match="No space"):
        plot_losses({"loss": [1.0]}, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


# --- attention


def test_attention_is_drawn_head_by_head(tmp_path):
    weights = softmax(3, 5, 7)
    queries, keys = list("abcde"), list("tuvwxyz")
    path = tmp_path / "attention.png"
    figure = plot_attention(weights, queries, keys, path, "Seen")
    check_picture(path, figure)
    assert figure.get_suptitle() == "Seen"
    *heads, bar = figure.axes
    assert bar.get_ylim() == (0, 1)
    for head, panel in enumerate(heads):
        [image] = panel.images
        np.testing.assert_array_equal(image.get_array(), weights[head])
        assert image.get_clim() == (0, 1)
        assert panel.get_title() == f"head {head + 1}"
        assert panel.yaxis_inverted()  # the first word on top
        assert panel.get_yticks().tolist() == ([] if head == 1 else [*range(5)])
        assert labels(panel.yaxis) == ([] if head == 1 else queries)
        assert labels(panel.xaxis) == ([] if head == 0 else keys)
    assert len(heads) == 3


@pytest.mark.parametrize(
    ("num_heads", "rows", "columns"),
    [(1, 1, 1), (2, 11, 13), (3, 1, 40), (4, 40, 2), (1, 40, 40), (16, 7, 11)],
)
def test_attention_of_any_size(tmp_path, num_heads, rows, columns):
    weights = softmax(num_heads, rows, columns)
    path = tmp_path / "attention.png"
    figure = plot_attention(weights, ["word"] * rows, ["words"] * columns, path)
    check_picture(path, figure)
    heads = [panel for panel in figure.axes if panel.images]
    assert len(heads) == num_heads
    assert heads[0].get_window_extent().width > 100
    for axis, dimension in ((heads[0].yaxis, 1), (heads[-1].xaxis, 0)):
        ticks = axis.get_ticklabels()
        assert ticks
        assert all(tick.get_fontsize() >= 7 for tick in ticks)
        boxes = [tick.get_window_extent().get_points()[:, dimension] for tick in ticks]
        # No label reaches the middle of its neighbour.
        for (low, high), (next_low, next_high) in itertools.pairwise(
            sorted(boxes, key=min)
        ):
            assert high < (next_low + next_high) / 2
            assert low < next_low


def test_small_matrices_show_their_values(tmp_path):
    weights = np.array([[[0.0, 1.0], [0.25, 0.75], [0.5, 0.5]]])
    figure = plot_attention(weights, list("abc"), list("xy"), tmp_path / "a.png")
    texts = figure.axes[0].texts
    assert [
        text.get_text() for text in texts
    ] == "0.00 1.00 0.25 0.75 0.50 0.50".split()
    assert [text.get_position() for text in texts[1:3]] == [(1, 0), (0, 1)]
    assert texts[1].get_color() == "white" != texts[0].get_color()
    large = plot_attention(
        softmax(1, 20, 20), ["a"] * 20, ["b"] * 20, tmp_path / "b.png"
    )
    assert not large.axes[0].texts


TOKENS = {
    "$x_1$": "$x_1$",
    "a_b^c": "a_b^c",
    "$\\frac{$": "$\\frac{$",  # an error if read as mathematics
    "ünï": "ünï",
    "שלום": "שלום",
    "supercalifragilistic": "supercalifr…",
    "exactly12chr": "exactly12chr",
    "a\ue000b": "a□b",  # private use
    "\U00013000": "□",  # a hieroglyph
    "\ud800": "□",
    "\0\n\u00a0": "□□□",
    "می\u200cشد": "میشد",
    "": "",
}


def test_every_token_can_be_drawn(tmp_path):
    # A missing glyph or broken mathematics would be a warning, and so an error.
    tokens, drawn = list(TOKENS), list(TOKENS.values())
    size = len(tokens)
    path = tmp_path / "a.png"
    figure = plot_attention(
        softmax(1, size, size), tokens, tokens, path, " ".join(tokens)
    )
    assert labels(figure.axes[0].yaxis) == drawn
    assert labels(figure.axes[0].xaxis) == drawn
    title = figure.get_suptitle()
    assert title.startswith("$x_1$ a_b^c $\\frac{$ ünï")
    assert max(map(len, title.split("\n"))) <= 60


def test_other_installed_fonts_are_used(tmp_path, monkeypatch, caplog):
    # matplotlib includes this font too; it has glyphs that DejaVu Sans lacks.
    [other] = sorted(drawing.glyphs("STIXGeneral") - drawing.glyphs("DejaVu Sans"))[:1]
    token = chr(other)
    figure = plot_attention(softmax(1, 1, 1), [token], ["b"], tmp_path / "a.png")
    assert labels(figure.axes[0].yaxis) == ["□"]
    drawing.installed_fonts.cache_clear()
    monkeypatch.setattr(drawing, "FONTS", ("DejaVu Sans", "Not There", "STIXGeneral"))
    try:
        figure = plot_attention(softmax(1, 1, 1), [token], ["b"], tmp_path / "a.png")
    finally:
        drawing.installed_fonts.cache_clear()
    assert labels(figure.axes[0].yaxis) == [token]
    assert not caplog.records  # of a font that is not there


@pytest.mark.parametrize(
    "shape", [(5, 7), (2, 7, 5), (2, 4, 7), (1, 2, 5, 7), (0, 5, 7)]
)
def test_attention_refuses_other_shapes(tmp_path, shape):
    with pytest.raises(ValueError, match=r"5 tokens .* 7 .*\(heads, 5, 7\)"):
        plot_attention(np.ones(shape), ["q"] * 5, ["k"] * 7, tmp_path / "a.png")


# --- the scale


def test_scaling_is_drawn_in_two_panels(tmp_path):
    rows = [
        {
            "key size": size,
            "scaled entropy": 2.0,
            "unscaled entropy": 8 / size,
            "scaled gradient": 0.3,
            "unscaled gradient": 1 / size,
        }
        for size in (4, 16, 64)
    ]
    path = tmp_path / "scaling.png"
    figure = plot_scaling(rows, path)
    check_picture(path, figure)
    upper, lower = figure.axes
    assert lines(upper) == {
        "scaled": [(4, 2.0), (16, 2.0), (64, 2.0)],
        "unscaled": [(4, 2.0), (16, 0.5), (64, 0.125)],
    }
    assert lines(lower) == {
        "scaled": [(4, 0.3), (16, 0.3), (64, 0.3)],
        "unscaled": [(4, 0.25), (16, 0.0625), (64, 0.015625)],
    }
    for axes in (upper, lower):
        assert axes.get_xscale() == "log"
        assert labels(axes.xaxis) == ["4", "16", "64"]
        assert axes.get_ylim()[0] == 0
    assert upper.get_ylabel() == "entropy (nats)"


# --- typing


def test_savings_are_bars_side_by_side(tmp_path):
    shares = {
        "ours": {"hit": 0.25, "saved": 0.5},
        "other": {"hit": 0.125, "saved": 0.4},
    }
    path = tmp_path / "savings.png"
    figure = plot_savings(shares, path)
    check_picture(path, figure)
    [axes] = figure.axes
    bars = {
        bar.get_label(): [each.get_height() for each in bar] for bar in axes.containers
    }
    assert bars == {"ours": [0.25, 0.5], "other": [0.125, 0.4]}
    assert labels(axes.xaxis) == ["hit", "saved"]
    places = [[each.get_x() for each in bar] for bar in axes.containers]
    assert all(one < other for one, other in zip(*places, strict=True))
    assert [text.get_text() for text in axes.texts] == [
        "0.250",
        "0.500",
        "0.125",
        "0.400",
    ]


# --- scores


def test_scores_are_bars_by_name_and_method(tmp_path):
    scores = {"ours": {"overall": 0.419, "person": 0.6}, "theirs": {"overall": 0.054}}
    path = tmp_path / "f1.png"
    figure = plot_scores(scores, path, "F1 of entities")
    check_picture(path, figure)
    (axes,) = figure.axes
    widths = {
        bars.get_label(): [round(bar.get_width(), 3) for bar in bars]
        for bars in axes.containers
    }
    assert widths == {"ours": [0.419, 0.6], "theirs": [0.054, 0.0]}
    assert labels(axes.yaxis) == ["overall", "person"]
    assert axes.yaxis_inverted(), "the first name is on top"
    assert axes.get_title(loc="left") == "F1 of entities"


def test_scores_of_any_names_can_be_drawn(tmp_path):
    scores = {"a $b$": {"$x_{": 0.01, "名前": 0.02, "long" * 20: 1.0}}
    check_picture(tmp_path / "p.png", plot_scores(scores, tmp_path / "p.png", "_$^"))


def test_scores_of_more_names_than_a_picture_has_room_for(tmp_path):
    scores = {"ours": {f"kind {index}": 1.0 for index in range(3000)}, "theirs": {}}
    figure = plot_scores(scores, tmp_path / "p.png", "F1")
    check_picture(tmp_path / "p.png", figure)
    assert figure.axes[0].get_title(loc="left") == "F1: the first 100 of 3,000 kinds"


# --- confusions and weighted words


def test_a_confusion_is_drawn_by_share_and_count(tmp_path):
    matrix = np.array([[5, 3, 0], [1, 7, 2], [0, 0, 0]])
    path = tmp_path / "confusion.png"
    figure = plot_confusion(matrix, ["one", "two", "好"], path)
    check_picture(path, figure)
    panel = figure.axes[0]
    shares = [[5 / 8, 3 / 8, 0], [0.1, 0.7, 0.2], [0, 0, 0]]
    np.testing.assert_allclose(panel.images[0].get_array(), shares)
    texts = {text.get_position(): text.get_text() for text in panel.texts}
    assert texts[1, 0] == "3" and texts[0, 1] == "1" and len(texts) == 9
    assert labels(panel.yaxis)[:2] == labels(panel.xaxis)[:2] == ["one", "two"]
    assert (panel.get_ylabel(), panel.get_xlabel()) == (
        "actual class",
        "predicted class",
    )
    assert panel.get_title(loc="left") == "12 of 18 held-out sentences are right"


def test_a_confusion_of_many_classes_shows_no_counts(tmp_path):
    path = tmp_path / "confusion.png"
    names = [f"class number {index}" for index in range(120)]
    figure = plot_confusion(np.eye(120, dtype=int) * 12345, names, path)
    check_picture(path, figure)
    assert not figure.axes[0].texts


def test_a_confusion_needs_a_label_for_each_class(tmp_path):
    with pytest.raises(ValueError, match=r"\(2, 2\), but 3 labels want \(3, 3\)"):
        plot_confusion(np.eye(2), ["a", "b", "c"], tmp_path / "confusion.png")
    assert not list(tmp_path.iterdir())
