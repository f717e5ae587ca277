"""The classifier's run: what it leaves, and what it refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import train_all
from kerasseq.files.keras_models import load_model
from kerasseq.files.labels import read_labels
from kerasseq.on_device.model_file import Model
from tests.support.contract import check_card

ROOT = Path(__file__).parents[2]
# Three classes, unbalanced, in three scripts; one word identifies each class.
WORDS = {"好": "天气 真 好", "плохо": "дождь и ветер", "fine": "sun and warm"}
SIZES = {"好": 90, "плохо": 30, "fine": 12}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The whole run on a small file, in this process."""
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    lines = []
    for label, count in SIZES.items():
        for _ in range(count):
            sentence = rng.permutation(
                [*WORDS[label].split(), *"abcd"[: rng.integers(5)]]
            )
            lines.append(f"{label}\t{' '.join(sentence)}\r\n")
    lines.append(f"好\t{'天气 ' * 200}\r\n")
    (folder / "labels.tsv").write_text("".join(rng.permutation(lines)))
    arguments = ["--labels", str(folder / "labels.tsv"), "--out", str(folder / "out")]
    assert train_all.main([*arguments, "--only", "classifier"]) == 0
    return folder / "out"


@pytest.mark.slow
def test_it_leaves_the_files_that_it_lists(run):
    names = (
        "classifier.keras vocabulary.json labels.json history.csv held_out.tsv "
        "loss.png confusion.png attention.png saved_model classifier_float32.tflite "
        "classifier_float16.tflite classifier_int8.tflite"
    )
    found = {path.name for path in (run / "classifier").iterdir()}
    assert found == set(names.split())
    assert read_labels(run / "classifier" / "labels.json") == tuple(sorted(WORDS))


@pytest.mark.slow
def test_it_learns_and_the_report_has_the_scores(run):
    report = json.loads((run / "report.json").read_text())
    assert set(report) == {"classifier", "classifier_export"}
    section = report["classifier"]
    rows = (run / "classifier" / "held_out.tsv").read_text().splitlines()
    header, *answers = [row.split("\t") for row in rows]
    assert header == ["label", "predicted", "probability", "sentence"]
    right = sum(label == predicted for label, predicted, *_ in answers)
    assert section["held-out accuracy"] == right / len(answers) == 1
    assert section["held-out macro-F1"] == 1
    largest = sum(row[0] == "好" for row in answers) / len(answers)
    assert section["accuracy of the largest class"] == largest
    assert section["accuracy of naive Bayes"] == 1
    assert section["held-out sentences"] == len(answers) == 9 + 3 + 1
    assert section["sentences"] == 133
    assert section["sentences longer than the model reads"] == 1
    assert section["held-out sentences that were also learned from"] > 0
    export = report["classifier_export"]
    assert export["sentences read by the checks"] == len(answers)
    assert all(check["passed"] for check in export["checks"])
    for figures in export["files"].values():
        assert figures["accuracy, interpreter"] == 1
        assert figures["accuracy, compiled_model"] == 1


@pytest.mark.slow
def test_each_sentence_is_held_out_or_learned_from(run):
    model = load_model(run / "classifier" / "classifier.keras")
    words = json.loads((run / "classifier" / "vocabulary.json").read_text())["words"]
    assert model.get_layer("embedding").input_dim == len(words)
    assert {"天气", "дождь", "warm"} < set(words)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["float32", "float16", "int8"])
def test_a_file_classifies_on_a_device(run, variant):
    path = run / "classifier" / f"classifier_{variant}.tflite"
    card = Model(path).card
    assert (card["kind"], card["weights"]) == ("classifier", variant)
    assert card["labels"] == sorted(WORDS)
    check_card(card)
    runner = ROOT / "kerasseq" / "on_device" / "classify.py"
    done = subprocess.run(
        [sys.executable, runner, path],
        input="\n".join(WORDS.values()).encode(),
        capture_output=True,
        check=True,
    )
    labels = [line.split("\t")[0] for line in done.stdout.decode().splitlines()]
    assert labels == list(WORDS)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model(run, tmp_path):
    arguments = ["--labels", str(run.parent / "labels.tsv"), "--out", str(tmp_path)]
    assert train_all.main([*arguments, "--only", "classifier"]) == 0
    models = [
        load_model(folder / "classifier" / "classifier.keras")
        for folder in (run, tmp_path)
    ]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)
    files = [
        (folder / "classifier" / "classifier_int8.tflite").read_bytes()
        for folder in (run, tmp_path)
    ]
    assert files[0] == files[1]


@pytest.mark.slow
def test_the_export_is_repeated_in_a_fresh_process(run):
    path = run / "classifier" / "classifier_int8.tflite"
    before = path.read_bytes()
    path.unlink()
    done = subprocess.run(
        [sys.executable, "-m", "export.classifier", str(run)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert path.read_bytes() == before


@pytest.mark.slow
def test_a_failed_check_ends_the_recipe_with_1(run, monkeypatch, capsys):
    from kerasseq.commands import export_again
    from kerasseq.recipes import classifier as recipe

    monkeypatch.setitem(recipe.ALLOWED_DIFFERENCE, "int8", -1.0)
    assert export_again("classifier", [str(run)]) == 1
    error = capsys.readouterr().err
    assert "classifier_int8.tflite: largest difference of a probability" in error
    assert "saved_model" not in error


def test_labels_far_from_keras_are_counted():
    from kerasseq.recipes.classifier import Expected, compare

    probabilities = np.array([[0.9, 0.1], [0.5001, 0.4999], [0.2, 0.8]], np.float32)
    weights = np.ones((3, 1), np.float32)
    nothing = np.zeros(3)
    expected = Expected(("a",) * 3, nothing, weights, nothing, probabilities, weights)
    turned = probabilities[:, ::-1]
    *_, check = compare("file", "x", "float16", expected, turned, weights)
    assert check.value == 2, "the middle one is too close to decide"
    *_, check = compare("file", "x", "float16", expected, probabilities, weights)
    assert check.value == 0 and check.passed


BAD = {
    "columns": ("a\tone\na two\n", ":2 has 1 columns"),
    "class": ("a\tone\na\ttwo\n", ":2 ends a file"),
    "word": ("a\tone\na\ttwo\nb\tthree\nb\tfour\n", "none of 2 words occurs 2 times"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_line_and_nothing_is_written(name, tmp_path, capsys):
    content, reason = BAD[name]
    path, out = tmp_path / "labels.tsv", tmp_path / "out"
    path.write_text(content)
    assert train_all.main(["--labels", str(path), "--out", str(out)]) == 2
    error = capsys.readouterr().err.strip()
    assert str(path) in error and reason in error and "\n" not in error
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.skipif(
    "KERASSEQ_DATA" not in os.environ,
    reason="KERASSEQ_DATA names no folder with movie_reviews.tsv",
)
def test_ten_folds_of_movie_reviews_reach_78_percent():
    from benchmarks.classification import measure, split_folds
    from kerasseq.data.labelled import read_labelled_sentences

    path = Path(os.environ["KERASSEQ_DATA"]) / "movie_reviews.tsv"
    data = read_labelled_sentences(path)
    folds = split_folds(np.arange(len(data.labels)), 10, seed=0)
    rows = []
    for index, held_out in enumerate(folds):
        keras.utils.clear_session()
        training = np.concatenate(folds[:index] + folds[index + 1 :])
        rows.append(measure(data, training, held_out, blocks=0))
    assert np.mean([row["accuracy"] for row in rows]) >= 0.78
