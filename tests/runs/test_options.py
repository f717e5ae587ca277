"""The command line refuses what cannot be, in one line, with exit code 2."""

import pytest

from kerasseq.runs.options import check_writable, parse_arguments


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (["--cell", "rnn"], "'rnn'"),
        (["--epochs", "0"], "'0' is not a whole number from 1 up"),
        (["--epochs", "1.5"], "'1.5' is not a whole number from 1 up"),
        (["--temperature", "-0.1"], "'-0.1' is not a number from 0 up"),
        (["--temperature", "nan"], "'nan' is not a number from 0 up"),
        (["--temperature", "inf"], "'inf' is not a number from 0 up"),
        (["--length", "-1"], "'-1' is not a whole number from 0 up"),
        (["--top-p", "1.1"], "'1.1' is not a number from 0 to 1"),
        (["--top-p", "-0.5"], "'-0.5' is not a number from 0 to 1"),
        (["--dropout", "1"], "'1' is not a number from 0 to 0.95"),
        (["--seed", "2147483648"], "'2147483648' is not a whole number"),
        (["--only", "attention,decoder"], "'decoder' is none of attention, encoder"),
        (["--only", "tagger"], "the part tagger learns from a file: give --tags FILE"),
        (["--only", "encoder", "--tags", "f"], "--tags is for the part tagger"),
        (["--only", "classifier"], "learns from a file: give --labels FILE"),
        (["--only", "encoder", "--labels", "f"], "--labels is for the part classifier"),
        (["--no-such"], "--no-such"),
    ],
)
def test_what_cannot_be_is_one_line(arguments, quoted, capsys):
    with pytest.raises(SystemExit) as exit_:
        parse_arguments(arguments)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert quoted in error
    assert error.count("\n") == 1


def test_help_is_for_people(capsys):
    with pytest.raises(SystemExit) as exit_:
        parse_arguments(["--help"])
    assert exit_.value.code == 0
    page = capsys.readouterr().out
    assert "python train_all.py --corpus story.txt" in page
    assert max(map(len, page.splitlines())) <= 100


def test_parts_run_in_their_order():
    assert parse_arguments(["--only", "char_rnn, attention"]).only == (
        "attention",
        "char_rnn",
    )


def test_a_part_with_a_file_runs_where_it_is_given():
    assert "tagger" not in parse_arguments([]).only
    assert parse_arguments(["--tags", "f"]).only[-1] == "tagger"
    assert parse_arguments(["--tags", "f", "--only", "tagger"]).only == ("tagger",)


def test_a_part_of_a_file_runs_where_the_file_is_given():
    assert "classifier" not in parse_arguments([]).only
    assert parse_arguments(["--labels", "f"]).only[-1] == "classifier"
    options = parse_arguments(["--labels", "f", "--only", "classifier"])
    assert (options.only, options.labels) == (("classifier",), "f")


def test_a_folder_beneath_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="cannot be written to"):
        check_writable(tmp_path / "file" / "out")


def test_a_folder_that_can_be_written_stays_empty(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
