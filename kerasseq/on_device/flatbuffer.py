"""Read a TFLite flatbuffer, with nothing in it believed before it is checked.

A runtime follows the offsets of a flatbuffer as it finds them. `read` follows them
first: every table, vector and string must lie inside, and no table may have a field
that an export does not write. The numbers of the fields are those of TFLite's schema,
https://github.com/google-ai-edge/LiteRT/blob/main/tflite/converter/schema/schema.fbs.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

ALIGNMENT = 16  # of weights, which kernels read where they lie
# Tables of one file; the largest export has a hundredth of it.
MOST_TABLES = 2**18


class Tensor(NamedTuple):
    """A tensor of a graph.

    Attributes:
        kind: its number among the types of the schema.
        shape: a scalar's is empty.
        data: where a constant's bytes start and end; None for any other tensor.
        scales: of a quantized matrix.
    """

    kind: int
    shape: tuple[int, ...]
    data: tuple[int, int] | None
    scales: tuple[float, ...]


class Operator(NamedTuple):
    """An operation: its number in the schema, its tensors and its options by field."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    union: int
    options: dict[int, Any]


class Graph(NamedTuple):
    """Operations in their order, on tensors that are named by their index."""

    tensors: list[Tensor]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: list[Operator]


class Model(NamedTuple):
    """Graphs, and for each signature its graph, inputs and outputs by name."""

    graphs: list[Graph]
    signatures: dict[str, tuple[int, dict[str, int], dict[str, int]]]


# How each field of a table is read, by its number.
Fields: TypeAlias = Mapping[int, "Callable[[_Bytes, int], Any]"]


class _Bytes:
    """A flatbuffer; each method reads what lies at a position."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._vtables: dict[int, list[tuple[int, int]]] = {}
        self._tables = 0

    def unpack(self, form: str, at: int) -> tuple:
        if at < 0:
            raise ValueError("an offset leads before its start")
        return struct.unpack_from(form, self.content, at)

    def follow(self, at: int) -> int:
        return at + self.unpack("<I", at)[0]

    def table(self, at: int, fields: Fields) -> dict[int, Any]:
        self._tables += 1
        if self._tables > MOST_TABLES:
            raise ValueError(f"it has more than {MOST_TABLES:,} tables")
        vtable = at - self.unpack("<i", at)[0]
        if vtable not in self._vtables:
            size, _ = self.unpack("<HH", vtable)
            offsets = self.unpack(f"<{max(0, size // 2 - 2)}H", vtable + 4)
            self._vtables[vtable] = [
                (number, offset) for number, offset in enumerate(offsets) if offset
            ]
        return {
            number: fields[number](self, at + offset)
            for number, offset in self._vtables[vtable]
        }

    def vector(self, at: int, form: str) -> tuple:
        start = self.follow(at)
        (count,) = self.unpack("<I", start)
        return self.unpack(f"<{count}{form}", start + 4)


def _number(form: str) -> Callable[[_Bytes, int], Any]:
    return lambda source, at: source.unpack(form, at)[0]


def _numbers(form: str) -> Callable[[_Bytes, int], tuple]:
    return lambda source, at: source.vector(at, form)


def _tables(fields: Fields) -> Callable[[_Bytes, int], list[dict[int, Any]]]:
    def read(source: _Bytes, at: int) -> list[dict[int, Any]]:
        start = source.follow(at) + 4
        offsets = source.vector(at, "I")
        return [
            source.table(start + 4 * index + offset, fields)
            for index, offset in enumerate(offsets)
        ]

    return read


def _table(fields: Fields) -> Callable[[_Bytes, int], dict[int, Any]]:
    return lambda source, at: source.table(source.follow(at), fields)


def _text(source: _Bytes, at: int) -> str:
    start = source.follow(at)
    (count,) = source.unpack("<I", start)
    text, end = source.unpack(f"<{count}sB", start + 4)
    if end:
        raise ValueError("a text has no end")
    return text.decode()


def _extent(source: _Bytes, at: int) -> tuple[int, int]:
    start = source.follow(at) + 4
    end = start + source.unpack("<I", start - 4)[0]
    if end > len(source.content) or start % ALIGNMENT:
        raise ValueError("weights lie outside, or where a kernel cannot read them")
    return start, end


BYTE, FLAG, INT32, UINT32, FLOAT = map(_number, ("<b", "<?", "<i", "<I", "<f"))
QUANTIZATION: Fields = {2: _numbers("f"), 3: _numbers("q"), 6: INT32}
TENSOR: Fields = {
    0: _numbers("i"),
    1: BYTE,
    2: UINT32,
    3: _text,
    4: _table(QUANTIZATION),
    7: _numbers("i"),
    8: FLAG,
}
OPERATOR: Fields = {
    0: UINT32,
    1: _numbers("i"),
    2: _numbers("i"),
    3: _number("<B"),
    4: _Bytes.follow,
}
GRAPH: Fields = {
    0: _tables(TENSOR),
    1: _numbers("i"),
    2: _numbers("i"),
    3: _tables(OPERATOR),
    4: _text,
}
ENDS = _tables({0: _text, 1: UINT32})
MODEL: Fields = {
    0: UINT32,
    1: _tables({0: BYTE, 2: INT32, 3: INT32}),
    2: _tables(GRAPH),
    3: _text,
    4: _tables({0: _extent}),
    7: _tables({0: ENDS, 1: ENDS, 2: _text, 4: UINT32}),
}


def read(content: bytes, options: Mapping[int, Fields]) -> Model:
    """The model in a flatbuffer.

    Args:
        content: the flatbuffer.
        options: the fields of each union of options that may be there, by its number.

    Raises:
        ValueError: an offset leads outside, or something is there that no export
            writes.
    """
    source = _Bytes(content)
    try:
        if content[4:8] != b"TFL3":
            raise ValueError("it is no TFLite flatbuffer")
        model = source.table(source.follow(0), MODEL)
        buffers = [each.get(0) for each in model[4]]
        codes = [max(each.get(0, 0), each.get(3, 0)) for each in model[1]]
        graphs = [
            Graph(
                [_tensor(each, buffers) for each in graph.get(0, ())],
                graph.get(1, ()),
                graph.get(2, ()),
                [_operator(source, each, codes, options) for each in graph.get(3, ())],
            )
            for graph in model[2]
        ]
        signatures = {
            each[2]: (each.get(4, 0), _names(each.get(0)), _names(each.get(1)))
            for each in model[7]
        }
        if len(signatures) < len(model[7]):
            raise ValueError("two signatures have one name")
        if any(index >= len(graphs) for index, *_ in signatures.values()):
            raise ValueError("a signature is of a graph that is not there")
        return Model(graphs, signatures)
    except (IndexError, KeyError, struct.error) as error:
        raise ValueError(
            f"something is missing, lies outside or is not of an export ({error})"
        ) from None


def _tensor(table: dict[int, Any], buffers: list[tuple[int, int] | None]) -> Tensor:
    shape, quantization = table.get(0, ()), table.get(4, {})
    free = table.get(7, shape)  # the shape with -1 where the converter did not know
    if any(f not in (-1, s) for f, s in zip(free, shape, strict=True)):
        raise ValueError("a tensor has two shapes")
    scales = quantization.get(2, ())
    zeros = quantization.get(3, (0,) * len(scales))
    if quantization.get(6, 0) or len(zeros) != len(scales) or any(zeros):
        raise ValueError("a matrix is quantized in another way")
    return Tensor(table.get(1, 0), shape, buffers[table.get(2, 0)], scales)


def _operator(
    source: _Bytes,
    table: dict[int, Any],
    codes: list[int],
    options: Mapping[int, Fields],
) -> Operator:
    union = table.get(3, 0)
    if (4 in table) != (union > 0):
        raise ValueError("an operation has options without a type")
    found = source.table(table[4], options[union]) if union else {}
    code = codes[table.get(0, 0)]
    return Operator(code, table.get(1, ()), table.get(2, ()), union, found)


def _names(ends: list[dict[int, Any]] | None) -> dict[str, int]:
    found = {each[0]: each.get(1, 0) for each in ends or ()}
    if len(found) < len(ends or ()):
        raise ValueError("two tensors of a signature have one name")
    return found
