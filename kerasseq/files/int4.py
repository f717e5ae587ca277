"""Four bits for the matrices that multiply a state."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kerasseq.files.slim import pack


def quantize_recurrent_kernels(flatbuffer: bytes) -> bytes:
    """Store the matrices that multiply a state, most of the weights, in four bits.

    They tolerate rounding best, since its errors average out over many steps. Each row
    gets the scale with the smallest sum of squared errors, between 0.6 of its largest
    weight and all of it.

    Args:
        flatbuffer: in eight bits, with a signature `step` and states `state_0` etc.
    """
    model = schema.ModelT.InitFromPackedBuf(flatbuffer)
    step = next(each for each in model.signatureDefs if each.signatureKey == b"step")
    graph = model.subgraphs[step.subgraphIndex]
    states = {end.tensorIndex for end in step.inputs if end.name.startswith(b"state_")}
    # A product reads a state that was rounded, and the constants of its scale.
    simple = schema.AddOptionsT | schema.SubOptionsT | schema.ConcatenationOptionsT
    constants = {
        index
        for index, tensor in enumerate(graph.tensors)
        if model.buffers[tensor.buffer].data is not None
    }
    for operator in graph.operators:
        first, *others = operator.inputs
        if (
            isinstance(operator.builtinOptions, simple)
            and first in states
            and constants.issuperset(others)
        ):
            states.add(operator.outputs[0])
    kernels = {
        graph.tensors[operator.inputs[1]].buffer
        for operator in graph.operators
        if operator.inputs[0] in states
        and graph.tensors[operator.inputs[1]].type == schema.TensorType.INT8
    }
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    # A constant of another type with the same bytes can share a kernel's buffer.
    kernels -= {each.buffer for each in tensors if each.type != schema.TensorType.INT8}
    scales = {}
    for tensor in tensors:
        if tensor.buffer not in kernels:
            continue
        if tensor.buffer not in scales:
            buffer = model.buffers[tensor.buffer]
            weights = buffer.data.view(np.int8).reshape(tensor.shape)
            weights = weights * tensor.quantization.scale[:, None]
            buffer.data, scales[tensor.buffer] = _four_bits(weights)
        tensor.type = schema.TensorType.INT4
        tensor.quantization.scale = scales[tensor.buffer]
    return pack(model)


def _four_bits(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (G*H, H) as pairs in bytes, the first in the lower half, and scales."""
    largest = np.abs(weights).max(axis=1, keepdims=True)
    least = np.full_like(largest, np.inf)
    best, scales = np.zeros_like(weights), np.ones_like(largest)
    for fraction in np.linspace(0.6, 1, 17):
        scale = np.maximum(fraction * largest / 7, np.float32(1e-30))
        rounded = np.clip(np.round(weights / scale), -8, 7)
        error = np.square(rounded * scale - weights).sum(axis=1, keepdims=True)
        better = error < least
        best = np.where(better, rounded, best)
        scales, least = np.where(better, scale, scales), np.where(better, error, least)
    halves = best.astype(np.int8).view(np.uint8).reshape(-1) & 15
    halves = np.append(halves, np.zeros(halves.size % 2, np.uint8))
    return halves[0::2] | halves[1::2] << 4, scales[:, 0].astype(np.float32)
