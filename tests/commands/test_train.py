"""`kerasseq.train` does from Python what the command does."""

import doctest

import pytest

import kerasseq
from kerasseq.commands import train


@pytest.mark.slow
def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # The run prints, so doctest's own runner would find unexpected output.
    *lines, last = doctest.DocTestParser().get_examples(kerasseq.train.__doc__)
    names: dict = {}
    for line in lines:
        exec(line.source, names)
    assert repr(eval(last.source, names)) == last.want.strip()
    assert (tmp_path / "out/char_rnn/char_rnn_int8.tflite").is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"epochs": 0}, "--epochs: 0 is not a whole number from 1 up"),
        ({"only": ["tagger"]}, "give --tags FILE"),
        ({"corpus": "missing.txt"}, r"missing\.txt does not exist"),
    ],
)
def test_bad_options_raise_and_nothing_is_written(options, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=said):
        kerasseq.train(**options)
    assert list(tmp_path.iterdir()) == []


def test_another_report_is_refused_before_the_training(tmp_path, capsys):
    report = tmp_path / "report.json"
    report.write_text("[]")
    assert train(["--only", "attention", "--out", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"train_all.py: error: {report} is not the report of a run")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert report.read_text() == "[]"
