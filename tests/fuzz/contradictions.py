"""Changes of a flatbuffer's parts that belong together: each is whole by itself."""

import random
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from kerasseq.files.slim import pack
from tests.fuzz.hostile import NUMBERS, Sample


def _tensors(chance: random.Random, model: Any) -> list[Any]:
    return chance.choice(model.subgraphs).tensors


def _operators(chance: random.Random, model: Any) -> list[Any]:
    return chance.choice([each for each in model.subgraphs if each.operators]).operators


def _swap_ends(chance: random.Random, model: Any) -> None:
    """Names of a signature's tensors exchanged, or taken from another's."""
    ends = [each.inputs for each in model.signatureDefs]
    ends += [each.outputs for each in model.signatureDefs]
    one, other = chance.choice(chance.choice(ends)), chance.choice(chance.choice(ends))
    name = chance.choice(["name", "tensorIndex"])
    kept = getattr(one, name)
    setattr(one, name, getattr(other, name))
    setattr(other, name, kept)


def _swap_graph_ends(chance: random.Random, model: Any) -> None:
    """The order of a graph's inputs or outputs, which calls depend on."""
    graph, name = chance.choice(model.subgraphs), chance.choice(["inputs", "outputs"])
    found = list(getattr(graph, name))
    chance.shuffle(found)
    if found and chance.random() < 0.3:
        found[0] = chance.choice([*found, chance.randrange(len(graph.tensors))])
    setattr(graph, name, np.array(found, np.int32))


def _quantize(chance: random.Random, model: Any) -> None:
    """Scales, zeros and ranges of another length, or no numbers."""
    tensor = chance.choice(_tensors(chance, model))
    if chance.random() < 0.8:
        scaled = [
            each
            for graph in model.subgraphs
            for each in graph.tensors
            if each.quantization and each.quantization.scale is not None
        ]
        tensor = chance.choice(scaled or [tensor])
    how = schema.QuantizationParametersT()
    count = chance.choice([1, 1, 2, *tensor.shape, 10**5])
    odd = chance.choice([1.0, 0.0, -1.0, np.nan, np.inf, 1e-45, 3e38])
    how.scale = np.full(count, chance.choice([0.01, odd]), np.float32)
    how.scale[chance.randrange(count)] = odd
    zeros = chance.choice([0, count, count, count + 1])
    how.zeroPoint = np.full(zeros, chance.choice([0, 0, 3, -(2**63)]), np.int64)
    how.quantizedDimension = chance.choice([0, 0, 1, -1, 2**31 - 1])
    if chance.random() < 0.2:
        how.min = how.max = np.array([np.nan], np.float32)
    tensor.quantization = how


def _make_sparse(chance: random.Random, model: Any) -> None:
    sparsity, size = schema.SparsityParametersT(), schema.DimensionMetadataT()
    size.format, size.denseSize = chance.choice([0, 1]), chance.choice(NUMBERS)
    sparsity.traversalOrder = np.array([chance.choice(NUMBERS)] * 2, np.int32)
    sparsity.dimMetadata = [size] * chance.randrange(3)
    chance.choice(_tensors(chance, model)).sparsity = sparsity


def _share_buffer(chance: random.Random, model: Any) -> None:
    """One buffer for two tensors, of which one is a variable or is computed."""
    one, other = (chance.choice(_tensors(chance, model)) for _ in range(2))
    one.buffer = other.buffer
    if chance.random() < 0.5:
        chance.choice([one, other]).isVariable = True
    if chance.random() < 0.5:
        one.shape, one.type = other.shape, other.type
        one.shapeSignature = other.shapeSignature


def _point_outside(chance: random.Random, model: Any) -> None:
    """A buffer behind the flatbuffer, as that of a model above 2 GB."""
    buffer = chance.choice(model.buffers)
    buffer.offset, buffer.size = (
        chance.choice([2, 99, 2**40, 2**64 - 1]) for _ in "ab"
    )
    if chance.random() < 0.7:
        buffer.data = None


def _recur(chance: random.Random, model: Any) -> None:
    """Loops, branches and signatures of other graphs."""
    calls = [
        operator.builtinOptions
        for graph in model.subgraphs
        for operator in graph.operators
        if type(operator.builtinOptions).__name__
        in ("WhileOptionsT", "IfOptionsT", "CallOnceOptionsT")
    ]
    number = chance.choice([*range(len(model.subgraphs)), 2**31 - 1, -1])
    if calls and chance.random() < 0.8:
        call = chance.choice(calls)
        setattr(call, chance.choice(sorted(vars(call))), number)
    else:
        chance.choice(model.signatureDefs).subgraphIndex = number % 2**32
    if chance.random() < 0.2:
        chance.shuffle(model.subgraphs)


def _other_code(chance: random.Random, model: Any) -> None:
    """An operation of another number, in the old field, the new one or a name."""
    code = chance.choice(model.operatorCodes)
    way = chance.randrange(5)
    if way == 0:
        code.builtinCode = chance.choice([32, *range(210), 2**31 - 1, -1])
    elif way == 1:
        code.deprecatedBuiltinCode = chance.choice([127, -128, -1, *range(127)])
    elif way == 2:
        code.customCode = chance.choice([b"FlexAdd", b"", b"\xff", b"TFLite_Detection"])
        code.builtinCode = chance.choice([32, code.builtinCode])
    elif way == 3:
        code.version = chance.choice([0, -1, 2, 5, 2**31 - 1])
    else:
        model.operatorCodes.append(code)
        chance.choice(_operators(chance, model)).opcodeIndex = chance.randrange(
            len(model.operatorCodes) + 1
        )


def _add_metadata(chance: random.Random, model: Any) -> None:
    each = schema.MetadataT()
    each.name = chance.choice([b"min_runtime_version", b"TFLITE_METADATA", b"\xff"])
    each.buffer = chance.choice([0, 1, len(model.buffers), 2**32 - 1])
    model.metadata = [each] * chance.choice([1, 1000])
    if chance.random() < 0.3:
        model.metadataBuffer = np.array([chance.choice(NUMBERS)], np.int32)


def _reshape(chance: random.Random, model: Any) -> None:
    """Products beyond 32 and 64 bits, and beyond any memory; sizes of 0 and below."""
    graph = chance.choice(model.subgraphs)
    tensor = chance.choice(graph.tensors)
    shape = chance.choice(
        [
            *([2**16] * 2, [2**31 - 1] * 3, [2**22] * 3, [2**31 - 1, 2, 2, 2, 2]),
            *([0], [-1], [1, 0], [2**28], [2**26 + 1], [1] * 9, [], [2**32 // 6 + 1]),
        ]
    )
    found = list(tensor.shape)
    if found and chance.random() < 0.6:
        found[chance.randrange(len(found))] = chance.choice(
            [*NUMBERS, max(found), found[0] + 1]
        )
        shape = found
    tensor.shape = np.array(shape, np.int32)
    tensor.shapeSignature = chance.choice(
        [
            None,
            tensor.shape,
            np.full(len(shape), -1, np.int32),
            np.array([-1], np.int32),
        ]
    )
    tensor.hasRank = chance.random() < 0.8
    if chance.random() < 0.3:
        tensor.type = chance.choice([*range(20), 127])


def _other_options(chance: random.Random, model: Any) -> None:
    """Options of another operation, or of a newer kind."""
    operator = chance.choice(_operators(chance, model))
    other = chance.choice(_operators(chance, model))
    way = chance.randrange(5)
    if way == 0:
        operator.builtinOptions = other.builtinOptions
        operator.builtinOptionsType = other.builtinOptionsType
    elif way == 1:
        operator.builtinOptionsType = chance.choice([*range(127), 255])
    elif way == 2:
        operator.builtinOptions, operator.builtinOptionsType = None, 0
    elif way == 3:
        operator.opcodeIndex = other.opcodeIndex
    else:
        operator.customOptions = np.zeros(chance.choice([0, 4, 999]), np.uint8)
        operator.largeCustomOptionsOffset = chance.choice([0, 2, 2**63])
        operator.largeCustomOptionsSize = chance.choice([0, 2, 2**63])


def _other_ends(chance: random.Random, model: Any) -> None:
    """An operation on other tensors, on none, or on its own output."""
    operators = _operators(chance, model)
    operator = chance.choice(operators)
    name = chance.choice(["inputs", "outputs"])
    found = list(getattr(operator, name))
    new = chance.choice(
        [-1, *operator.inputs, *operator.outputs, len(found), 2**31 - 1]
    )
    new = chance.choice([new, *chance.choice(operators).inputs])
    if found and chance.random() < 0.7:
        found[chance.randrange(len(found))] = new
    else:
        found.append(new)
    setattr(operator, name, np.array(found, np.int32))
    if chance.random() < 0.2:
        operator.mutatingVariableInputs = [True] * len(operator.inputs)
    if chance.random() < 0.2:
        operator.intermediates = np.array([new], np.int32)


MEANINGS = (
    *(_swap_ends, _swap_graph_ends, _quantize, _make_sparse, _share_buffer),
    *(_point_outside, _recur, _other_code, _add_metadata, _reshape, _other_options),
    _other_ends,
)


def change_meaning(chance: random.Random, sample: Sample) -> bytes:
    """Change what belongs together, so that the parts contradict one another."""
    model = schema.ModelT.InitFromPackedBuf(sample.flatbuffer)
    for _ in range(chance.choice([1, 1, 2])):
        chance.choice(MEANINGS)(chance, model)
    return pack(model)
