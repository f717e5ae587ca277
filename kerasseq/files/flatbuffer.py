"""What is inside a TFLite flatbuffer: its operations, and what it can do without."""

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
    return _pack(model)


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


def quantize_recurrent_kernels(flatbuffer: bytes) -> bytes:
    """Store in four bits what is multiplied by a state, which is most of the weights.

    What a state is multiplied by bears the rounding best: over many steps it averages
    out. Each row has the scale, between its largest weight and 0.6 of it, at which the
    sum of the squared errors is least.

    Args:
        flatbuffer: in eight bits, with a signature `step` whose states are `state_0`
            and so on.
    """
    model = schema.ModelT.InitFromPackedBuf(flatbuffer)
    step = next(each for each in model.signatureDefs if each.signatureKey == b"step")
    graph = model.subgraphs[step.subgraphIndex]
    states = {end.tensorIndex for end in step.inputs if end.name.startswith(b"state_")}
    kernels = {
        graph.tensors[operator.inputs[1]].buffer
        for operator in graph.operators
        if operator.inputs[0] in states
        and graph.tensors[operator.inputs[1]].type == schema.TensorType.INT8
    }
    scales = {}
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        if tensor.buffer not in kernels:
            continue
        if tensor.buffer not in scales:
            buffer = model.buffers[tensor.buffer]
            weights = buffer.data.view(np.int8).reshape(tensor.shape)
            weights = weights * tensor.quantization.scale[:, None]
            buffer.data, scales[tensor.buffer] = _four_bits(weights)
        tensor.type = schema.TensorType.INT4
        tensor.quantization.scale = scales[tensor.buffer]
    return _pack(model)


def share_gathered_weights(flatbuffer: bytes) -> bytes:
    """Store a matrix once of which rows are gathered and which multiplies, too.

    In eight bits the converter writes it twice: with one scale for all that is
    gathered, and with a scale for each row where it multiplies. Here the second serves
    both, where one row is gathered at a time: as it lies, and its scale beside it.

    Args:
        flatbuffer: in eight bits; without such a matrix it stays as it is.
    """
    model = schema.ModelT.InitFromPackedBuf(flatbuffer)
    products = [
        graph.tensors[product.inputs[1]]
        for graph in model.subgraphs
        for product in _operators(model, graph, "FULLY_CONNECTED")
    ]
    shared = set()
    for graph in model.subgraphs:
        for gather in _operators(model, graph, "GATHER"):
            table, place = (graph.tensors[index] for index in gather.inputs)
            same = (each for each in products if _same_weights(model, table, each))
            matrix = next(same, None)
            row = gather.outputs[0]
            readers = [each for each in graph.operators if row in _list(each.inputs)]
            becomes_float = _operators(model, graph, "DEQUANTIZE")
            one_row = _list(place.shape) == [1] and len(readers) == 1
            if matrix and one_row and readers[0] in becomes_float:
                shared.add(table.buffer)
                _gather_with_scales(model, graph, gather, readers[0], matrix)
    if not shared:
        return flatbuffer
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    for buffer in shared - used:
        model.buffers[buffer].data = None
    return _pack(model)


def _list(array: np.ndarray | None) -> list[int]:
    """What a flatbuffer holds of an array: nothing where it is empty."""
    return [] if array is None else array.tolist()


def _operators(
    model: schema.ModelT, graph: schema.SubGraphT, name: str
) -> list[schema.OperatorT]:
    """The operations of one kind in a graph."""
    code = getattr(schema.BuiltinOperator, name)
    return [
        operator
        for operator in graph.operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode == code
    ]


def _same_weights(
    model: schema.ModelT, one: schema.TensorT, other: schema.TensorT
) -> bool:
    """Whether two constants in eight bits are one matrix, the other scaled by rows."""
    matrices = []
    for tensor in (one, other):
        data = model.buffers[tensor.buffer].data
        if tensor.type != schema.TensorType.INT8 or data is None:
            return False
        scales = tensor.quantization.scale[:, None]
        matrices.append(data.view(np.int8).reshape(tensor.shape) * scales)
    first, second = matrices
    if first.shape != second.shape or len(other.quantization.scale) != len(second):
        return False
    rounding = one.quantization.scale.max() + other.quantization.scale.max()
    return bool((np.abs(first - second) <= rounding).all())


def _gather_with_scales(
    model: schema.ModelT,
    graph: schema.SubGraphT,
    gather: schema.OperatorT,
    dequantize: schema.OperatorT,
    matrix: schema.TensorT,
) -> None:
    """Gather rows of a matrix that has a scale for each, and multiply them by it."""
    table, row = (graph.tensors[ends[0]] for ends in (gather.inputs, gather.outputs))
    table.buffer = matrix.buffer
    table.quantization = row.quantization = None

    scales = matrix.quantization.scale.astype(np.float32)
    all_scales = _add_tensor(model, graph, scales.shape, scales.view(np.uint8))
    scale = _add_tensor(model, graph, [1])
    numbers = _add_tensor(model, graph, row.shape)

    options = schema.CastOptionsT()
    options.inDataType = schema.TensorType.INT8
    options.outDataType = schema.TensorType.FLOAT32
    place = graph.operators.index(dequantize)
    graph.operators[place : place + 1] = [
        _operator(model, "CAST", [gather.outputs[0]], numbers, options),
        _operator(
            model,
            "GATHER",
            [all_scales, gather.inputs[1]],
            scale,
            schema.GatherOptionsT(),
        ),
        _operator(
            model,
            "MUL",
            [numbers, scale],
            dequantize.outputs[0],
            schema.MulOptionsT(),
        ),
    ]


def _add_tensor(
    model: schema.ModelT,
    graph: schema.SubGraphT,
    shape: Sequence[int],
    data: np.ndarray | None = None,
) -> int:
    """Add a tensor of float32 to a graph; gives its index.

    Args:
        data: uint8, of a constant.
    """
    model.buffers.append(schema.BufferT())
    model.buffers[-1].data = data
    tensor = schema.TensorT()
    tensor.name, tensor.shape = b"", np.array(shape, np.int32)
    tensor.type = schema.TensorType.FLOAT32
    tensor.buffer = len(model.buffers) - 1
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _operator(
    model: schema.ModelT, name: str, inputs: Sequence[int], output: int, options: Any
) -> schema.OperatorT:
    """An operation of a kind, which joins the model's kinds if it is a new one."""
    builtin = getattr(schema.BuiltinOperator, name)
    codes = [code.builtinCode for code in model.operatorCodes]
    if builtin not in codes:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        code.version = 1
        model.operatorCodes.append(code)
        codes.append(builtin)
    operator = schema.OperatorT()
    operator.opcodeIndex = codes.index(builtin)
    operator.inputs = np.array(inputs, np.int32)
    operator.outputs = np.array([output], np.int32)
    operator.builtinOptions = options
    kind = type(options).__name__.removesuffix("T")
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
    return operator


def _four_bits(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (G*H, H) as pairs in bytes, the first in the lower half, and scales."""
    largest = np.abs(weights).max(axis=1, keepdims=True)
    least = np.full_like(largest, np.inf)
    best, scales = np.zeros_like(weights), np.ones_like(largest)
    for part in np.linspace(0.6, 1, 17):
        scale = np.maximum(part * largest / 7, np.float32(1e-30))
        rounded = np.clip(np.round(weights / scale), -8, 7)
        error = np.square(rounded * scale - weights).sum(axis=1, keepdims=True)
        better = error < least
        best = np.where(better, rounded, best)
        scales, least = np.where(better, scale, scales), np.where(better, error, least)
    halves = best.astype(np.int8).view(np.uint8).reshape(-1) & 15
    halves = np.append(halves, np.zeros(halves.size % 2, np.uint8))
    return halves[0::2] | halves[1::2] << 4, scales[:, 0].astype(np.float32)


def _pack(model: schema.ModelT) -> bytes:
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
