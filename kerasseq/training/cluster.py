"""The cluster that `TF_CONFIG` names, and how it forms.

`TF_CONFIG` is as TensorFlow's guide "Multi-worker training" describes it.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf
from tensorflow.python.eager import context

from kerasseq.files.reading import shortened
from kerasseq.training import cluster_watch

FORMING = 50  # seconds until all workers must be there
SILENCE = 20  # seconds without a sign of life, after which a worker is given up
EXAMPLE = (
    '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


class Task(NamedTuple):
    """A worker of a cluster: its job, its number in it, and its HOST:PORT."""

    job: str
    number: int
    address: str

    @property
    def device(self) -> str:
        return f"/job:{self.job}/replica:0/task:{self.number}"

    def __str__(self) -> str:
        return f"{self.job} {self.number} ({self.address})"


def read_cluster(text: str) -> tuple[list[Task], int]:
    """The workers that a `TF_CONFIG` names, the chief first, and which one this is.

    Raises:
        ValueError: it is not of that form; the message says what is expected.
    """
    try:
        config = json.loads(text)
        jobs, own = config["cluster"], config["task"]
        own = own["type"], int(own["index"])
        tasks = [
            Task(job, index, address)
            for job in ("chief", "worker")
            for index, address in enumerate(jobs.get(job, []))
        ]
        if others := sorted(set(jobs) - {"chief", "worker"}):
            raise ValueError(f"{', '.join(others)} of it can have nothing to do")
        if not all(re.fullmatch(r"\S+:\d+", each.address) for each in tasks):
            raise ValueError("an address is not HOST:PORT")
        rank = [(each.job, each.number) for each in tasks].index(own)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"TF_CONFIG={shortened(text)} names no workers with this one among them "
            f"({error}); it is like {EXAMPLE}"
        ) from None
    return tasks, rank


def form_cluster(tasks: Sequence[Task], rank: int) -> tf.distribute.Strategy:
    """Wait for all workers, and make TensorFlow's strategy, before its first use.

    After `FORMING` seconds the process ends, with a line that says who is missing.

    Raises:
        ValueError: TensorFlow was used before, or has several GPUs.
        ConnectionError: the workers do not find together.
    """
    if context.context()._context_handle is not None:
        raise ValueError(
            "this process has used TensorFlow before it joined the workers of "
            "TF_CONFIG; call kerasseq.train first, or unset TF_CONFIG"
        )
    others = [(str(each), each.address) for each in tasks if each is not tasks[rank]]
    with _deadline(others):
        try:
            strategy = _new_strategy(tasks)
        except (tf.errors.OpError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ConnectionError(
                f"{tasks[rank]} cannot join the other workers ({reason})"
            ) from None
    if strategy.num_replicas_in_sync != len(tasks):
        raise ValueError(
            f"{strategy.num_replicas_in_sync} devices for {len(tasks)} workers; start "
            "one process for each GPU, with its own CUDA_VISIBLE_DEVICES"
        )
    return strategy


def _new_strategy(tasks: Sequence[Task]) -> tf.distribute.Strategy:
    """TensorFlow's strategy, with a time limit after which a silent worker is lost."""
    from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2

    jobs = {job: sum(each.job == job for each in tasks) for job, *_ in tasks}
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=tasks[0].device,
        # `_deadline` ends the process before that, with a better word.
        cluster_register_timeout_in_ms=2 * FORMING * 1000,
        heartbeat_timeout_in_ms=SILENCE * 1000,
        coordinated_jobs=[
            coordination_config_pb2.CoordinatedJob(name=job, num_tasks=count)
            for job, count in jobs.items()
        ],
    )
    return tf.distribute.MultiWorkerMirroredStrategy()


@contextlib.contextmanager
def _deadline(others: list[tuple[str, str]]) -> Iterator[None]:
    """End this process unless the block ends in time.

    Another process watches, since TensorFlow stops all threads of Python while it waits
    for the others.
    """
    arguments = [str(os.getpid()), str(FORMING), json.dumps(others)]
    watch = subprocess.Popen(
        [sys.executable, "-I", "-S", cluster_watch.__file__, *arguments],
        stdin=subprocess.PIPE,
    )
    assert watch.stdin  # a pipe was asked for
    try:
        yield
    finally:
        watch.stdin.close()
        watch.wait()
