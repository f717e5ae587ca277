"""Samples of exported files, and hostile changes of their flatbuffers."""

import collections
import hashlib
import io
import json
import random
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kerasseq.files.slim import pack

NUMBERS = [0, 1, 2, 3, 7, 16, 127, 255, 256, 1000, 65535, 2**20, 2**30, 2**31 - 1]
NUMBERS += [-1, -2, -128, -(2**31)]


class Sample(NamedTuple):
    """A real file, taken apart.

    Attributes:
        flatbuffer: the model.
        files: what is attached, by name.
        structure: positions of the bytes that are no weights.
    """

    flatbuffer: bytes
    files: dict[str, bytes]
    structure: list[int]


def take_apart(path: Path) -> Sample:
    """Read a sample."""
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = min(info.header_offset for info in archive.infolist())
        files = {name: archive.read(name) for name in archive.namelist()}
    flatbuffer, weights = content[:start], set()
    model = schema.Model.GetRootAs(flatbuffer)
    for table in map(model.Buffers, range(model.BuffersLength())):
        if table.DataLength() > 64:
            first = table._tab.Vector(table._tab.Offset(4))
            weights |= set(range(first, first + table.DataLength()))
    return Sample(flatbuffer, files, sorted(set(range(start)) - weights))


def put_together(sample: Sample, flatbuffer: bytes) -> bytes:
    """The sample's file around another flatbuffer, with right hashes."""
    card = json.loads(sample.files["card.json"])
    card["sha256"] = hashlib.sha256(flatbuffer).hexdigest()
    text = json.dumps(card).encode()
    line = f"{hashlib.sha256(text).hexdigest()}  card.json\n".encode()
    content = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(content, "a") as archive:
        for name, data in {
            **sample.files,
            "card.json": text,
            "card.sha256": line,
        }.items():
            archive.writestr(name, data)
    return content.getvalue()


def change_bytes(chance: random.Random, sample: Sample) -> bytes:
    """Flip, overwrite, move, cut or swap bytes."""
    content = bytearray(sample.flatbuffer)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        at, other = (chance.choice(sample.structure) & ~3 for _ in range(2))
        way = chance.randrange(7)
        if way == 0:
            content[at + chance.randrange(4)] ^= 1 << chance.randrange(8)
        elif way == 1:
            content[at : at + 4] = chance.randbytes(4)
        elif way == 2:
            number = chance.choice([*NUMBERS, len(content), len(content) - at])
            content[at : at + 4] = struct.pack("<q", number)[:4]
        elif way == 3:
            (old,) = struct.unpack_from("<I", content, at)
            shifted = (old + chance.choice([-8, -4, -2, 2, 4, 8])) % 2**32
            struct.pack_into("<I", content, at, shifted)
        elif way == 4:
            size = chance.choice([4, 8, 16, 64])
            one, two = content[at : at + size], content[other : other + size]
            content[at : at + len(two)], content[other : other + len(one)] = two, one
        elif way == 5:
            size = chance.choice([4, 8, 16, 64])
            content[at : at + size] = content[other : other + size]
        elif chance.random() < 0.3:
            del content[max(8, at) :]
            break
        content += bytes(max(0, 8 - len(content)))
        content = content[: len(sample.flatbuffer)]
        content += bytes(len(sample.flatbuffer) - len(content))
    return bytes(content)


def change_numbers(chance: random.Random, sample: Sample) -> bytes:
    """Change small constants: axes, shapes, starts and ends, which kernels follow."""
    model = schema.ModelT.InitFromPackedBuf(sample.flatbuffer)
    small = [each for each in model.buffers if each.data is not None]
    small = [each for each in small if each.data.size % 4 == 0 and each.data.size <= 64]
    for _ in range(chance.choice([1, 1, 2, 4, 8])):
        table = chance.choice(small)
        numbers = table.data.copy().view(np.int32)
        numbers[chance.randrange(numbers.size)] = chance.choice(NUMBERS)
        table.data = numbers.view(np.uint8)
    return pack(model)


def objects_in(thing: Any) -> Iterator[Any]:
    """The objects of the schema in a model, one after the other."""
    if isinstance(thing, list):
        for each in thing:
            yield from objects_in(each)
    elif type(thing).__module__ == schema.__name__:
        yield thing
        for each in vars(thing).values():
            yield from objects_in(each)


def change_objects(chance: random.Random, sample: Sample) -> bytes:
    """Change fields of tables, so that the flatbuffer itself stays whole."""
    model = schema.ModelT.InitFromPackedBuf(sample.flatbuffer)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        by_type = collections.defaultdict(list)
        for each in objects_in(model):
            by_type[type(each).__name__].append(each)
        kind = chance.choice(sorted(by_type))
        table = chance.choice(by_type[kind])
        if vars(table):
            name = chance.choice(sorted(vars(table)))
            found = change(chance, getattr(table, name), by_type)
            setattr(table, name, found)
    return pack(model)


def change(chance: random.Random, value: Any, by_type: dict[str, list]) -> Any:
    """Another value of the same type, or one from elsewhere in the model."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return chance.choice([*NUMBERS, value - 1, value + 1, chance.randrange(160)])
    if isinstance(value, float):
        return chance.choice([0.0, -1.0, 1e-45, 3e38, float("nan"), float("inf")])
    if isinstance(value, bytes):
        return chance.choice(
            [b"", b"step", b"state_0", b"\xff", b"\x1b[2J\n", b"a" * 999]
        )
    if isinstance(value, np.ndarray):
        changed = value.copy()
        if chance.random() < 0.3 or not value.size:
            return np.resize(changed, chance.choice([0, 1, value.size + 1, 4096]))
        new = chance.choice([*NUMBERS, chance.randrange(200)])
        with np.errstate(all="ignore"):
            changed[chance.randrange(value.size)] = np.array(new).astype(value.dtype)
        return changed
    if isinstance(value, list) and value:
        changed = list(value)
        way = chance.randrange(4)
        if way == 0:
            del changed[chance.randrange(len(changed))]
        elif way == 1:
            changed.append(chance.choice(changed))
        elif way == 2:
            chance.shuffle(changed)
        else:
            return []
        return changed
    if value is None:
        return np.array([chance.choice(NUMBERS)], np.int32)
    return chance.choice([None, chance.choice(by_type[type(value).__name__])])
