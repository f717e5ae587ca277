"""A TFLite flatbuffer without what it can do without."""

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

# Kernels read weights from where they lie in the file, at this alignment.
ALIGNMENT = 16


# The fields of WHILE and IF that name a graph by its index.
GRAPHS_OF_OPERATORS = (
    "condSubgraphIndex",
    "bodySubgraphIndex",
    "thenSubgraphIndex",
    "elseSubgraphIndex",
)


class _Once:
    """A part that is written once, however many others point at it."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self._offset: int | None = None

    def Pack(self, builder: flatbuffers.Builder) -> int:
        if self._offset is None:
            self._offset = self._part.Pack(builder)
        return self._offset


class _Weights:
    """A buffer whose data lie at a multiple of ALIGNMENT, as the schema demands."""

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

    The converter writes the scales of a quantised matrix anew in each graph that uses
    it, orders signatures by their names, and names tensors and graphs after the
    process that it ran in. Here scales are written once, the graphs of signatures come
    first, in the order asked for, and only what a signature speaks of keeps a name.

    Args:
        flatbuffer: as the converter gives it.
        signatures: their names. The first one's graph is the one that a runtime runs
            where no signature is named.
    """
    model = schema.ModelT.InitFromPackedBuf(flatbuffer)
    model.description = model.metadata = model.metadataBuffer = None
    wanted = [name.encode() for name in signatures]
    model.signatureDefs.sort(key=lambda each: wanted.index(each.signatureKey))
    first = [each.subgraphIndex for each in model.signatureDefs]
    others = [i for i in range(len(model.subgraphs)) if i not in first]
    _reorder(model, first + others)
    for index, graph in enumerate(model.subgraphs):
        signature = model.signatureDefs[index] if index < len(first) else None
        graph.name = signature.signatureKey if signature else b"graph_%d" % index
        for tensor in graph.tensors:
            tensor.name = b""
        for end in (*signature.inputs, *signature.outputs) if signature else ():
            graph.tensors[end.tensorIndex].name = end.name
    return pack(model)


def _reorder(model: schema.ModelT, order: Sequence[int]) -> None:
    """Put graphs in another order: `order` has the old index at each new one."""
    model.subgraphs = [model.subgraphs[index] for index in order]
    for signature in model.signatureDefs:
        signature.subgraphIndex = order.index(signature.subgraphIndex)
    for operator in (each for graph in model.subgraphs for each in graph.operators):
        options = operator.builtinOptions
        for name in GRAPHS_OF_OPERATORS:
            if hasattr(options, name):
                setattr(options, name, order.index(getattr(options, name)))


def pack(model: schema.ModelT) -> bytes:
    scales: dict[int, _Once] = {}
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        constant = model.buffers[tensor.buffer].data is not None
        if constant and tensor.quantization is not None:
            # Tensors of one buffer are one matrix.
            part = scales.setdefault(tensor.buffer, _Once(tensor.quantization))
            tensor.quantization = part
    model.buffers = [
        buffer if buffer.data is None else _Weights(buffer.data)
        for buffer in model.buffers
    ]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
