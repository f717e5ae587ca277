"""The report: each recipe replaces its own section; failed checks are named."""

import json
import math

import pytest

from kerasseq.files.report import Check, ChecksFailed, read_report, record, require


def test_a_section_replaces_only_the_one_with_its_name(tmp_path):
    record(tmp_path, "encoder", {"loss": 0.5})
    record(tmp_path, "char_rnn", {"loss": 1.5})
    record(tmp_path, "encoder", {"loss": 0.25, "words": 1234})
    assert read_report(tmp_path) == {
        "encoder": {"loss": 0.25, "words": 1234},
        "char_rnn": {"loss": 1.5},
    }
    page = (tmp_path / "REPORT.md").read_text()
    assert "| loss | 0.25 |" in page
    assert "| words | 1,234 |" in page
    assert "0.5 |" not in page


def test_dictionaries_become_columns(tmp_path):
    files = {"a.tflite": {"bytes": 10, "loss": 1.5}, "b.tflite": {"bytes": 5}}
    record(tmp_path, "export", {"files": files})
    page = (tmp_path / "REPORT.md").read_text()
    assert "|  | a.tflite | b.tflite |" in page
    assert "| bytes | 10 | 5 |" in page


def test_a_truncated_report_is_started_again(tmp_path):
    (tmp_path / "report.json").write_text('{"encoder": {"lo')
    record(tmp_path, "char_rnn", {"loss": 1.5})
    assert json.loads((tmp_path / "report.json").read_text()) == {
        "char_rnn": {"loss": 1.5}
    }


@pytest.mark.parametrize(
    ("value", "limit", "passed"),
    [(0.1, 0.1, True), (0.11, 0.1, False), (math.nan, 0.1, False), (-3, 0.1, True)],
)
def test_a_limit_is_kept_or_not(value, limit, passed):
    assert Check("a", "b", value, limit).passed is passed


def test_what_fails_is_named_with_value_and_bar():
    checks = [
        Check("a.tflite", "loss", 0.5, 0.1),
        Check("b.tflite", "characters", 500, expected=500),
        Check("c.tflite", "operations", ["CUSTOM:FlexAdd"], expected=[]),
    ]
    with pytest.raises(ChecksFailed) as failure:
        require(checks)
    message = str(failure.value)
    assert "a.tflite: loss: 0.5, wanted at most 0.1" in message
    assert "FlexAdd" in message
    assert "b.tflite" not in message
    require(checks[1:2])
