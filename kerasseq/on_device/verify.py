"""Check a model before a runtime sees it: a runtime believes what it is given."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

if __package__:
    from .flatbuffer import Graph, Operator, read
    from .loops import check_loops
    from .operators import GATHER, IF, OPERATIONS, OPTIONS, TYPES, WHILE
    from .shapes import Ends, Tensor
else:  # copied: beside one another
    from flatbuffer import Graph, Operator, read  # type: ignore[no-redef]
    from loops import check_loops  # type: ignore[no-redef]
    from operators import (  # type: ignore[no-redef]
        GATHER,
        IF,
        OPERATIONS,
        OPTIONS,
        TYPES,
        WHILE,
    )
    from shapes import Ends, Tensor  # type: ignore[no-redef]

QUANTIZED = 9, 17
MOST_BYTES = 2**28  # of one tensor; of all together four times as many


def verify(flatbuffer: bytes, vocabulary_size: int) -> dict[str, Ends]:
    """The signatures of a model that a runtime may see.

    Args:
        flatbuffer: the model.
        vocabulary_size: how many rows its embedding must have.

    Raises:
        ValueError: it is not as an export makes it; the message says what is wrong.
    """
    model = read(flatbuffer, OPTIONS)
    size = 0
    for graph in model.graphs:
        size += _check_tensors(graph)
        _check_order(graph)
        for operator in graph.operators:
            _check_operator(graph, operator)
    if size > 4 * MOST_BYTES:
        raise ValueError(f"its tensors take {size:,} bytes")
    check_loops(flatbuffer, model.graphs, _check_calls(model.graphs))
    gathered = {
        graph.tensors[operator.inputs[0]].shape[:1]
        for graph in model.graphs
        for operator in graph.operators
        if operator.code == GATHER
    }
    if (vocabulary_size,) not in gathered:
        raise ValueError(f"it has no embedding of {vocabulary_size} rows")
    return {
        name: _signature(name, model.graphs[index], inputs, outputs)
        for name, (index, inputs, outputs) in model.signatures.items()
    }


def _signature(
    name: str, graph: Graph, inputs: Mapping[str, int], outputs: Mapping[str, int]
) -> Ends:
    """Types and shapes of a signature, which must have all that its graph has."""
    if sorted(inputs.values()) != sorted(graph.inputs) or sorted(
        outputs.values()
    ) != sorted(graph.outputs):
        raise ValueError(f"the signature {name[:60]!r} is not that of its graph")

    def tensors(names: Mapping[str, int]) -> dict[str, Tensor]:
        found = ((key, graph.tensors[index]) for key, index in names.items())
        return {key: (TYPES[each.kind][1], each.shape) for key, each in found}

    return tensors(inputs), tensors(outputs)


def _check_tensors(graph: Graph) -> int:
    """Check types and sizes of all tensors; returns their bytes together."""
    total = 0
    for tensor in graph.tensors:
        if tensor.kind not in TYPES or len(tensor.shape) > 8:
            raise ValueError(f"a tensor has the type {tensor.kind}")
        if any(size < 1 for size in tensor.shape):
            raise ValueError(f"a tensor has the shape {list(tensor.shape)}")
        size = -(-math.prod(tensor.shape) * TYPES[tensor.kind][2] // 8)
        if size > MOST_BYTES:
            raise ValueError(f"a tensor has the shape {list(tensor.shape)}")
        total += size
        if tensor.data and tensor.data[1] - tensor.data[0] != size:
            raise ValueError(
                f"a constant of shape {list(tensor.shape)} has "
                f"{tensor.data[1] - tensor.data[0]} bytes, not {size}"
            )
        if not all(0 < scale < math.inf for scale in tensor.scales):
            raise ValueError(f"a tensor has the scales {tensor.scales[:9]}")
        rows = tensor.shape[0] if tensor.shape else 1
        if tensor.kind in QUANTIZED and len(tensor.scales) not in (0, 1, rows):
            raise ValueError(f"{rows} rows have {len(tensor.scales)} scales")
    return total


def _check_order(graph: Graph) -> None:
    """Check that every tensor is made once, and before it is used."""
    count = len(graph.tensors)
    made = {i for i, tensor in enumerate(graph.tensors) if tensor.data}

    def use(indices: Sequence[int]) -> None:
        if any(index not in made for index in indices):
            raise ValueError("a tensor is used before it is made")

    def make(indices: Sequence[int]) -> None:
        for index in indices:
            if index in made or not 0 <= index < count:
                raise ValueError("a tensor is made twice")
            made.add(index)

    make(graph.inputs)
    for operator in graph.operators:
        use([index for index in operator.inputs if index != -1])
        make(operator.outputs)
    use(graph.outputs)


def _check_operator(graph: Graph, operator: Operator) -> None:
    """Check that an operation is one that an export uses, on tensors of its types."""
    operation = OPERATIONS.get(operator.code)
    if operation is None:
        raise ValueError(f"operation {operator.code} is none that an export uses")

    def letters(indices: Sequence[int]) -> str:
        found = ""
        for index in indices:
            tensor = graph.tensors[index]
            letter = "-" if index == -1 else TYPES[tensor.kind][0]
            found += letter.upper() if tensor.data and index != -1 else letter
        return found

    types = f"{letters(operator.inputs)}>{letters(operator.outputs)}"
    if operation.union != operator.union and operator.union:
        raise ValueError(f"{operation.name} has the options of another operation")
    if not operation.types.fullmatch(types):
        raise ValueError(f"{operation.name} cannot have the types {types}")
    # A runtime believes these two numbers.
    for name, ends in (("SPLIT", operator.outputs), ("PACK", operator.inputs)):
        if operation.name == name and operator.options.get(0, 0) != len(ends):
            raise ValueError(f"{name} is of {operator.options.get(0)}, not {len(ends)}")


def _check_calls(graphs: Sequence[Graph]) -> list[int]:
    """Check that loops and branches call graphs that fit, and never themselves.

    Returns:
        The numbers of the graphs, each after those that it calls.
    """
    order: list[int] = []
    calls: dict[int, set[int]] = {}
    for number, graph in enumerate(graphs):
        calls[number] = set()
        for operator in graph.operators:
            if operator.code not in (IF, WHILE):
                continue
            called = [operator.options.get(field, 0) for field in (0, 1)]
            for field, index in enumerate(called):
                if not 0 <= index < len(graphs):
                    raise ValueError("a loop calls a graph that is not there")
                _check_call(graph, operator, graphs[index], field)
            calls[number] |= set(called)
    # Take away graphs that call none that is left; a circle stays.
    while ready := {number for number, called in calls.items() if not called}:
        order += ready
        calls = {n: called - ready for n, called in calls.items() if n not in ready}
    if calls:
        raise ValueError("a loop calls itself")
    return order


def _check_call(graph: Graph, operator: Operator, other: Graph, field: int) -> None:
    def tensors(of: Graph, indices: Sequence[int]) -> list[Any]:
        return [(of.tensors[i].kind, of.tensors[i].shape) for i in indices]

    loop = operator.code == WHILE
    inputs = tensors(graph, operator.inputs if loop else operator.inputs[1:])
    outputs = tensors(graph, operator.outputs)
    if loop and field == 0:
        outputs = [(6, ())]
    if (
        tensors(other, other.inputs) != inputs
        or tensors(other, other.outputs) != outputs
    ):
        raise ValueError("a loop calls a graph with other tensors")
