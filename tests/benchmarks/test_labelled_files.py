"""The labelled files of the benchmark of classification."""

from benchmarks.labelled_files import authors, code


def test_lines_of_python_are_told_apart(tmp_path):
    source = '"""What it is.\n\nIt adds.\n"""\n\n# A comment.\nx = "#"  # not one\n'
    (tmp_path / "a.py").write_text(source)
    found = [(kind, line) for kind, line in code(tmp_path) if line]
    assert found == [
        ("docstring", "What it is."),
        ("docstring", "It adds."),
        ("comment", "A comment."),
        ("code", 'x = "#"  # not one'),
    ]


def test_an_author_is_no_part_of_a_saying(tmp_path):
    sayings = "Be brief.\n\t\t-- Ada Lovelace, 1843\n%\nNobody said this.\n%\n"
    (tmp_path / "wisdom").write_text(sayings)
    (tmp_path / "wisdom.dat").write_bytes(b"\0")
    assert list(authors(tmp_path)) == [("Ada Lovelace", "Be brief.")]
