"""The command line refuses bad options in one line, with exit code 2."""

import pytest

from kerasseq.runs.options import Options
from tests.support.options import parse_options


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (["--cell", "rnn"], "'rnn'"),
        (["--epochs", "0"], "'0' is not a whole number from 1 up"),
        (["--epochs", "1.5"], "'1.5' is not a whole number from 1 up"),
        (["--temperature", "-0.1"], "'-0.1' is not a number from 0 up"),
        (["--temperature", "nan"], "'nan' is not a number from 0 up"),
        (["--temperature", "inf"], "'inf' is not a number from 0 up"),
        (["--length", "-1"], "'-1' is not a whole number from 0 to 10000000"),
        (["--top-p", "1.1"], "'1.1' is not a number from 0 to 1"),
        (["--top-p", "-0.5"], "'-0.5' is not a number from 0 to 1"),
        (["--dropout", "1"], "'1' is not a number from 0 to 0.95"),
        (["--seed", "2147483648"], "'2147483648' is not a whole number"),
        (["--only", "attention,decoder"], "'decoder' is none of attention, encoder"),
        (["--only", "tagger"], "the part tagger learns from a file: give --tags FILE"),
        (["--only", "encoder", "--tags", "f"], "--tags is for the part tagger"),
        (["--tags", "f", "--tags-columns", "2"], "'2' is not two columns, such as"),
        (["--tags", "f", "--tags-columns", "2,2"], "'2,2' is not two columns"),
        (["--tags", "f", "--tags-columns", "0,2"], "'0,2' is not two columns"),
        (["--tags-columns", "1,2"], "--tags-columns is for --tags"),
        (["--text-column", "x"], "--text-column is for --labels"),
        (["--encoding", "latin99"], "--encoding: 'latin99' is no encoding of texts"),
        (["--only", "classifier"], "learns from a file: give --labels FILE"),
        (["--only", "encoder", "--labels", "f"], "--labels is for the part classifier"),
        (["--out", "a [2]"], "holds one of * ? [ \\, which TensorFlow reads as a"),
        (["--out", "a\udcff"], "the name a\\udcff is not UTF-8"),
        (["--page", "--host", "home"], "--host: 'home' is no IP address; give one of"),
        (["--host", "0.0.0.0"], "--host is for --page"),
        (["--no-such"], "--no-such"),
        (["--temprature", "1"], "did you mean --temperature?"),
        (["a.txt", "b.txt"], "b.txt"),
        (["a.txt", "--corpus", "b.txt"], "TEXT or --corpus, not both"),
    ],
)
def test_bad_options_are_one_line(arguments, quoted, capsys):
    assert parse_options(arguments) == 2
    error = capsys.readouterr().err
    assert quoted in error
    assert error.count("\n") == 1


def test_help_is_grouped_with_defaults(capsys):
    assert parse_options(["--help"]) == 0
    page = capsys.readouterr().out
    assert "python train_all.py story.txt" in page
    for words in ("What to train on", "[default: 500]", "fast|default|best"):
        assert words in page
    assert max(map(len, page.splitlines())) <= 100


def test_parts_run_in_their_order():
    assert parse_options(["--only", "char_rnn, attention"]).only == (
        "attention",
        "char_rnn",
    )


def test_a_part_with_a_file_runs_where_it_is_given():
    assert "tagger" not in parse_options([]).only
    assert parse_options(["--tags", "f"]).only[-1] == "tagger"
    assert parse_options(["--tags", "f", "--only", "tagger"]).only == ("tagger",)


def test_a_part_of_a_file_runs_where_the_file_is_given():
    assert "classifier" not in parse_options([]).only
    assert parse_options(["--labels", "f"]).only[-1] == "classifier"
    options = parse_options(["--labels", "f", "--only", "classifier"])
    assert (options.only, options.labels) == (("classifier",), "f")


def test_the_text_may_stand_without_its_option():
    assert parse_options(["story.txt"]) == parse_options(["--corpus", "story.txt"])


def test_columns_and_encodings_are_read():
    given = parse_options("--tags f --tags-columns 2,3 --encoding Latin1".split())
    assert (given.tags_columns, given.encoding) == ((2, 3), "iso8859-1")
    assert given == Options(tags="f", tags_columns=(2, 3), encoding="latin1")


def test_quick_is_the_preset_fast():
    assert parse_options(["--quick"]).preset == "fast"


def test_python_raises_what_the_command_line_prints():
    command = "--temperature 0 --temperature 1.5 --units 7 --only encoder --top-p 0.5"
    assert parse_options(command.split()) == Options(
        temperature=[0, 1.5], units=7, only=["encoder"], top_p=0.5
    )
    assert Options(temperature=0.5).temperature == (0.5,)
    with pytest.raises(ValueError, match="--epochs: 0 is not a whole number from 1"):
        Options(epochs=0)
    with pytest.raises(ValueError, match=r"--units: 1.5 is not a whole number"):
        Options(units=1.5)
