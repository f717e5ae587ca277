"""One copy of a matrix that is used for both gathering and multiplying."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kerasseq.files.slim import pack


def share_gathered_weights(flatbuffer: bytes) -> bytes:
    """Store a matrix once that is used for both gathering rows and multiplying.

    In eight bits the converter writes it twice: with one scale for gathering, and with
    a scale for each row for multiplying. The second copy serves both: rows and their
    scales are gathered, and multiplied. The scales of the products are multiplied
    afterwards, since a tensor with a scale for each row needs a zero point for each
    too, of eight bytes.

    Args:
        flatbuffer: in eight bits; returned unchanged if it has no such matrix.
    """
    model = schema.ModelT.InitFromPackedBuf(flatbuffer)
    products = [
        graph.tensors[product.inputs[1]]
        for graph in model.subgraphs
        for product in _operators(model, graph, "FULLY_CONNECTED")
    ]
    shared = set()
    matrices: dict[int, np.ndarray] = {}
    for graph in model.subgraphs:
        for gather in _operators(model, graph, "GATHER"):
            table = graph.tensors[gather.inputs[0]]
            same = (each for each in products if _same_weights(model, table, each))
            matrix = next(same, None)
            row = gather.outputs[0]
            readers = [each for each in graph.operators if row in _list(each.inputs)]
            becomes_float = _operators(model, graph, "DEQUANTIZE")
            if matrix and len(readers) == 1 and readers[0] in becomes_float:
                shared.add(table.buffer)
                _gather_with_scales(model, graph, gather, readers[0], matrix)
                matrices[matrix.buffer] = matrix.quantization.scale
    for buffer, scales in matrices.items():
        _scale_products(model, buffer, scales)
    if not shared:
        return flatbuffer
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    for buffer in shared - used:
        model.buffers[buffer].data = None
    return pack(model)


def _list(array: np.ndarray | None) -> list[int]:
    """A flatbuffer's array as a list; an empty array is None there."""
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
    """Whether two int8 constants are one matrix, the second with a scale per row."""
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
    """Gather rows of a matrix together with their scales, and multiply the two."""
    table, row = (graph.tensors[ends[0]] for ends in (gather.inputs, gather.outputs))
    table.buffer = matrix.buffer
    table.quantization = row.quantization = None

    scales = matrix.quantization.scale.astype(np.float32)
    all_scales = _add_tensor(model, graph, (len(scales), 1), scales.view(np.uint8))
    scale = _add_tensor(model, graph, (*row.shape[:-1], 1))
    values = _add_tensor(model, graph, row.shape)

    options = schema.CastOptionsT()
    options.inDataType = schema.TensorType.INT8
    options.outDataType = schema.TensorType.FLOAT32
    index = graph.operators.index(dequantize)
    graph.operators[index : index + 1] = [
        _operator(model, "CAST", [gather.outputs[0]], values, options),
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
            [values, scale],
            dequantize.outputs[0],
            schema.MulOptionsT(),
        ),
    ]


def _scale_products(model: schema.ModelT, buffer: int, scales: np.ndarray) -> None:
    """Multiply products with a matrix by the scales of its rows, if all are bare."""
    products = [
        (graph, product)
        for graph in model.subgraphs
        for product in _operators(model, graph, "FULLY_CONNECTED")
        if graph.tensors[product.inputs[1]].buffer == buffer
    ]
    if any(
        product.inputs[2:].max(initial=-1) >= 0
        or product.builtinOptions.fusedActivationFunction
        for _, product in products
    ):
        return
    for graph, product in products:
        matrix = graph.tensors[product.inputs[1]]
        matrix.quantization = schema.QuantizationParametersT()
        matrix.quantization.scale = np.ones(1, np.float32)
        matrix.quantization.zeroPoint = np.zeros(1, np.int64)
        output = product.outputs[0]
        unscaled = _add_tensor(model, graph, graph.tensors[output].shape)
        product.outputs = np.array([unscaled], np.int32)
        row = scales.astype(np.float32)
        factors = _add_tensor(model, graph, row.shape, row.view(np.uint8))
        scaling = _operator(
            model, "MUL", [unscaled, factors], output, schema.MulOptionsT()
        )
        graph.operators.insert(graph.operators.index(product) + 1, scaling)


def _add_tensor(
    model: schema.ModelT,
    graph: schema.SubGraphT,
    shape: Sequence[int],
    data: np.ndarray | None = None,
) -> int:
    """Add a float32 tensor to a graph.

    Args:
        data: the bytes of a constant, uint8.

    Returns:
        The tensor's index.
    """
    same = None if data is None else _find(model, data)
    if same is None:
        model.buffers.append(schema.BufferT())
        model.buffers[-1].data = data
        same = len(model.buffers) - 1
    tensor = schema.TensorT()
    tensor.name, tensor.shape = b"", np.array(shape, np.int32)
    tensor.type = schema.TensorType.FLOAT32
    tensor.buffer = same
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _find(model: schema.ModelT, data: np.ndarray) -> int | None:
    """The index of a buffer with these bytes."""
    for index, buffer in enumerate(model.buffers):
        if buffer.data is not None and np.array_equal(buffer.data, data):
            return index
    return None


def _operator(
    model: schema.ModelT, name: str, inputs: Sequence[int], output: int, options: Any
) -> schema.OperatorT:
    """Make an operation; its kind is added to the model's kinds if it is new."""
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
