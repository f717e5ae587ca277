"""The translator's run: what it leaves, how it resumes, and what it refuses."""

import csv
import json
from pathlib import Path

import pytest
from sacrebleu import corpus_bleu, corpus_chrf

import train_all
from kerasseq.files.keras_models import load_model
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.translate import Translator
from kerasseq.runs import translation
from kerasseq.runs.options import Options
from kerasseq.signatures.translating import translate_ids
from kerasseq.signatures.translation import TranslationOnIds
from kerasseq.text.subwords import END, Subwords
from tests.support.contract import check_card
from tests.support.searching import search_by_steps


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A whole run on made-up dates."""
    out = tmp_path_factory.mktemp("dates")
    arguments = ["--quick", "--only", "translation", "--pairs", "dates"]
    assert train_all.main([*arguments, "--out", str(out)]) == 0
    return out


@pytest.mark.slow
def test_it_leaves_files_and_new_dates_are_right(run):
    folder = run / "translation"
    names = (
        "translation.keras vocabulary.json checkpoint.npz checkpoint_before.npz "
        "history.csv held_out.tsv loss.png bleu.png alignment_1.png alignment_2.png "
        "alignment_3.png saved_model translation_float32.tflite "
        "translation_float16.tflite translation_int8.tflite"
    )
    assert {path.name for path in folder.iterdir()} == set(names.split())
    report = json.loads((run / "report.json").read_text())
    assert all(check["passed"] for check in report["translation_export"]["checks"])
    section = report["translation"]
    assert section["pairs learned from"] + section["held-out pairs"] == 2500
    assert section["exact"] > 0.97
    check_card(Model(folder / "translation_int8.tflite").card)
    assert section["exact, target of the nearest source"] < 0.1
    header, *rows = (folder / "held_out.tsv").read_text().splitlines()
    assert header == "source\treference\ttranslation"
    columns = list(zip(*(row.split("\t") for row in rows), strict=True))
    sources, references, translations = map(list, columns)
    assert section["BLEU (13a, cased)"] == pytest.approx(
        corpus_bleu(translations, [references]).score
    )
    chrf = corpus_chrf(translations, [references]).score
    assert section["chrF"] == pytest.approx(chrf)
    same = [one == other for one, other in zip(references, translations, strict=True)]
    assert section["exact"] == pytest.approx(sum(same) / len(same))
    vocabulary = Subwords.load(folder / "vocabulary.json")
    found = translate_ids(
        TranslationOnIds(load_model(folder / "translation.keras")),
        [vocabulary.encode(source).tolist() for source in sources],
        beam_width=1,
    )
    assert [vocabulary.decode(each.ids) for each in found] == translations


@pytest.mark.slow
def test_a_search_in_python_by_encode_and_step_finds_the_same(run):
    """On a trained model; several of the best are nearly as good."""
    file = Model(run / "translation" / "translation_float32.tflite")
    translator = Translator(file)
    for text in ("3 May 1999", "the 21st of October, 2004", "Feb 7", "good morning"):
        pieces = Subwords(tuple(file.vocabulary["pieces"]))
        for width in (1, 2, 4, 8):
            ids, score = search_by_steps(file, [*pieces.encode(text), END], width, 1.0)
            found = translator.translate(text, width)
            assert found.score == pytest.approx(score, abs=1e-3)
            assert (found.text, len(found.target)) == (pieces.decode(ids), len(ids))


@pytest.mark.slow
def test_a_run_that_had_ended_is_measured_again_and_trains_no_more(run, capsys):
    before = json.loads((run / "report.json").read_text())["translation"]
    weights = load_model(run / "translation" / "translation.keras").get_weights()
    options = Options(
        only="translation", pairs="dates", quick=True, out=run, resume=True
    )
    translation.train(options, translation.plan(options))
    after = json.loads((run / "report.json").read_text())["translation"]
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"seconds of training", "SHA-256 of the files"}
    again = load_model(run / "translation" / "translation.keras").get_weights()
    assert all((one == other).all() for one, other in zip(weights, again, strict=True))
    with (run / "translation" / "history.csv").open() as file:
        assert len(list(csv.DictReader(file))) == after["epochs"]
    other = Options(only="translation", pairs="numbers", quick=True, out=run)
    with pytest.raises(ValueError, match="text's SHA-256 has changed"):
        translation.plan(Options(**{**vars(other), "resume": True}))


LINES = [f"a{index}\tb{index}" for index in range(30)]
REFUSED = {
    "few": (LINES[:19], "has 19 pairs; give at least 20"),
    "one source": (["a\tb"] * 30, "all 30 pairs have the source 'a'"),
    "no tab": ([*LINES, "\x1b[31mred"], r":31 has 1 columns; give two, a source"),
    "no target": ([*LINES, "a\t"], ":31 has no target"),
    "long": (
        [f"{'ab ' * 200}{index}\tb" for index in range(30)],
        "has texts of more than 127 pieces in nearly every pair",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_anything_is_written(name, tmp_path, capsys):
    lines, reason = REFUSED[name]
    path, out = tmp_path / "pairs.tsv", tmp_path / "out"
    path.write_text("\n".join(lines) + "\n")
    arguments = ["--only", "translation", "--pairs", str(path), "--out", str(out)]
    assert train_all.main(arguments) == 2
    error = capsys.readouterr().err
    assert reason in error and "\x1b" not in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_sizes_follow_from_the_file(tmp_path):
    path = tmp_path / "pairs.tsv"
    long = "".join(map(chr, range(0x4E00, 0x4E64)))
    path.write_text("\n".join([*LINES, f"c\t{'d' * 40}", f"{long}\te"]))
    plan = translation.plan(
        Options(only="translation", pairs=str(path), out=tmp_path / "out")
    )
    assert plan.too_long == 1
    assert len(plan.learned) + len(plan.held_out) == 31
    assert plan.config.max_length in (32, 64)
    assert plan.batches.most_pieces == 256
    assert plan.config.vocabulary_size == len(plan.vocabulary)
    steps = plan.training.epochs * plan.training.steps_per_epoch
    assert steps <= 100 * plan.batches.steps_per_pass
