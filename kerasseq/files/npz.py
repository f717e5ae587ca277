"""Arrays from `.npz` files, read in memory that is in proportion to the file."""

import io
import math
import os
import zipfile

import numpy as np

from kerasseq.on_device.archive import open_regular, open_zip, read_entry

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_arrays(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read what `np.savez` wrote: numbers and texts, by name.

    `np.load` takes the sizes that a file declares, so that 1 MB can fill the memory.
    Here, they are compared with the bytes that are there, before anything is read.

    Raises:
        Exception: of any kind, if the file is damaged or made by something else.
    """
    with open_regular(path) as file, open_zip(file) as archive:
        entries = archive.infolist()
        stored = all(
            entry.compress_type == zipfile.ZIP_STORED
            and entry.file_size == entry.compress_size
            for entry in entries
        )
        declared = sum(entry.file_size for entry in entries)
        if not stored or declared > os.fstat(file.fileno()).st_size:
            raise ValueError(f"it declares {declared:,} bytes and holds fewer")
        return {
            entry.filename.removesuffix(".npy"): _read_array(read_entry(archive, entry))
            for entry in entries
        }


def _read_array(content: bytes) -> np.ndarray:
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    shape, _, dtype = HEADERS[version](stream)
    declared = math.prod(shape) * dtype.itemsize
    if dtype.kind not in "biufU" or declared != len(content) - stream.tell():
        raise ValueError(f"an array of {dtype} and shape {shape} is not what it holds")
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if dtype.kind == "U":  # NumPy reads any number as a code point, and fails later
        array.astype(dtype.newbyteorder("<")).tobytes().decode("utf-32-le")
    return array
