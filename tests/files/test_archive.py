"""Files from elsewhere are opened once, and ZIPs are read within their sizes."""

import io
import os
import struct
import sys
import tracemalloc
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.files import keras_models
from kerasseq.files.hashes import hashes, reading_same, unchanged
from kerasseq.files.keras_models import load_model
from kerasseq.files.labels import read_labels, write_labels
from kerasseq.files.npz import read_arrays
from kerasseq.files.report import read_report
from kerasseq.on_device.archive import MOST_LISTED, open_zip, read_entry
from kerasseq.on_device.model_file import Model
from kerasseq.text.characters import Vocabulary

SAVED = Path(__file__).parents[1] / "saved" / "char_rnn_gru.keras"
OPENED: list[str] = []
sys.addaudithook(lambda event, values: event == "open" and OPENED.append(values[0]))


def zip_of(count: int, start: bytes = b"") -> bytes:
    """A ZIP with one file in it, which is listed so many times."""
    file = io.BytesIO(start)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("a", b"content")
    content = file.getvalue()
    entry = content[content.index(b"PK\1\2") : -22]
    end = struct.pack("<HHI", count % 2**16, count % 2**16, count * len(entry))
    return content[:-22] + entry * (count - 1) + b"PK\5\6\0\0\0\0" + end + content[-6:]


MANY = zip_of(23_000)


@pytest.mark.parametrize("read", [read_arrays, load_model, Model])
def test_a_zip_of_many_entries_is_refused_unread(read, tmp_path, monkeypatch):
    path = tmp_path / "many.zip"
    path.write_bytes(MANY)
    assert len(zipfile.ZipFile(path).infolist()) == 23_000
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(
        ValueError, match=r"its list of entries has 1,\d{3},\d{3} bytes"
    ):
        read(path)


NUMBERS = st.sampled_from((0, 1, 2, 44, 98, 2**16 - 1, 2**32 - 1, 2**63))
EDITS = st.lists(st.tuples(st.integers(1, 120), NUMBERS, st.sampled_from((2, 4, 8))))


@given(EDITS, st.binary(max_size=60), st.booleans())
def test_no_end_of_a_zip_hides_its_entries(edits, behind, longer):
    end = bytearray(MANY[-22:])
    if longer:  # as of a file of more than 2 GiB
        size, position = end[12:16], end[16:20]
        record = b"PK\6\6" + (44).to_bytes(8, "little") + bytes(28)
        record += bytes(size) + bytes(4) + bytes(position) + bytes(4)
        position = (len(MANY) - 22).to_bytes(8, "little")
        locator = b"PK\6\7" + bytes(4) + position + b"\1\0\0\0"
        end = bytearray(record) + locator + end
    content = bytearray(MANY[:-22]) + end
    for offset, number, width in edits:
        number %= 256**width
        place = len(content) - offset
        content[place : place + width] = number.to_bytes(width, "little")
    try:
        archive = open_zip(io.BytesIO(bytes(content) + behind))
    except Exception:
        return
    assert len(archive.infolist()) < MOST_LISTED / 46


def test_a_zip_of_more_than_2_gib_is_read(tmp_path):
    path = tmp_path / "large.zip"
    with path.open("wb") as file:
        file.seek(2**31)  # nothing is stored for it
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a", b"content")
    with path.open("rb") as file, open_zip(file) as archive:
        assert file.seek(-42, os.SEEK_END) and file.read(4) == b"PK\6\7"
        assert read_entry(archive, archive.getinfo("a")) == b"content"


@pytest.mark.parametrize("declared", [0, 1, 1000])
def test_an_entry_takes_no_more_memory_than_it_declares(declared):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(2**26))
    content = bytearray(file.getvalue())
    entry = content.index(b"PK\1\2")
    content[entry + 24 : entry + 28] = declared.to_bytes(4, "little")
    tracemalloc.start()
    with open_zip(io.BytesIO(content)) as archive:
        try:
            assert len(read_entry(archive, archive.infolist()[0])) == declared == 0
        except zipfile.BadZipFile:
            assert declared
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**20


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_cannot_be_stopped_is_refused(method, tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in keras_models.MEMBERS:
            archive.writestr(name, bytes(2**20))
    with pytest.raises(ValueError, match="in another way than DEFLATE"):
        load_model(path)


def an_npz(path):
    np.savez(path, a=np.zeros(3))


def a_model(path):
    path.write_bytes(SAVED.read_bytes())


def a_report(path):
    path.write_text('{"a": {}}')


@pytest.mark.parametrize(
    ("name", "write", "read"),
    [
        ("checkpoint.npz", an_npz, read_arrays),
        ("model.keras", a_model, load_model),
        ("labels.json", lambda path: write_labels(["a", "b"], path), read_labels),
        ("vocabulary.json", Vocabulary.from_text("ab").save, Vocabulary.load),
        ("report.json", a_report, lambda path: read_report(path.parent)),
        ("model.tflite", lambda path: path.write_bytes(zip_of(1, b"model")), Model),
    ],
)
def test_what_is_checked_and_used_is_read_once(name, write, read, tmp_path):
    write(tmp_path / name)
    OPENED.clear()
    try:
        read(tmp_path / name)
    except ValueError:
        assert read is Model  # it holds no model
    # Once by `open`, which then asks its opener.
    assert sum(str(each) == str(tmp_path / name) for each in OPENED) == 2


def test_keras_loads_what_was_checked(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    a_model(path)
    expected = load_model(path).get_weights()

    def exchange(*arguments):
        keras_models.check_config(*arguments)
        model = keras.Sequential([keras.Input((2,))])
        model.add(keras.layers.Lambda(lambda x: x, output_shape=(2,)))
        model.save(path)

    monkeypatch.setattr(keras_models, "check_sizes", lambda *_: exchange({}))
    for found, weight in zip(load_model(path).get_weights(), expected, strict=True):
        np.testing.assert_array_equal(found, weight)
    with pytest.raises(ValueError, match="is code"):
        load_model(path)


def test_files_that_change_while_they_are_read_are_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"a\.json has changed while it was read"):
        with reading_same(tmp_path, ["a.json", "none"], hashes(tmp_path, "a.json")):
            path.write_text("[]")
    with pytest.raises(ValueError, match="has changed"), unchanged(path):
        path.unlink()
    with unchanged(path) as found:
        assert found == {}
