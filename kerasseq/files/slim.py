"""A TFLite flatbuffer without redundant bytes."""

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

# Kernels read weights directly from the file and need this alignment, in bytes.
ALIGNMENT = 16
# What viewers of models show of every file.
DESCRIPTION = b"kerasseq; card.json and vocabulary.json follow the model as a ZIP"
# The fields of WHILE and IF that name a graph by its index.
GRAPHS_OF_OPERATORS = (
    "condSubgraphIndex",
    "bodySubgraphIndex",
    "thenSubgraphIndex",
    "elseSubgraphIndex",
)


class _Once:
    """An object that is written once and can be referred to many times."""

    def __init__(self, content: Any) -> None:
        self._content = content
        self._offset: int | None = None

    def Pack(self, builder: flatbuffers.Builder) -> int:
        if self._offset is None:
            self._offset = self._content.Pack(builder)
        return self._offset


class _SharingBuilder(flatbuffers.Builder):
    """Writes equal lists once: shapes, zero points, and what operations are given."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._lists: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        key = x.dtype.str, x.tobytes()
        if key not in self._lists:
            self._lists[key] = super().CreateNumpyVector(x)
        return self._lists[key]


class _Weights:
    """A buffer whose data start at a multiple of ALIGNMENT, as the schema demands."""

    def __init__(self, data: np.ndarray) -> None:
        self._data = data.tobytes()

    def Pack(self, builder: flatbuffers.Builder) -> int:
        builder.StartVector(1, len(self._data), ALIGNMENT)
        builder.head -= len(self._data)
        builder.Bytes[builder.head : builder.head + len(self._data)] = self._data
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


def slim(flatbuffer: bytes, signatures: Sequence[str]) -> bytes:
    """The same model in fewer bytes, and the same bytes for the same model.

    The converter repeats the scales of a quantized matrix in each graph that uses it,
    orders signatures by name, and gives tensors and graphs names that depend on its
    process. Here scales are written once, the graphs of signatures come first, in the
    given order, and only inputs and outputs of signatures keep their names.

    Args:
        flatbuffer: from the converter.
        signatures: their names. Without a name, a runtime runs the first one.
    """
    model = schema.ModelT.InitFromPackedBuf(flatbuffer)
    model.description = DESCRIPTION
    model.metadata = model.metadataBuffer = None
    wanted = [name.encode() for name in signatures]
    model.signatureDefs.sort(key=lambda each: wanted.index(each.signatureKey))
    first = [each.subgraphIndex for each in model.signatureDefs]
    others = [i for i in range(len(model.subgraphs)) if i not in first]
    _reorder(model, first + others)
    for index, graph in enumerate(model.subgraphs):
        signature = model.signatureDefs[index] if index < len(first) else None
        graph.name = signature.signatureKey if signature else b"graph_%d" % index
        for tensor in graph.tensors:
            tensor.name = None
        for end in (*signature.inputs, *signature.outputs) if signature else ():
            graph.tensors[end.tensorIndex].name = end.name
    return pack(model)


def _reorder(model: schema.ModelT, order: Sequence[int]) -> None:
    """Put graphs in another order; `order` has the old index of each new graph."""
    model.subgraphs = [model.subgraphs[index] for index in order]
    for signature in model.signatureDefs:
        signature.subgraphIndex = order.index(signature.subgraphIndex)
    for operator in (each for graph in model.subgraphs for each in graph.operators):
        options = operator.builtinOptions
        for name in GRAPHS_OF_OPERATORS:
            if hasattr(options, name):
                setattr(options, name, order.index(getattr(options, name)))


def pack(model: schema.ModelT) -> bytes:
    """Write a model with one copy of each matrix, of its scales and of each list."""
    scales: dict[Any, _Once] = {}
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        if tensor.quantization is None or tensor.quantization.scale is None:
            tensor.quantization = None
        elif model.buffers[tensor.buffer].data is not None:
            # The converter lets constants of equal bytes share a buffer, so tensors of
            # one buffer are not always one matrix.
            key = tensor.buffer, tensor.quantization.scale.tobytes()
            once = scales.setdefault(key, _Once(tensor.quantization))
            tensor.quantization = once
    model.buffers = [
        buffer if buffer.data is None else _Weights(buffer.data)
        for buffer in model.buffers
    ]
    builder = _SharingBuilder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
