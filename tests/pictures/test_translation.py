"""Pictures of translations show alignments and scores as they are."""

import numpy as np

from kerasseq.data.pairs import Pair
from kerasseq.models.translation import TranslationConfig, build_translation
from kerasseq.pictures.translation import (
    attend,
    draw_alignments,
    plot_bleu_by_length,
    show_piece,
    translation_table,
)
from kerasseq.scores.translation import bleu
from kerasseq.text.subwords import END, START, Subwords
from tests.support.pictures import check_picture


def test_alignments_are_the_model_s_own(tmp_path):
    vocabulary = Subwords((" a", "\u00e9"))
    model = build_translation(
        TranslationConfig(len(vocabulary), 8, 2, 1, 3, 8, max_length=64)
    )
    source = np.append(vocabulary.encode("a b"), END)
    target = np.append(vocabulary.encode("aé"), END)
    weights = attend(model, source, target)
    assert weights.shape == (3, len(target), len(source))
    inputs = {"source_ids": source, "target_ids": np.array([START, *target[:-1]])}
    outputs = model({name: ids[None] for name, ids in inputs.items()})
    for block in range(3):
        expected = outputs[f"alignment_{block}"].numpy()[0].mean(0)
        np.testing.assert_allclose(weights[block], expected, rtol=1e-6)
    texts = ["a " * 30, "a", "", "b a \n", "é"]
    sources = [vocabulary.encode(text) for text in texts]
    targets = [sources[1], sources[0], np.zeros(0, np.int32), *sources[3:]]
    draw_alignments(model, vocabulary, sources, targets, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"alignment_1.png", "alignment_2.png", "alignment_3.png"}
    cut = np.full(64, targets[0][0], np.int32)
    draw_alignments(model, vocabulary, [sources[1]], [cut], tmp_path / "cut")
    assert (tmp_path / "cut" / "alignment_1.png").exists()


def test_each_piece_has_a_visible_label():
    vocabulary = Subwords((" a", "\u00e9"))
    shown = [show_piece(index, vocabulary) for index in (259, 260, END, 35, 36, 3)]
    assert shown == ["\u2581a", "é", "(end)", "\u2581", "!", "00"]


def test_bleu_by_length_has_the_score_of_each_group(tmp_path):
    words = "a b c d e f g h i j k l m n o p".split()
    pairs = [
        Pair(" ".join(words[:length]), " ".join(words[: length + 4]))
        for length in (3, 1, 2, 9, 9, 9, 9, 5, 12)
    ]
    translations = [
        pair.target + " x" * (index % 3) for index, pair in enumerate(pairs)
    ]
    figure = plot_bleu_by_length(pairs, translations, tmp_path / "bleu.png")
    check_picture(tmp_path / "bleu.png", figure)
    [axes] = figure.axes
    found = {
        label.get_text(): bar.get_height()
        for label, bar in zip(axes.get_xticklabels(), axes.patches, strict=True)
    }
    groups = {"1 to 2\n(2)": (1, 2), "3 to 5\n(2)": (0, 7), "9\n(4)": (3, 4, 5, 6)}
    groups["12\n(1)"] = (8,)
    assert found == {
        name: bleu([translations[i] for i in group], [pairs[i].target for i in group])
        for name, group in groups.items()
    }


def test_a_table_keeps_lines_whole():
    pair = Pair("a", "b")
    table = translation_table([pair], ["c\td\n\x1b"])
    assert table == "source\treference\ttranslation\na\tb\tc\\td\\n\\x1b\n"
