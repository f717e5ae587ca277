"""Training on several machines: TensorFlow's own cluster, and sums over its workers.

Each machine runs the same command, and `TF_CONFIG` names them all, as TensorFlow's
guide "Multi-worker training" describes. The strategy is only the server and the sum;
models and variables stay outside its scope. The first worker is the chief: it alone
prints and writes. Without `TF_CONFIG`, a process is alone.

Shapes: W workers, N their numbers.
"""

import contextlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from kerasseq.training.cluster import Task, form_cluster, read_cluster


class Workers:
    """The processes that train one model; one that is alone sums and shares nothing.

    Args:
        tasks: W workers, the chief first; none for a process that is alone.
        rank: N, of this one.
        strategy: of TensorFlow, which sums.

    Attributes:
        count: W.
        rank: N.
        is_chief: whether this process prints and writes.
    """

    def __init__(
        self,
        tasks: list[Task] | None = None,
        rank: int = 0,
        strategy: tf.distribute.Strategy | None = None,
    ) -> None:
        self._tasks = tasks or []
        self.count = max(1, len(self._tasks))
        self.rank = rank
        self.is_chief = rank == 0
        self._strategy = strategy
        # One program for vectors of all lengths.
        self._sum_now = tf.function(
            self.sum,
            autograph=False,
            input_signature=[tf.TensorSpec([None], tf.int32)],
        )

    def sum(self, vector: tf.Tensor) -> tf.Tensor:
        """The sum of all workers' vectors, the same bits for each, inside a graph."""

        def total(own: tf.Tensor) -> tf.Tensor:
            replica = tf.distribute.get_replica_context()
            # Without the identity, TensorFlow finds no device for the sum.
            return replica.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(own))

        return self._strategy.run(total, (vector,)) if self._strategy else vector

    def exchange(self, data: bytes) -> list[bytes]:
        """What each worker gives, by rank. All call this at the same point."""
        if self.count == 1:
            return [data]
        lengths = np.zeros(self.count, np.int32)
        lengths[self.rank] = len(data)
        lengths = self._sum_now(tf.constant(lengths)).numpy()
        # Whole numbers of 32 bits; the sum of one with zeros is that one.
        sizes = -(-lengths // 4)
        ends = np.cumsum(sizes)
        vector = np.zeros(ends[-1], np.int32)
        padded = data.ljust(4 * int(sizes[self.rank]), b"\0")
        start = ends[self.rank] - sizes[self.rank]
        vector[start : ends[self.rank]] = np.frombuffer(padded, np.int32)
        parts = np.split(self._sum_now(tf.constant(vector)).numpy(), ends[:-1])
        return [
            part.tobytes()[:length] for part, length in zip(parts, lengths, strict=True)
        ]

    def from_chief(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The chief's arrays by name; what the others give is not looked at."""
        if self.count == 1:
            return dict(arrays)
        packed = io.BytesIO()
        if self.is_chief:
            np.savez(packed, allow_pickle=False, **arrays)
        first = self.exchange(packed.getvalue())[0]
        with np.load(io.BytesIO(first)) as file:
            return {name: file[name] for name in file}

    def number_from_chief(self, measure: Callable[[], float]) -> float:
        """A number that the chief alone measures, while the others wait."""
        own = {"number": np.array(measure() if self.is_chief else 0.0)}
        return float(self.from_chief(own)["number"])

    def all_rows(self, array: np.ndarray) -> np.ndarray:
        """The rows of all workers, from this one's."""
        if self.count == 1:
            return array
        found = self.exchange(np.ascontiguousarray(array).tobytes())
        parts = [np.frombuffer(each, array.dtype) for each in found]
        return np.concatenate(parts).reshape(-1, *array.shape[1:])

    def own_rows(self, array: np.ndarray) -> np.ndarray:
        """This worker's rows, from those of all."""
        return np.split(array, self.count)[self.rank] if self.count > 1 else array

    def share_of(self, rows: int) -> int:
        """How many of a batch's rows each worker has.

        Raises:
            ValueError: they cannot be shared evenly.
        """
        if rows % self.count:
            fitting = [n for n in range(1, rows + 1) if rows % n == 0]
            raise ValueError(
                f"{self.count} workers cannot share the {rows} rows of a batch evenly; "
                f"start one of {', '.join(map(str, fitting))}, or give another --batch"
            )
        return rows // self.count

    def agree(self, plan: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Plan a run, and make sure that all workers plan the same.

        Args:
            plan: gives this worker's plans by name; each has a checkpoint.

        Raises:
            ValueError: a worker's plan fails, or differs; the message names the first
                difference.
        """
        if self.count == 1:
            return plan()
        failed: ValueError | None = None
        told: dict[str, Any] = {}
        plans: dict[str, Any] = {}
        try:
            plans = plan()
            told = {name: each.checkpoint.run for name, each in plans.items()}
        except ValueError as error:
            failed, told = error, {"error": str(error)}
        found = [json.loads(each) for each in self.exchange(json.dumps(told).encode())]
        if failed:
            raise failed
        for task, other in zip(self._tasks, found, strict=True):
            if "error" in other:
                raise ValueError(f"{task} cannot begin: {other['error']}")
        if difference := first_difference(found):
            rank, name, value, expected = difference
            raise ValueError(
                f"{self._tasks[rank]} has another {name}, {value!r}, than the chief, "
                f"{expected!r}; start all with the same command and the same text"
            )
        return plans

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Let the chief alone print in the block, and say which worker was lost.

        Raises:
            ConnectionError: a worker ended, does not answer, or cannot be reached.
        """
        with contextlib.ExitStack() as after:
            if not self.is_chief:
                quiet = after.enter_context(open(os.devnull, "w"))  # noqa: PTH123
                after.enter_context(contextlib.redirect_stdout(quiet))
            try:
                yield
            except tf.errors.OpError as error:
                message = str(error)
                if self.count == 1 or not re.search(r"[Cc]ollective|Coord", message):
                    raise
                lost = self._lost(message)
                raise ConnectionError(
                    f"{lost} has ended, does not answer or cannot be reached; "
                    "start all workers again with --resume"
                ) from None

    def _lost(self, message: str) -> str:
        """The worker that an error of TensorFlow is about."""
        for job, index in re.findall(r"/job:(\w+)(?:/replica:0)?/task:(\d+)", message):
            for rank, task in enumerate(self._tasks):
                if (task.job, task.number) == (job, int(index)) and rank != self.rank:
                    return str(task)
        # Signs of life go to the chief.
        return "another worker" if self.is_chief else str(self._tasks[0])


def first_difference(
    settings: list[dict[str, dict[str, Any]]],
) -> tuple[int, str, Any, Any] | None:
    """Where a worker's settings differ first from the chief's.

    Args:
        settings: of each worker, by the name of a part and their own.

    Returns:
        The worker's rank, the name of the setting, its value, and the chief's.
    """
    expected, *others = settings
    for rank, own in enumerate(others, 1):
        if own.keys() != expected.keys():
            return rank, "choice of parts", ", ".join(own), ", ".join(expected)
        for part, values in expected.items():
            for name in {**values, **own[part]}:
                if values.get(name) != own[part].get(name):
                    return rank, name, own[part].get(name), values.get(name)
    return None


_joined = [Workers()]


def workers() -> Workers:
    """The workers that this process has joined; alone until `join`."""
    return _joined[0]


def join() -> Workers:
    """Join the workers that `TF_CONFIG` names, once in a process.

    Raises:
        ValueError, ConnectionError: as `read_cluster` and `form_cluster`.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text or _joined[0].count > 1:
        return _joined[0]
    tasks, rank = read_cluster(text)
    if len(tasks) == 1:
        return _joined[0]
    _joined[0] = Workers(tasks, rank, form_cluster(tasks, rank))
    return _joined[0]
