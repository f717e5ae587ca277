"""Arrays come back as numpy wrote them, and a file cannot ask for more memory."""

import io
import os
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays

from kerasseq.files.npz import read_arrays

DTYPES = arrays.boolean_dtypes() | arrays.integer_dtypes() | arrays.floating_dtypes()


@given(array=arrays.arrays(DTYPES, arrays.array_shapes(min_dims=0, min_side=0)))
def test_arrays_come_back_as_they_were_written(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    np.savez(path, array=array, columns=np.asfortranarray(array), text=np.array("é𝄞"))
    found = read_arrays(path)
    assert found.keys() == {"array", "columns", "text"}
    assert str(found["text"]) == "é𝄞"
    for name in ("array", "columns"):
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def head(shape: tuple[int, ...], kind: str = "<f8") -> bytes:
    file = io.BytesIO()
    header = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


LARGE = 50 * 2**20


@pytest.mark.parametrize(
    ("content", "compression"),
    [
        (head((LARGE // 8,)) + bytes(LARGE), zipfile.ZIP_DEFLATED),
        (head((LARGE // 8,)) + bytes(8), zipfile.ZIP_STORED),
        (head((1,)) + bytes(16), zipfile.ZIP_STORED),
        (head((2**40, 2**40)) + bytes(8), zipfile.ZIP_STORED),
        (head((-1, -1)) + bytes(8), zipfile.ZIP_STORED),
        (head((), f"<U{2**29}") + bytes(8), zipfile.ZIP_STORED),
        (head((1,), "|O") + bytes(8), zipfile.ZIP_STORED),
        (b"no array", zipfile.ZIP_STORED),
        (head((), "<U1") + b"\0\xd8\0\0", zipfile.ZIP_STORED),
        (head((), ">U1") + b"\0\x11\0\0", zipfile.ZIP_STORED),
        (head((2,), "<U1") + b"a\0\0\0\xff\xff\xff\x7f", zipfile.ZIP_STORED),
    ],
)
def test_what_is_no_array_or_declares_more_than_it_holds_is_refused(
    tmp_path, content, compression
):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a.npy", content)
    tracemalloc.start()
    with pytest.raises(ValueError):
        read_arrays(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**20


def test_entries_that_share_their_bytes_are_refused(tmp_path):
    """A thousand entries of one place in the file declare a thousand times its size."""
    path, content = tmp_path / "a.npz", head((2**17,)) + bytes(2**20)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", content)
        info = archive.infolist()[0]
        archive.filelist += [info] * 999
        archive._didModify = True
    with pytest.raises(ValueError, match="and holds fewer"):
        read_arrays(path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(OSError, match="not an ordinary file"):
        read_arrays(tmp_path / "a.npz")
