"""`kerasseq.train`: the run of the command, from Python."""

import doctest

import pytest

import kerasseq


@pytest.mark.slow
def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # The run prints, so that doctest's own runner would find more than is said.
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
def test_what_cannot_be_raises_and_writes_nothing(options, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=said):
        kerasseq.train(**options)
    assert list(tmp_path.iterdir()) == []
