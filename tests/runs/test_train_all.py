"""The run: what it leaves, what it refuses, and that nothing is lost."""

import hashlib
import json
import os
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import kerasseq
import kerasseq.runs.characters as story
import train_all
from kerasseq.commands import export_again, train
from kerasseq.files.formats import FORMATS
from kerasseq.files.keras_models import load_model
from kerasseq.files.lock import locked
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.operators import list_operators
from kerasseq.recipes import shipping
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.presets import ENCODER_STEPS
from tests.support.contract import check_card

pytestmark = pytest.mark.usefixtures("without_xla")

ROOT = Path(__file__).parents[2]
PNG = b"\x89PNG\r\n\x1a\n"
PARTS = {
    "attention": "demo.md weights.png scaling.png",
    "encoder": "encoder.keras vocabulary.json embeddings.md senses.png words.png "
    "heatmap_1_block_1.png saved_model "
    "encoder_float32.tflite encoder_float16.tflite encoder_int8.tflite",
    "char_rnn": "char_rnn.keras vocabulary.json history.csv loss.png samples.md "
    "saved_model char_rnn_float32.tflite char_rnn_float16.tflite char_rnn_int8.tflite",
}
SMALL = ["--units", "24", "--epochs", "4"]
# Several scripts, an emoji of three code points, and the line ends of Windows.
TEXT = "Γειά σου, κόσμε! 👩‍🚀 好き\r\n" * 120


def train_small(folder: Path, *more: str) -> Path:
    """Train on a small text, in this process."""
    corpus = folder / "chat.txt"
    corpus.write_bytes(TEXT.encode())
    seen = []

    class Counts(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(dict(logs))

    arguments = ["--quick", "--corpus", str(corpus), "--out", str(folder / "out")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENCODER_STEPS, "fast", 250)
        assert train([*arguments, *SMALL, *more], [Counts()]) == 0
    # The encoder trains first, and holds nothing out.
    assert {"loss", "val_loss", "perplexity", "val_perplexity"} <= set(seen[-1])
    return folder / "out"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run of the recurrent network."""
    return train_small(tmp_path_factory.mktemp("run"), "--only", "char_rnn")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A run of all parts, which takes half a minute."""
    return train_small(tmp_path_factory.mktemp("whole"))


def check_files(folder: Path, part: str) -> None:
    for name in PARTS[part].split():
        path = folder / part / name
        assert path.exists(), path
        if path.suffix == ".png":
            assert path.read_bytes().startswith(PNG)
    assert not [path for path in folder.rglob(".*")], "nothing half written stays"


def check_report(folder: Path, *parts: str) -> None:
    report = json.loads((folder / "report.json").read_text())
    for part in parts:
        key = f"{part}_export"
        written = {path.name for path in (folder / part).glob("*.tflite")}
        assert set(report[key]["files"]) == written
        assert {name.rsplit("_", 1)[1] for name in written} - {"int4.tflite"} == {
            "float32.tflite",
            "float16.tflite",
            "int8.tflite",
        }
        assert all(check["passed"] for check in report[key]["checks"])
        for name, figures in report[key]["files"].items():
            assert figures["bytes"] == (folder / part / name).stat().st_size
    page = (folder / "REPORT.md").read_text()
    assert all(f"{part}_int8.tflite" in page for part in parts)


def check_tflite(path: Path) -> None:
    model = Model(path)
    operators = list_operators(model.flatbuffer)
    assert operators and not [name for name in operators if "CUSTOM" in name]
    variant = path.stem.rsplit("_", 1)[1]
    assert (model.card["contract"], model.card["weights"]) == (3, variant)
    check_card(model.card)
    saved = (path.parent / "vocabulary.json").read_text()
    assert model.vocabulary == json.loads(saved)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def test_it_leaves_the_files_that_it_lists(run):
    check_files(run, "char_rnn")


def test_the_report_has_every_file_and_every_check(run):
    report = json.loads((run / "report.json").read_text())
    assert set(report) == {"char_rnn", "char_rnn_export"}
    check_report(run, "char_rnn")


@pytest.mark.slow
def test_a_run_of_all_parts_leaves_the_same_for_each(whole):
    report = json.loads((whole / "report.json").read_text())
    exported = ("encoder", "char_rnn")
    assert set(report) == {*PARTS, *(f"{part}_export" for part in exported)}
    for part in PARTS:
        check_files(whole, part)
    check_report(whole, *exported)
    for part in exported:
        for path in (whole / part).glob("*.tflite"):
            check_tflite(path)


@pytest.mark.slow
def test_a_transformer_is_run_in_the_same_way(tmp_path, capsys):
    corpus = tmp_path / "chat.txt"
    corpus.write_bytes(TEXT.encode())
    arguments = ["--quick", "--corpus", str(corpus), "--out", str(tmp_path)]
    arguments += ["--only", "char_rnn", "--model", "transformer", "--units", "24"]
    assert train_all.main([*arguments, "--layers", "1", "--epochs", "20"]) == 0
    folder = tmp_path / "char_transformer"
    for name in PARTS["char_rnn"].replace("char_rnn", "char_transformer").split():
        assert (folder / name).exists(), name
    assert not list(folder.glob("*int4*"))
    report = json.loads((tmp_path / "report.json").read_text())
    assert all(check["passed"] for check in report["char_transformer_export"]["checks"])
    assert report["char_transformer"]["held-out loss"] < 1.0
    card = Model(folder / "char_transformer_int8.tflite").card
    sizes = {"model_size": 24, "heads": 1, "blocks": 1, "context": 32}
    assert sizes.items() <= card.items()
    check_card(card)
    assert "char_transformer_int8.tflite --prompt" in capsys.readouterr().out


@pytest.mark.slow
def test_the_encoder_is_trained_and_ends_below_half_the_frequencies_loss(whole):
    section = json.loads((whole / "report.json").read_text())["encoder"]
    assert (
        section["loss of masked words"] <= section["loss by the words' frequencies"] / 2
    )


@pytest.mark.slow
def test_the_same_word_at_the_same_position_has_a_vector_for_each_sense(whole):
    encoder = load_model(whole / "encoder" / "encoder.keras")
    words = json.loads((whole / "encoder" / "vocabulary.json").read_text())["words"]
    ids = [
        [words.index(word) for word in line.split()]
        for line in (
            "the bank was gone because the swimmer crossed the lake",
            "the bank was gone because the sailor reached the river",
            "the bank was gone because the cashier owed the debt",
        )
    ]
    lake, river, debt = encoder.predict_on_batch(np.array(ids))["embeddings"][:, 1]
    assert np.linalg.norm(lake - debt) > 2 * np.linalg.norm(lake - river)


def test_the_text_was_read_to_the_last_character(run):
    path = run / "char_rnn" / "vocabulary.json"
    characters = json.loads(path.read_text())["characters"]
    assert characters == sorted(set(TEXT))
    assert {"\r", "\u200d", "👩", "好"} <= set(characters)


@pytest.mark.parametrize("variant", ["float32", "float16", "int8"])
def test_each_file_holds_built_in_operations_its_card_and_its_vocabulary(run, variant):
    check_tflite(run / "char_rnn" / f"char_rnn_{variant}.tflite")


def write(path: Path) -> str:
    """What generate.py writes with a file."""
    runner = ROOT / "kerasseq" / "on_device" / "generate.py"
    command = [sys.executable, runner, path, "--prompt", "σ", "--length", "99"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert len(done.stdout.decode()) == 99
    return done.stdout.decode()


def test_show_prints_what_a_file_holds(run):
    show = ROOT / "kerasseq" / "on_device" / "show.py"
    path = run / "char_rnn" / "char_rnn_int8.tflite"
    done = subprocess.run([sys.executable, show, path], capture_output=True)
    page = done.stdout.decode()
    assert done.returncode == 0
    assert "signature generate" in page and '"contract": 3' in page
    assert "input  uniforms       float32[256]" in page
    done = subprocess.run(
        [sys.executable, show, run / "report.json"], capture_output=True
    )
    assert done.returncode == 2
    assert done.stderr.decode().count("\n") == 1


@pytest.mark.slow
def test_the_export_is_repeated_in_a_fresh_process(whole):
    path = whole / "char_rnn" / "char_rnn_int8.tflite"
    text = write(path)
    others = (whole / "encoder" / "encoder_int8.tflite").read_bytes()
    path.unlink()
    done = subprocess.run(
        [sys.executable, "-m", "export.char_rnn", str(whole)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert write(path) == text
    assert (whole / "encoder" / "encoder_int8.tflite").read_bytes() == others


@pytest.fixture
def copied(run, tmp_path) -> Path:
    """The saved models of the run, to be damaged."""
    for name in ("char_rnn/char_rnn.keras", "char_rnn/vocabulary.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((run / name).read_bytes())
    held_out = (run / "char_rnn" / "held_out.txt").read_bytes()
    (tmp_path / "char_rnn" / "held_out.txt").write_bytes(held_out)
    return tmp_path


def refuse_export(directory: Path, monkeypatch, capsys) -> str:
    """Run the recipe in this process and return its one-line message."""
    before = {path.name for path in (directory / "char_rnn").iterdir()}
    assert export_again("char_rnn", [str(directory)]) == 2
    assert {path.name for path in (directory / "char_rnn").iterdir()} == before
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    return error


def test_a_truncated_keras_file_is_refused(copied, monkeypatch, capsys):
    path = copied / "char_rnn" / "char_rnn.keras"
    path.write_bytes(path.read_bytes()[:-1000])
    assert str(path) in refuse_export(copied, monkeypatch, capsys)


def test_a_vocabulary_that_does_not_fit_is_refused(copied, monkeypatch, capsys):
    (copied / "char_rnn" / "vocabulary.json").write_text('{"characters": ["a", "b"]}')
    error = refuse_export(copied, monkeypatch, capsys)
    assert "the vocabulary has 2 characters but the model has" in error


@pytest.mark.parametrize("name", ["char_rnn.keras", "vocabulary.json", "held_out.txt"])
def test_a_file_of_another_run_is_not_exported(
    name, copied, run, tmp_path, monkeypatch, capsys
):
    (tmp_path / "report.json").write_bytes((run / "report.json").read_bytes())
    path = copied / "char_rnn" / name
    path.write_bytes(path.read_bytes() + b"\n")
    error = refuse_export(copied, monkeypatch, capsys)
    assert f"{path} is not the file that the training wrote" in error


def test_a_folder_in_use_is_refused_and_nothing_is_written(run, capsys):
    def contents() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in run.rglob("*")}

    with locked(run):
        before = contents()
        train = ["--corpus", "toy", "--only", "char_rnn", "--out", str(run)]
        assert train_all.main(train) == 2
        assert export_again("char_rnn", [str(run)]) == 2
        with pytest.raises(ValueError, match="in use by another run"):
            kerasseq.export(
                load_model(run / "char_rnn" / "char_rnn.keras"),
                kerasseq.Vocabulary.load(run / "char_rnn" / "vocabulary.json"),
                run,
            )
        assert contents() == before
    lines = capsys.readouterr().err.splitlines()
    assert [f"{run} is in use by another run" in line for line in lines] == [True] * 2


def the_error(capsys) -> str:
    """The one line of an error; another may say that a text is in the cache."""
    lines = capsys.readouterr().err.splitlines()
    (error,) = [line for line in lines if line.startswith("train_all.py: error: ")]
    assert len(lines) <= 2
    return error


BAD_TEXTS = {
    "empty": (b"", "is empty"),
    "binary": (b"ab\0cd", "byte 2 is NUL"),
    "latin1": ("naïve".encode("latin1") * 100, "byte 2 is 0xef"),
    "short": (b"too short", "fewer than a sequence of 64"),
    "one": (b"a" * 1000, "the single character 'a'"),
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_a_text_that_cannot_be_used_is_refused_and_nothing_is_written(
    name, tmp_path, capsys
):
    content, quoted = BAD_TEXTS[name]
    path, out = tmp_path / f"{name}.txt", tmp_path / "out"
    path.write_bytes(content)
    assert train_all.main(["--corpus", str(path), "--out", str(out)]) == 2
    assert quoted in the_error(capsys)
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (["--corpus", "missing.txt"], "missing.txt does not exist"),
        (["--corpus", "."], ". is a directory"),
        (["--sentences", "missing.txt"], "missing.txt does not exist"),
        (
            ["--model", "transformer", "--cell", "lstm"],
            "--cell lstm is an option of the",
        ),
        (["--model", "transformer", "--units", "100"], "model_size=100 divided by"),
        (["--out", "file/out"], "file/out cannot be written to"),
    ],
)
def test_what_is_missing_is_refused(arguments, quoted, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    assert train_all.main(["--corpus", "toy", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert quoted in error and "\n" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_resume_with_another_text_is_refused_and_nothing_is_lost(
    run, tmp_path, capsys
):
    corpus = tmp_path / "other.txt"
    corpus.write_text("abc" * 1000)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    arguments = ["--corpus", str(corpus), "--out", str(run), "--resume", "--quick"]
    assert train_all.main([*arguments, *SMALL]) == 2
    error = the_error(capsys)
    trained = json.loads((run / "report.json").read_text())["char_rnn"]
    hashes = [trained["corpus SHA-256"], hashlib.sha256(b"abc" * 1000).hexdigest()]
    assert "the text's SHA-256 has changed" in error
    assert all(repr(value) in error for value in hashes)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


class Failing:
    """Calls a function while no file may be larger than this many bytes."""

    def __init__(self, function, limit: int) -> None:
        self.function, self.limit = function, limit

    def __get__(self, instance, owner):
        return lambda *arguments: self(instance, *arguments)

    def __call__(self, *arguments, **others):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.limit, before[1]))
        try:
            return self.function(*arguments, **others)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.slow
def test_a_full_disk_ends_in_one_line_and_the_resumed_run_in_the_same_weights(
    run, tmp_path, monkeypatch, capsys
):
    """A limit on the size of files, which every writer meets, simulates the disk."""
    full = [
        (Checkpoint, "on_epoch_end", "checkpoint.npz"),
        (story, "save_model", "char_rnn.keras"),
        (story, "plot_losses", "loss.png"),
        (shipping, "write_saved_model", "saved_model"),
        (shipping, "write_tflite", "char_rnn_float32.tflite"),
    ]
    corpus, out = tmp_path / "chat.txt", tmp_path / "out"
    corpus.write_bytes(TEXT.encode())
    arguments = ["--quick", "--corpus", str(corpus), "--out", str(out), "--resume"]
    arguments += [*SMALL, "--only", "char_rnn"]
    for owner, function, name in full:
        with monkeypatch.context() as patch:
            patch.setattr(owner, function, Failing(getattr(owner, function), 5000))
            assert train_all.main(arguments) == 1
        (line,) = [
            line for line in capsys.readouterr().err.splitlines() if "train_all" in line
        ]
        assert line.startswith(f"train_all.py: {out / 'char_rnn' / name} cannot be")
        assert line.endswith("(File too large); once it can, continue with --resume")
        assert not (out / "char_rnn" / name).exists()
        unsaved = name in ("checkpoint.npz", "char_rnn.keras")
        assert (out / "char_rnn/char_rnn.keras").exists() != unsaved, "weights first"
        assert not list(out.rglob(".*")), "nothing half written stays"
    models = [load_model(folder / "char_rnn/char_rnn.keras") for folder in (run, out)]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)
    histories = [(folder / "char_rnn/history.csv").read_text() for folder in (run, out)]
    assert histories[0] == histories[1]


@pytest.mark.slow
def test_a_failed_check_ends_the_run_with_1(run, monkeypatch, capsys):
    monkeypatch.setitem(FORMATS, "int8", FORMATS["int8"]._replace(loss=-1.0))
    for name in ("float16", "int4"):
        monkeypatch.delitem(FORMATS, name)
    assert export_again("char_rnn", [str(run)]) == 1
    error = capsys.readouterr().err
    assert "char_rnn_int8.tflite: held-out loss above Keras's" in error
    assert "char_rnn_float32.tflite" not in error


@pytest.mark.slow
@pytest.mark.skipif(
    "KERASSEQ_DATA" not in os.environ,
    reason="KERASSEQ_DATA names no folder with tinyshakespeare.txt",
)
def test_tinyshakespeare_in_six_minutes_has_at_most_1_5_nats(tmp_path):
    corpus = Path(os.environ["KERASSEQ_DATA"]) / "tinyshakespeare.txt"
    assert train_all.main(["--corpus", str(corpus), "--out", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["char_rnn"]["held-out loss"] <= 1.5
