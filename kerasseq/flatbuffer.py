"""What is inside a TFLite flatbuffer: its operations, and what it can do without."""

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

# Kernels read weights from where they lie in the file, at this alignment.
ALIGNMENT = 16


def list_operators(flatbuffer: bytes) -> list[str]:
    """Names of the operations in a flatbuffer; custom ones as `CUSTOM:name`.

    Flex operations, which need TensorFlow on the device, are among the custom ones.
    """
    model = schema.ModelT.InitFromPackedBuf(flatbuffer)
    names = {
        value: name
        for name, value in vars(schema.BuiltinOperator).items()
        if not name.startswith("_")
    }
    found = set()
    for code in model.operatorCodes:
        # Codes above 127 do not fit the older of the two fields.
        builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
        custom = code.customCode
        found.add(f"CUSTOM:{custom.decode()}" if custom else names[builtin])
    return sorted(found)


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


def slim(flatbuffer: bytes) -> bytes:
    """The same model in fewer bytes, and the same bytes for the same model.

    The converter writes the scales of a quantised matrix anew in each graph that uses
    it, and names tensors and graphs after the process that it ran in. Here scales are
    written once, and only what a signature speaks of keeps a name.
    """
    model = schema.ModelT.InitFromPackedBuf(flatbuffer)
    model.description = model.metadata = model.metadataBuffer = None
    signatures = {each.subgraphIndex: each for each in model.signatureDefs}
    scales: dict[int, _Once] = {}
    for index, graph in enumerate(model.subgraphs):
        signature = signatures.get(index)
        graph.name = signature.signatureKey if signature else b"graph_%d" % index
        for tensor in graph.tensors:
            tensor.name = b""
            if (
                tensor.quantization is not None
                and model.buffers[tensor.buffer].data is not None
            ):
                # Tensors of one buffer are one matrix.
                part = scales.setdefault(tensor.buffer, _Once(tensor.quantization))
                tensor.quantization = part
        for end in (*signature.inputs, *signature.outputs) if signature else ():
            graph.tensors[end.tensorIndex].name = end.name
    model.buffers = [
        buffer if buffer.data is None else _Weights(buffer.data)
        for buffer in model.buffers
    ]
    builder = flatbuffers.Builder(len(flatbuffer))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
