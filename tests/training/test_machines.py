"""Several workers train as one process does, and none waits for one that is lost."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.machines import ADDRESSES, SPACES, two_machines
from kerasseq.data.streams import next_character_streams
from kerasseq.training import cluster_watch
from kerasseq.training.cluster import Task, read_cluster
from kerasseq.training.workers import Workers, first_difference

ROOT = Path(__file__).parents[2]
TASKS = [Task("chief", 0, "a:1"), Task("worker", 0, "b:2"), Task("worker", 1, "c:3")]
JOBS = {"chief": ["a:1"], "worker": ["b:2", "c:3"]}
FORMING = 50  # seconds until all workers must be there


def config(jobs, job, number):
    return json.dumps({"cluster": jobs, "task": {"type": job, "index": number}})


@pytest.mark.parametrize("rank", range(3))
def test_the_chief_is_the_first_worker(rank):
    text = config(JOBS, TASKS[rank].job, TASKS[rank].number)
    assert read_cluster(text) == (TASKS, rank)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "Expecting"),
        ("[]", "indices"),
        ("{}", "cluster"),
        (config(JOBS, "worker", 2), "not in list"),
        (config(JOBS, "ps", 0), "not in list"),
        (config({**JOBS, "ps": ["d:4"]}, "chief", 0), "ps of it"),
        (config({"worker": ["a", "b:1"]}, "worker", 0), "HOST:PORT"),
        (config({"worker": 3}, "worker", 0), "not iterable"),
        (config(JOBS, "worker", "x"), "invalid literal"),
    ],
)
def test_a_wrong_cluster_is_refused_with_an_example(text, says):
    with pytest.raises(ValueError, match=says) as error:
        read_cluster(text)
    assert str(error.value).startswith("TF_CONFIG=")
    assert '{"cluster": {"worker": [' in str(error.value)


def test_readers_share_the_streams_of_one():
    ids = np.arange(6 * 5 * 4 + 1)
    whole = list(next_character_streams(ids, 6, 5).as_numpy_iterator())
    parts = [
        list(next_character_streams(ids, 6, 5, rank, 3).as_numpy_iterator())
        for rank in range(3)
    ]
    assert len(whole) == 4
    for batch, own in zip(whole, zip(*parts, strict=True), strict=True):
        for array, *rows in zip(batch, *own, strict=True):
            np.testing.assert_array_equal(np.concatenate(rows), array)


def test_rows_that_cannot_be_shared_are_refused():
    assert Workers(TASKS).share_of(6) == 2
    with pytest.raises(ValueError, match=r"the 32 rows.*1, 2, 4"):
        Workers(TASKS).share_of(32)


def test_what_workers_give_arrives_with_each():
    """Bytes of any length, and the rows of all, from sums of numbers of 32 bits."""
    given = [b"", b"abcde", b"\xff" * 8]
    totals = []
    for _ in range(2):
        vectors = []
        for rank, data in enumerate(given):
            known = iter(totals)

            def add(vector, known=known, vectors=vectors):
                for total in known:
                    return tf.constant(total)
                vectors.append(vector.numpy())
                raise StopIteration  # the sum needs the vectors of the others

            team = Workers(TASKS, rank)
            team._sum_now = add
            with pytest.raises(StopIteration):
                team.exchange(data)
        totals.append(sum(vectors))
    for rank, data in enumerate(given):
        team, known = Workers(TASKS, rank), iter(totals)
        team._sum_now = lambda vector, known=known: tf.constant(next(known))
        assert team.exchange(data) == given


def test_the_first_difference_of_settings_is_named():
    run = {"char_rnn": {"units": 5, "seed": 0}}
    assert first_difference([run, run]) is None
    other = {"char_rnn": {"units": 5, "seed": 1}}
    assert first_difference([run, run, other]) == (2, "seed", 1, 0)
    more = {"char_rnn": {"units": 5, "seed": 0, "from": "x"}}
    assert first_difference([run, more]) == (1, "from", "x", None)
    parts = {**run, "next_word": {}}
    assert first_difference([run, parts])[:2] == (1, "choice of parts")


@pytest.mark.parametrize(
    ("message", "rank", "lost"),
    [
        ("unhealthy: /job:worker/replica:0/task:1", 0, "worker 1 (c:3)"),
        ("from /job:worker/task:0 to /job:chief/task:0", 1, "chief 0 (a:1)"),
        ("Deadline Exceeded, Heartbeat", 2, "chief 0 (a:1)"),
        ("Deadline Exceeded", 0, "another worker"),
    ],
)
def test_an_error_names_who_was_lost(message, rank, lost):
    assert Workers(TASKS, rank)._lost(message) == lost


def test_who_does_not_listen_is_missing():
    with socket.create_server(("127.0.0.1", 0)) as there, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        others = [
            ("worker 0", f"127.0.0.1:{there.getsockname()[1]}"),
            ("worker 1", f"127.0.0.1:{closed.getsockname()[1]}"),
        ]
        absent = cluster_watch.missing(others, 0.2)
    assert absent == ["worker 1"]
    assert "worker 1 did not come within 9 seconds" in cluster_watch.line(
        others, absent, 9
    )
    assert "worker 0, worker 1 did not answer" in cluster_watch.line(others, [], 9)


# Processes, on the loopback.


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefgh"), 4)) for _ in range(30)]
    path.write_text(" ".join(rng.choice(words, 12_000)))
    return path


class Team:
    """The workers of a run, each on one core."""

    def __init__(
        self,
        text,
        out,
        count,
        *options,
        accidents=(),
        seconds=FORMING,
        line="float32",
        hosts=None,
    ):
        self.out, self.count = out, count
        ports = free_ports(count) if count > 1 else []
        # By the name of each one's network namespace, or none.
        hosts = hosts or {rank: "127.0.0.1" for rank in range(count)}
        addresses = [
            f"{host}:{port}" for host, port in zip(hosts.values(), ports, strict=False)
        ]
        self.names = [f"worker {n} ({each})" for n, each in enumerate(addresses)]
        self.processes = []
        for rank in range(count):
            number, epoch = dict(accidents).get(rank, (0, 0))
            if number is None:  # it never comes
                self.processes.append(None)
                continue
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            if count > 1:
                jobs = {"worker": addresses}
                environment["TF_CONFIG"] = config(jobs, "worker", rank)
            own = out if rank == 0 else out.with_name(f"{out.name}_{rank}")
            arguments = [
                *("-m", "tests.support.worker", str(int(number)), str(epoch)),
                *(str(seconds), line, str(text)),
                *("--out", str(own), "--only", "char_rnn"),
                *("--units", "16", "--epochs", "24", "--dropout", "0.1"),
                *(each.format(rank=rank) for each in options),
            ]
            space = list(hosts)[rank]
            inside = ["ip", "netns", "exec", space] if isinstance(space, str) else []
            cores = {rank % os.cpu_count()} if count > 1 else None
            self.processes.append(
                subprocess.Popen(
                    [*inside, sys.executable, *arguments],
                    cwd=ROOT,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    preexec_fn=cores and (lambda c=cores: os.sched_setaffinity(0, c)),
                )
            )

    def end(self, *frozen):
        """Exit codes, outputs and lines of errors; frozen ones are not waited for."""
        results = {}
        waited = [n for n, each in enumerate(self.processes) if each]
        try:
            for rank in [n for n in waited if n not in frozen]:
                process = self.processes[rank]
                out, err = process.communicate(timeout=100)
                results[rank] = process.returncode, out, err.splitlines()
        finally:
            for rank in waited:
                self.processes[rank].kill()
                self.processes[rank].communicate()
        return results


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def arrays(out):
    with np.load(out / "char_rnn" / "checkpoint.npz") as file:
        return {name: file[name] for name in file if file[name].dtype.kind in "fiu"}


def check_same(one, other, atol=2e-4):
    one, other = arrays(one), arrays(other)
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_allclose(other[name], array, rtol=10 * atol, atol=atol)


def first_loss(lines):
    (found,) = [line for line in lines if line.startswith("first loss ")]
    return float.fromhex(found.split()[-1])


@pytest.fixture(scope="module")
def alone(text, tmp_path_factory):
    """A run of one process with a core for each worker: its first loss, and OUT."""
    out = tmp_path_factory.mktemp("alone") / "out"
    ((code, _, lines),) = Team(text, out, 1).end().values()
    assert code == 0, lines
    return first_loss(lines), out


slow = pytest.mark.slow
needs_cores = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2,
    reason="two workers with a core each",
)


@slow
@needs_cores
@pytest.mark.parametrize(("line", "atol"), [("float32", 2e-4), ("bfloat16", 5e-3)])
def test_two_workers_train_as_one_process(line, atol, text, alone, tmp_path):
    loss, whole = alone
    found = Team(text, tmp_path / "out", 2, line=line).end()
    for code, _, lines in found.values():
        assert code == 0, lines
        assert first_loss(lines) == loss
    check_same(whole, tmp_path / "out", atol)
    assert (tmp_path / "out" / "char_rnn" / "char_rnn.keras").exists()
    assert "val_loss" in found[0][1]
    assert found[1][1] == ""
    assert not (tmp_path / "out_1").exists()


@slow
@needs_cores
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_worker_is_named_and_one_process_goes_on(
    number, lost, text, alone, tmp_path
):
    out = tmp_path / "out"
    team = Team(text, out, 2, accidents=[(lost, (number, 2))])
    frozen = [lost] if number == signal.SIGSTOP else []
    code, _, lines = team.end(*frozen)[1 - lost]
    assert code == 1
    said = [line for line in lines if line.startswith("kerasseq train: ")]
    assert said == [
        f"kerasseq train: cannot continue: {team.names[lost]} has ended, does not "
        "answer or cannot be reached; start all workers again with --resume"
    ]
    if (number, lost) == (signal.SIGKILL, 1):
        ((code, _, lines),) = Team(text, out, 1, "--resume").end().values()
        assert code == 0, lines
        check_same(alone[1], out)


@slow
@needs_cores
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_all_others_name_the_lost_worker_and_go_on_without_it(number, text, tmp_path):
    out, options = tmp_path / "out", ("--batch", "30")
    accident = (1, (number, 2))
    team = Team(text, out, 3, *options, accidents=[accident], line="bfloat16")
    frozen = [1] if number == signal.SIGSTOP else []
    found = team.end(*frozen)
    for rank in (0, 2):
        code, _, lines = found[rank]
        assert code == 1, lines
        (said,) = [line for line in lines if line.startswith("kerasseq train: ")]
        assert f"cannot continue: {team.names[1]} has ended, does not" in said
    for code, _, lines in Team(text, out, 2, *options, "--resume").end().values():
        assert code == 0, lines
    assert (out / "char_rnn" / "char_rnn.keras").exists()


@slow
@needs_cores
def test_two_workers_go_on_with_a_run_of_one_process(text, alone, tmp_path):
    out = tmp_path / "out"
    Team(text, out, 1, accidents=[(0, (signal.SIGKILL, 2))]).end()
    for code, _, lines in Team(text, out, 2, "--resume").end().values():
        assert code == 0, lines
    check_same(alone[1], out)


@slow
@needs_cores
def test_both_end_when_the_line_between_them_is_cut(text, tmp_path):
    if not (shutil.which("ip") and shutil.which("tc")):
        pytest.skip("iproute2 is not installed")
    out = tmp_path / "out"
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(two_machines(1))
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces may not be made here: {error}")
        hosts = dict(zip(SPACES, ADDRESSES, strict=True))
        team = Team(text, out, 2, "--epochs", "5000", hosts=hosts)
        deadline = time.monotonic() + 100
        while not (out / "char_rnn" / "checkpoint.npz").exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        cut = time.monotonic()
        line = "link", "set", "ks0", "down"
        subprocess.run(["ip", "-n", SPACES[0], *line], check=True)
        found = team.end()
        assert time.monotonic() - cut < 60
    for rank, (code, _, lines) in found.items():
        assert code == 1
        (said,) = [line for line in lines if line.startswith("kerasseq train: ")]
        assert f"cannot continue: {team.names[1 - rank]} has ended, does not" in said


@slow
@pytest.mark.parametrize("missing", [0, 1])
def test_a_worker_that_never_comes_is_named(missing, text, tmp_path):
    team = Team(text, tmp_path / "out", 2, accidents=[(missing, (None, 0))], seconds=6)
    code, _, lines = team.end()[1 - missing]
    assert code != 0
    assert f"{team.names[missing]} did not come within 6 seconds" in lines[-1]
    assert not (tmp_path / "out").exists()


@slow
def test_workers_with_other_settings_are_told_apart(text, tmp_path):
    team = Team(text, tmp_path / "out", 2, "--seed", "{rank}")
    for code, _, lines in team.end().values():
        assert code == 2
        assert f"{team.names[1]} has another seed, 1, than the chief, 0" in lines[-1]
    assert not (tmp_path / "out").exists()
