"""The hash in a report is that of the file which was read."""

import hashlib
import os

import pytest

from kerasseq.runs.bookkeeping import describe_file


def test_a_file_that_stays_as_it_is_has_its_hash(tmp_path):
    path = tmp_path / "a b"
    path.write_bytes(b"read")
    with describe_file(path) as described:
        pass
    assert described == ("a b", hashlib.sha256(b"read").hexdigest())


@pytest.mark.parametrize("change", [lambda p: p.write_text("other"), os.remove])
def test_a_file_that_changes_while_it_is_read_is_refused(change, tmp_path):
    path = tmp_path / "labels.tsv"
    path.write_text("read")
    with pytest.raises(ValueError, match=r"labels\.tsv changed while it was read"):
        with describe_file(path):
            change(path)


def test_a_refusal_of_the_reader_is_kept(tmp_path):
    with pytest.raises(ValueError, match="line 3"):
        with describe_file(tmp_path / "none") as (_, sha256):
            assert sha256 is None
            raise ValueError("line 3")
