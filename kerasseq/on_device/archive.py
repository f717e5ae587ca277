"""Files from elsewhere: opened without waiting, and ZIPs read within their sizes."""

import errno
import os
import stat
import struct
import zipfile
from io import BufferedReader
from typing import BinaryIO

# Bytes of a ZIP's list of entries, each of which takes 46 and its name.
MOST_LISTED = 2**20


def open_regular(path: str | os.PathLike) -> BufferedReader:
    """Open a regular file, and nothing that could block or has no size.

    Raises:
        OSError: it is something else or cannot be read.
    """
    flags = getattr(os, "O_NONBLOCK", 0)  # a pipe would wait for its writer
    file = open(path, "rb", opener=lambda name, mode: os.open(name, mode | flags))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is not an ordinary file")
    return file


def open_zip(file: BinaryIO) -> zipfile.ZipFile:
    """Open a ZIP of no more entries than any of ours could have.

    Python's reader takes seconds for 100,000 entries. How long their list is stands at
    the end of the file, where it is read first. It must stand there as Python's writer
    leaves it, so that all readers find the same.

    Raises:
        ValueError: the list is longer than 1 MiB, an entry is compressed in another way
            than DEFLATE, or the file does not end like a ZIP without a comment.
        Exception: of other kinds, which zipfile has many of, for a damaged file.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 98))
    end = file.read(98)
    if end[-22:-18] != b"PK\5\6" or end[-2:] != b"\0\0":
        raise ValueError("it does not end like a ZIP without a comment")
    (listed,) = struct.unpack("<I", end[-10:-6])
    if end[-42:-38] == b"PK\6\7":  # of a file of more than 2 GiB
        (position,) = struct.unpack("<Q", end[-34:-26])
        if end[:4] != b"PK\6\6" or position != size - 98:
            raise ValueError("it does not end like a ZIP of more than 2 GiB")
        (listed,) = struct.unpack("<Q", end[40:48])
    if listed > MOST_LISTED:
        raise ValueError(
            f"its list of entries has {listed:,} bytes; at most {MOST_LISTED:,} are "
            "read"
        )
    archive = zipfile.ZipFile(file)
    for entry in archive.infolist():
        # Others cannot be told to stop where a bomb goes on.
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError("it is compressed in another way than DEFLATE")
    return archive


def read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """A file of a ZIP, in the memory that it declares; `archive.read` can take more.

    Raises:
        Exception: as `open_zip`, also if it declares another size than it has.
    """
    with archive.open(entry) as file:
        return file.read(entry.file_size)
