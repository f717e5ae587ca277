"""Files of labels and texts: each form is told from its content and read whole."""

import csv
import io
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kerasseq.data.label_files import read_label_file


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("files") / "a.txt"


def pairs(path, content: str, *columns: str) -> list[tuple[str, str]]:
    path.write_bytes(content.encode())
    return [tuple(row.cells) for row in read_label_file(path, *columns).rows]


QUOTED = '"pos"\t"a ""good"" film, really"\nneg\ta bad film\n'


@pytest.mark.parametrize(
    ("content", "form", "found"),
    [
        (QUOTED, "quoted TSV, 2",
         [("pos", 'a "good" film, really'), ("neg", "a bad film")]),
        ("x\tsaid \"no\"\ny\t\"so\" she\n", "TSV, 2",
         [("x", 'said "no"'), ("y", '"so" she')]),
        # Dialogue: as CSV, its marks would hide the line between them.
        ('x\t"one\ny\ttwo\nx\tthree"\n', "TSV, 2",
         [("x", '"one'), ("y", "two"), ("x", 'three"')]),
        ("Text;Label\r\ndull, long;neg\r\n", "CSV with a header, 2",
         [("neg", "dull, long")]),
        ("neg;dull, long\npos;fine\n", "CSV, 2",
         [("neg", "dull, long"), ("pos", "fine")]),
        ("sentence\tlabel\na b\t0\n", "TSV with a header, 2", [("0", "a b")]),
        ('pos,"a\r\n\tb, c"\nneg,d\n', "CSV, 2", [("pos", "a b, c"), ("neg", "d")]),
        ("__label__x a, b\n\n__label__y\tc\td\r\n", "fastText",
         [("x", "a, b"), ("y", "c\td")]),
    ],
)  # fmt: skip
def test_forms(path, content, form, found):
    assert pairs(path, content) == found
    assert read_label_file(path).form.startswith(form)


def test_columns_are_named_or_numbered(path):
    content = "id,v1,v2,\n1,ham,hello,\n2,spam,win,\n"
    for columns in (("v1", "v2"), ("V1", "3"), ("2", "V2")):
        assert pairs(path, content, *columns) == [("ham", "hello"), ("spam", "win")]
    assert pairs(path, content, "2", "3")[0] == ("v1", "v2"), "no name, no header"
    assert pairs(path, "one\ta\ntwo\tb\n", "2") == [("a", "one"), ("b", "two")]
    assert pairs(path, "one\ta\ntwo\tb\n", "", "1") == [("a", "one"), ("b", "two")]


@pytest.mark.parametrize(
    ("content", "columns", "reason"),
    [
        ("a,b,c\n1,2,3\n", (), r":1 has 3 columns, .*; say which are the label and"),
        ("a,b,c\n1,2,3\n", ("a",), r":1 has 3 columns, .*; say which are"),
        ("a,b\n1,2\n", ("x",), r":1 has no column 'x'; its columns are .'a', 'b'"),
        ("a,b\n1,2\n", ("3",), r":1 has no column '3'"),
        ("a,b\n1,2\n", ("1", "a"), r":1 has 2 columns, .*; say which"),
        ("a,b\nc,d, e\n", (), r":2 has 3 columns; give two, .* with one comma"),
        ("a;b;c\nd;e\n", ("1", "2"), r":2 has 2 columns; line 1 has 3; quote cells"),
        ('a,b\nc,"d" e\n', (), r":2 begins a row that is not CSV"),
        ('a,b\nc,"d\ne,f\n', (), r":2 begins a row that is not CSV .unexpected end"),
        (f"a,b\nc,{'x' * 200_000}\n", (), r":2 begins a row that is not CSV .field la"),
        ("only words\n", (), r":1 has 1 columns; give two, .* with one tab"),
        ("__label__x a\nb\n", (), r":2 has no label, or two"),
        ("__label__x __label__y a\n", (), r":1 has no label, or two"),
    ],
)
def test_refused_with_line_and_reason(path, content, columns, reason):
    with pytest.raises(ValueError, match=rf"a\.txt{reason}") as caught:
        pairs(path, content, *columns)
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


CELLS = st.text(st.sampled_from("ab é你'\",;\t\n\r|_#\u2028"), max_size=8)


def as_read(cell: str) -> str:
    return re.sub("[\t\r\n]+", " ", cell)


@given(
    st.integers(2, 4).flatmap(
        lambda count: st.lists(
            st.lists(CELLS, min_size=count, max_size=count), min_size=1, max_size=6
        )
    ),
    st.sampled_from(",;\t"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
@example([["a", "\n"], ["b\n", '"c"']], ",", csv.QUOTE_MINIMAL, "\n", True)
def test_what_csv_writes_is_read(path, rows, divider, quoting, end, header):
    """By the order of the columns, or with a header that names them."""
    assume(all(any(map(str.strip, row)) for row in rows))
    if divider == "\t":  # not told from two marks of a dialogue
        assume(not any("\t" in cell and "\n" in cell for row in rows for cell in row))
    if quoting == csv.QUOTE_MINIMAL and end == "\n":  # csv itself cannot read it
        assume(not any("\r" in cell for row in rows for cell in row))
    names = ["Text", *"xy"[: len(rows[0]) - 2], "label"]
    file = io.StringIO()
    writer = csv.writer(file, delimiter=divider, quoting=quoting, lineterminator=end)
    writer.writerows([names, *rows] if header else [["p"] * len(names), *rows])
    columns = () if header else (str(len(names)), "1")
    found = pairs(path, file.getvalue(), *columns)[not header :]
    assert found == [(as_read(row[-1]), as_read(row[0])) for row in rows]


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6))
@example([("x", '"a'), ("y", "b"), ("x", 'c"')])
@example([('"', '"'), ('"', "a")])
def test_tsv_without_quoting_is_read_as_it_is_split(path, rows):
    """Unless each quotation mark could be one of CSV."""
    rows = [tuple(re.sub(r"[\t\n\r]", "", cell) for cell in row) for row in rows]
    assume(all("".join(row).strip() for row in rows))
    content = "".join(f"{label}\t{text}\n" for label, text in rows)
    found = pairs(path, content)
    if read_label_file(path).form.startswith("TSV"):
        assert found == rows
    else:
        assert len(found) == len(rows) and re.search('(^|\t)"', content, re.MULTILINE)
        assert [tuple(_unquoted(cell) for cell in row) for row in rows] == found


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell
