"""UTF-8 files in chunks, compared with Python's own decoding of the whole."""

import codecs
import hashlib
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.files.writing import write_file
from kerasseq.text.reading import hash_text, read_characters, read_text

SIZES = st.integers(3, 17)  # bytes of a chunk: most borders fall inside a character


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A path for a file of this module."""
    return tmp_path_factory.mktemp("files") / "a.txt"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"one\r\ntwo\rthree\n", "one\r\ntwo\rthree\n"),
        (b"no line end", "no line end"),
        (b" \n\x1a\x0c\n ", " \n\x1a\x0c\n "),
        ("é€𝄞\u2028".encode(), "é€𝄞\u2028"),
        (b"\xef\xbb\xbfafter the mark", "after the mark"),
        (b"\xef\xbb\xbf\xef\xbb\xbfone mark", "\ufeffone mark"),
        (b"inside \xef\xbb\xbf", "inside \ufeff"),
    ],
)
def test_a_file_is_read_to_the_last_character(tmp_path, data, text):
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    assert read_text(path) == read_text(str(path)) == text


@pytest.mark.parametrize("text", ["\ufeff", "\ufeff\ufeffa", "a\ufeff\r\n"])
def test_a_text_that_begins_with_a_mark_is_written_and_read_again(text, tmp_path):
    assert read_text(write_file(tmp_path / "a.txt", text)) == text


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\x7fELF\x02\x00", "looks binary: byte 5 is NUL"),
        (b"caf\xe9 au lait", r"not UTF-8: byte 3 is 0xe9 .*as cp1252 'café au lait'"),
        ("é".encode() + b"\xff", "not UTF-8: byte 2 is 0xff"),
        (b"\xef\xbb\xbfa\x80", "not UTF-8: byte 4 is 0x80"),
        (b"cut short \xf0\x9d\x84", "not UTF-8: byte 10 is 0xf0"),
        (b"half \xed\xa0\xbd", "not UTF-8: byte 5 is 0xed"),
    ],
)
def test_what_is_not_text_is_refused_with_the_byte(tmp_path, data, complaint):
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"a\.txt .*{complaint}"):
        read_text(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a\.txt does not exist"):
        read_text(tmp_path / "a.txt")


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is a directory; give a text file"):
        read_text(tmp_path)


def test_a_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path):
    path = tmp_path / "a.txt"
    path.symlink_to(path)
    with pytest.raises(ValueError, match="cannot be read: Too many levels"):
        read_text(path)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")), SIZES)
def test_chunks_of_any_size_are_the_whole_text(path, text, size):
    path.write_bytes(text.encode())
    whole = text.removeprefix("\ufeff")
    if whole:
        assert "".join(read_characters(path, size=size)) == whole
        assert hash_text(path) == hashlib.sha256(whole.encode()).hexdigest()


@given(
    st.lists(st.text(min_size=1).map(str.encode) | st.binary(min_size=1), min_size=1),
    SIZES,
)
def test_a_fault_is_found_where_decoding_the_whole_finds_it(path, parts, size):
    data = b"".join(parts).replace(b"\0", b"0")
    path.write_bytes(data)
    try:
        whole = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        fault = f"byte {error.start} is 0x{data[error.start]:02x} ({error.reason});"
        with pytest.raises(ValueError) as found:
            list(read_characters(path, size=size))
        assert fault in str(found.value)
    else:
        assert not whole or "".join(read_characters(path, size=size)) == whole


@pytest.mark.parametrize("size", [3, 4, 100])
@pytest.mark.parametrize("count", [1, 2])
def test_one_byte_order_mark_is_left_out_of_chunks_of_any_size(path, size, count):
    path.write_bytes(codecs.BOM_UTF8 * count + b"abc")
    text = "".join(read_characters(path, size=size))
    assert text == "\ufeff" * (count - 1) + "abc"


def test_a_nul_byte_is_found_in_any_chunk(path):
    path.write_bytes(b"abcdefg\0hij")
    with pytest.raises(ValueError, match="byte 7 is NUL"):
        list(read_characters(path, size=3))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=["é".encode() * 70_000])
    writer.start()
    assert read_text(pipe) == "é" * 70_000
    writer.join()
