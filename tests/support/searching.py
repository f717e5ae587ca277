"""Translations found by plain Python, through a file's `encode` and `step` alone."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from kerasseq.on_device.model_file import Model
from kerasseq.on_device.subwords import END

START = 1
MOST_MORE = 50

# From rows before, and the id that each of them now gets, to its logits.
Read = Callable[[Sequence[int], Sequence[int]], np.ndarray]


def reading(file: Model, source: Sequence[int]) -> Read:
    """The step of a file on one source: reorders its rows, then reads an id for each.

    Args:
        file: of a translator.
        source: ids, with `END`.
    """
    signatures = file.signatures()
    source_ids = np.zeros((1, file.card["length"]), np.int32)
    source_ids[0, : len(source)] = source
    memory = {
        name: value.copy()
        for name, value in signatures["encode"](source_ids=source_ids).items()
    }
    states = {
        name: np.zeros(shape, np.float32) for name, shape in file.state_shapes().items()
    }
    num_rows = len(states["state_0"])

    def read(rows: Sequence[int], ids: Sequence[int]) -> np.ndarray:
        order = np.resize(rows, num_rows)
        outputs = signatures["step"](
            token=np.resize(ids, num_rows).astype(np.int32),
            **memory,
            **{name: value[order] for name, value in states.items()},
        )
        states.update({name: outputs[name].copy() for name in states})
        return outputs["logits"][: len(rows)].astype(np.float64)

    return read


def search_by_steps(
    file: Model, source: Sequence[int], beam_width: int, alpha: float
) -> tuple[list[int], float]:
    """The best translation of a beam search, and its score, as the contract has it."""
    ids, total = hypotheses_by_steps(file, source, beam_width, alpha)[0]
    return ids, total / ((5 + len(ids)) / 6) ** alpha


def hypotheses_by_steps(
    file: Model, source: Sequence[int], beam_width: int, alpha: float
) -> list[tuple[list[int], float]]:
    """All ids that a beam search keeps, and the logarithms of their probabilities.

    Those that ended, best first; where none did, those that were cut.
    """
    read, most = reading(file, source), most_ids(file, source)
    beams: list[tuple[list[int], float, int]] = [([], 0.0, 0)]

    def score(ids: Sequence[int], total: float) -> float:
        return total / ((5 + len(ids)) / 6) ** alpha

    for _ in range(most):
        logits = read(
            [row for *_, row in beams], [(ids or [START])[-1] for ids, *_ in beams]
        )
        largest = logits.max(axis=1, keepdims=True)
        logits -= largest + np.log(np.exp(logits - largest).sum(axis=1, keepdims=True))
        # No other continuation of a row can be among the best of all.
        best = END + np.argsort(-logits[:, END:], kind="stable")[:, :beam_width]
        found = [
            continuation
            for row, (ids, total, _) in enumerate(beams)
            for continuation in (
                [(ids, total, row)]
                if END in ids
                else [
                    ([*ids, each], total + logits[row, each], row)
                    for each in best[row].tolist()
                ]
            )
        ]
        found.sort(key=lambda each: -score(*each[:2]))
        beams = found[:beam_width]
        if all(END in ids for ids, *_ in beams):
            break
    ended = [each for each in beams if END in each[0]]
    return [(ids, total) for ids, total, _ in ended or beams]


def draw_by_steps(
    file: Model, source: Sequence[int], choose: Callable[[int, np.ndarray], int]
) -> Iterator[int]:
    """The ids of a translation, each chosen from the index of its step and logits."""
    read, last = reading(file, source), START
    for step in range(most_ids(file, source)):
        last = END + choose(step, read([0], [last])[0, END:].astype(np.float32))
        yield last
        if last == END:
            return


def most_ids(file: Model, source: Sequence[int]) -> int:
    """The most ids of a translation."""
    return min(file.card["length"], len(source) + MOST_MORE)
