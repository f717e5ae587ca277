"""Check that the loops of a model end, after a bounded number of operations."""

import struct
from collections.abc import Sequence
from typing import TypeAlias

if __package__:
    from .flatbuffer import Graph, Operator
    from .operators import IF, OPERATIONS, WHILE
    from .tokens import CHUNK
else:  # copied: beside one another
    from flatbuffer import Graph, Operator  # type: ignore[no-redef]
    from operators import IF, OPERATIONS, WHILE  # type: ignore[no-redef]
    from tokens import CHUNK  # type: ignore[no-redef]

# Operations of one answer. A Transformer of 100 blocks on a context of two characters
# has half of them, and any other export far fewer.
MOST_OPERATIONS = 2**31
# The least and the most that a whole number can be; None if that is not known.
Range: TypeAlias = tuple[int, int] | None


def check_loops(
    flatbuffer: bytes, graphs: Sequence[Graph], order: Sequence[int]
) -> None:
    """Check that each loop counts from zero up to a bound, and how often all run.

    A bound is a constant, or comes from an input, which holds no more than the tokens
    of a call.

    Args:
        flatbuffer: the model.
        graphs: of the model.
        order: their numbers, each after those of the graphs that it calls.

    Raises:
        ValueError: a loop is of another form, or an answer takes too many operations.
    """
    passed: dict[int, list[Range]] = {
        number: [(0, CHUNK)] * len(graph.inputs) for number, graph in enumerate(graphs)
    }
    turns: dict[tuple[int, int], int] = {}
    for number in reversed(order):
        graph = graphs[number]
        known = _constants(flatbuffer, graph)
        known |= dict(zip(graph.inputs, passed[number], strict=True))
        for index, operator in enumerate(graph.operators):
            given = [known.get(each) for each in operator.inputs]
            if operator.code == WHILE:
                turns[number, index], given = _loop(flatbuffer, graphs, operator, given)
            elif operator.code == IF:
                given = given[1:]
            else:
                known[operator.outputs[0]] = _range(operator, given)
            for each in _called(operator):
                passed[each] = [
                    one and other and (min(one[0], other[0]), max(one[1], other[1]))
                    for one, other in zip(passed[each], given, strict=True)
                ]
    counts: dict[int, int] = {}
    for number in order:
        counts[number] = len(graphs[number].operators)
        for index, operator in enumerate(graphs[number].operators):
            each_time = sum(counts[each] for each in _called(operator))
            counts[number] += turns.get((number, index), 1) * each_time
        if counts[number] > MOST_OPERATIONS:
            raise ValueError(f"it takes {counts[number]:,} operations")


def _called(operator: Operator) -> list[int]:
    """The graphs that an operation calls."""
    if operator.code not in (IF, WHILE):
        return []
    return [operator.options.get(field, 0) for field in (0, 1)]


def _loop(
    flatbuffer: bytes,
    graphs: Sequence[Graph],
    operator: Operator,
    given: Sequence[Range],
) -> tuple[int, list[Range]]:
    """How often a loop turns at most, and what its body is given.

    Its condition is that a counter is less than a bound, and perhaps more.
    """
    condition, body = (graphs[each] for each in _called(operator))
    made = {operator.outputs[0]: operator for operator in condition.operators}
    constants = _constants(flatbuffer, condition)
    inside: list[Range] = [
        each if body.outputs[at] == body.inputs[at] else None
        for at, each in enumerate(given)
    ]
    required = [condition.outputs[0]]
    for each in required:
        name = OPERATIONS[made[each].code].name if each in made else ""
        if name == "LOGICAL_AND":
            required += [more for more in made[each].inputs if more not in required]
        if name != "LESS" or made[each].inputs[0] not in condition.inputs:
            continue
        counter, bound = made[each].inputs
        at, most, limit = condition.inputs.index(counter), constants.get(bound), -1
        if bound in condition.inputs:
            most = inside[condition.inputs.index(bound)]
            limit = body.inputs[condition.inputs.index(bound)]
        step, start = _step(flatbuffer, body, at, limit), given[at]
        if not (step > 0 and most and start and start[0] >= 0):
            continue
        if most[1] + step < 2**31:  # beyond, a counter would begin again below zero
            inside[at] = start[0], max(start[0], most[1])
            return -(-max(0, most[1] - start[0]) // step), inside
    raise ValueError("a loop does not count up to a bound")


def _step(flatbuffer: bytes, body: Graph, at: int, limit: int) -> int:
    """What a body adds to a counter, at most up to a limit; 0 if it does not."""
    made = {operator.outputs[0]: operator for operator in body.operators}
    last = made.get(body.outputs[at])
    if last and OPERATIONS[last.code].name == "MINIMUM" and limit in last.inputs:
        last = made.get(last.inputs[1 - last.inputs.index(limit)])
    if last and OPERATIONS[last.code].name == "ADD":
        for one, other in (last.inputs, last.inputs[::-1]):
            added = _constants(flatbuffer, body).get(other)
            if one == body.inputs[at] and added:
                return added[0]
    return 0


def _constants(flatbuffer: bytes, graph: Graph) -> dict[int, Range]:
    """The values of constants of one whole number, by index."""
    found: dict[int, Range] = {}
    for index, tensor in enumerate(graph.tensors):
        if tensor.data and tensor.kind == 2 and tensor.data[1] - tensor.data[0] == 4:
            (value,) = struct.unpack_from("<i", flatbuffer, tensor.data[0])
            found[index] = value, value
    return found


def _range(operator: Operator, given: Sequence[Range]) -> Range:
    """The range of what an operation makes, where bounds come from."""
    name = OPERATIONS[operator.code].name
    if name in ("STRIDED_SLICE", "RESHAPE"):
        return given[0]
    if name not in ("ADD", "SUB", "MINIMUM", "MAXIMUM") or not (given[0] and given[1]):
        return None
    (least, most), (low, high) = given[0], given[1]
    if name == "MINIMUM":
        return min(least, low), min(most, high)
    if name == "MAXIMUM":
        return max(least, low), max(most, high)
    if name == "SUB":
        low, high = -high, -low
    least, most = least + low, most + high
    # Beyond these, a number would begin again at the other end.
    return (least, most) if -(2**31) <= least and most < 2**31 else None
