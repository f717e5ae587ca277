"""The report: each recipe replaces its own section; failed checks are named."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.files.report import (
    COARSE,
    WRONG,
    Check,
    ChecksFailed,
    as_markdown,
    read_report,
    record,
    require,
)
from tests.support.markdown import MARKUP, OURS, tokens


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


BAD_REPORTS = {
    "cut": b'{"encoder": {"lo',
    "a list": b"[]",
    "null": b"null",
    "a list as a section": b'{"encoder": []}',
    "a number as a section": b'{"encoder": {}, "char_rnn": 1}',
    "deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "half a character": b'{"a": {"b": "\\ud800"}}',
    "not UTF-8": b'{"a": {"b": "\xff"}}',
    "large": b" " * 17_000_000 + b"{}",
}


@pytest.mark.parametrize("content", BAD_REPORTS.values(), ids=BAD_REPORTS)
def test_another_report_is_refused_and_never_lost(tmp_path, content, capsys):
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not the report of a run") as refusal:
        read_report(tmp_path)
    assert len(str(refusal.value).splitlines()) == 1
    # As at the end of a training, in which it was put here.
    record(tmp_path, "char_rnn", {"loss": 1.5})
    assert read_report(tmp_path) == {"char_rnn": {"loss": 1.5}}
    assert (tmp_path / "report.json.unreadable").read_bytes() == content
    assert "report.json.unreadable" in capsys.readouterr().err


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | MARKUP
ROWS = st.dictionaries(MARKUP, SCALARS, max_size=2)
VALUES = (
    SCALARS
    | st.lists(SCALARS | ROWS, max_size=2)
    | st.dictionaries(
        MARKUP, SCALARS | ROWS | st.lists(SCALARS, max_size=2), max_size=2
    )
)
SECTIONS = st.dictionaries(MARKUP, VALUES, max_size=3)


@given(st.dictionaries(MARKUP, SECTIONS, max_size=2))
def test_any_sections_become_a_page_without_markup_of_theirs(sections):
    found = tokens(as_markdown(json.loads(json.dumps(sections))))
    kinds = [token.type for token in found]
    assert set(kinds) <= OURS
    assert kinds.count("heading_open") >= 1 + len(sections)


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
    lines = message.split("\n")
    assert lines[:2] == [
        "a.tflite: loss: 0.5, wanted at most 0.1",
        f"a.tflite: that means {WRONG}",
    ]
    assert "FlexAdd" in message
    assert "b.tflite" not in message
    require(checks[1:2])


def test_what_fails_says_what_it_means_once_a_file():
    size = Check("m_int8.tflite", "bytes", 3125616, 2485860.4, if_failed="it is large")
    coarse = [Check("m_int8.tflite", f"loss {n}", n / 3, 0.01) for n in (1, 2)]
    with pytest.raises(ChecksFailed) as failure:
        require([size, *coarse])
    assert str(failure.value).split("\n") == [
        "m_int8.tflite: bytes: 3,125,616, wanted at most 2,485,860",
        "m_int8.tflite: that means it is large",
        "m_int8.tflite: loss 1: 0.3333, wanted at most 0.01",
        "m_int8.tflite: loss 2: 0.6667, wanted at most 0.01",
        f"m_int8.tflite: that means {COARSE}",
    ]
    for meaning in (COARSE, WRONG):
        assert ": " in meaning, "what it means, and what to do"
