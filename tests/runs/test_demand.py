"""A training beyond the machine is refused, and what it takes is said before it."""

import re

import pytest

from kerasseq.commands import train
from kerasseq.files.writing import write_file
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.char_transformer import (
    CharTransformerConfig,
    build_char_transformer,
)
from kerasseq.runs import demand
from kerasseq.runs.demand import count_weights, foresee, usable_memory


@pytest.mark.parametrize(
    "build",
    [
        lambda: build_char_rnn(CharRNNConfig(7, "lstm", 5, 2, 3)),
        lambda: build_char_transformer(CharTransformerConfig(7, 8, 2, 3)),
    ],
)
def test_weights_are_counted_without_making_them(build):
    assert count_weights(build) == build().count_params()


def lines_of(tmp_path, *arguments):
    """What a refused training wrote to standard error; nothing is left."""
    out = tmp_path / "out"
    assert train([*arguments, "--out", str(out)]) == 2
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            "toy --units 1000000",
            r"at least [\d,.]+ GiB, .*; give smaller --units",
        ),
        ("toy --units 1000000000", "give smaller --units"),
        ("toy --model transformer --units 1000000", "give smaller --units"),
        ("toy --layers 1000000", "--layers: '1000000' is not .* from 1 to 100"),
        ("toy --length 1000000000000", "--length: .* from 0 to 10000000"),
    ],
)
def test_absurd_sizes_are_refused_in_one_line(arguments, said, tmp_path, capsys):
    lines_of(tmp_path, *arguments.split(), "--only", "char_rnn")
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(said, line)


def test_thousands_of_kinds_are_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(demand, "usable_memory", lambda: 2**34)
    path = tmp_path / "tags.conll"
    path.write_text("".join(f"a\tB-k{i % 3000}\nb\tO\n\n" for i in range(30_000)))
    lines_of(tmp_path, "--only", "tagger", "--tags", str(path))
    (line,) = capsys.readouterr().err.splitlines()
    assert "give fewer kinds of entities" in line


def test_thousands_of_labels_are_said_before_they_begin(tmp_path, capsys, monkeypatch):
    path = tmp_path / "labels.tsv"
    path.write_text("".join(f"label {i % 10_000}\ta b c{i}\n" for i in range(20_000)))
    monkeypatch.setattr(demand, "usable_memory", lambda: 2**30)
    lines_of(tmp_path, "--only", "classifier", "--labels", str(path))
    assert "at least 4.9 GiB, and it may use 1.0 GiB here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "part", "line"),
    [
        ("--labels", "classifier", "{0} {1}\ta b c{2}\n"),
        ("--tags", "tagger", "a\tB-{0}{1}\n\n"),
    ],
)
def test_names_that_no_card_has_room_for_are_refused(
    option, part, line, tmp_path, capsys
):
    path = tmp_path / "data"
    names = [(index % 60, "好" * 9000) for index in range(120)]
    if part == "tagger":
        names = [(index % 999, "好" * 90) for index in range(2000)]
    path.write_text(
        "".join(line.format(*name, i) for i, name in enumerate(names)) + "b\tO\n" * 9
    )
    lines_of(tmp_path, "--only", part, option, str(path))
    assert "give fewer or shorter ones" in capsys.readouterr().err


def test_a_training_that_fits_is_announced(capsys):
    build = lambda: build_char_rnn(CharRNNConfig(7, units=5))  # noqa: E731
    foresee("char_rnn", build, 2**29, "")
    line = capsys.readouterr().out
    assert line == (
        f"char_rnn: {build().count_params():,} parameters, training takes at least "
        "512 MiB of memory\n"
    )
    assert 2**28 < usable_memory() < 2**45


@pytest.mark.parametrize(
    ("groups", "files", "limit"),
    [
        ("0::/a/b", {"a/b/memory.max": "max", "a/memory.max": 2**20}, 2**20),
        ("0::/a/b", {"a/b/memory.max": 2**21, "a/memory.max": 2**22}, 2**21),
        ("0::/", {"memory.max": 2**20}, 2**20),
        ("1:cpu:/\n0::/a", {"unified/a/memory.max": 2**20}, 2**20),
        ("0::/../../b", {"memory.max": 2**20}, 2**20),
        ("4:memory:/a", {"memory/a/memory.limit_in_bytes": 2**20}, 2**20),
        # The host's path, which is not visible in the container.
        ("4:cpu,memory:/docker/1", {"memory/memory.limit_in_bytes": 2**20}, 2**20),
        ("4:memory:/a", {"memory/a/memory.limit_in_bytes": 2**63 - 4096}, None),
        ("4:cpu:/a", {"memory/a/memory.limit_in_bytes": 2**20}, None),
        ("0::/a", {"b/memory.max": 2**20}, None),
        ("0::/a", {"a/memory.max": "nonsense"}, None),
    ],
)
def test_the_limit_of_a_container_counts(groups, files, limit, tmp_path):
    write_file(tmp_path / "proc/self/cgroup", f"{groups}\n")
    for name, value in files.items():
        write_file(tmp_path / "sys/fs/cgroup" / name, f"{value}\n")
    assert usable_memory(tmp_path) == (limit or usable_memory(tmp_path / "none"))


def test_a_model_larger_than_any_tflite_file_is_refused(monkeypatch):
    monkeypatch.setattr(demand, "usable_memory", lambda: 2**50)
    config = CharRNNConfig(7, units=15_000)
    with pytest.raises(ValueError, match=r"a \.tflite file has room for 535,822,336"):
        foresee("char_rnn", lambda: build_char_rnn(config), 0, "")
