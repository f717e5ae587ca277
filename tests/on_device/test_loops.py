"""A model whose loops could go on for ever is refused before a runtime sees it."""

import numpy as np
import pytest
import tensorflow as tf

from kerasseq.files.runtimes import open_signatures
from kerasseq.files.tflite import convert
from kerasseq.on_device.flatbuffer import Graph, Operator
from kerasseq.on_device.loops import check_loops
from kerasseq.on_device.operators import IF
from kerasseq.on_device.verify import verify


class Counts(tf.Module):
    """Counts from a number to another in steps, and returns the turns and the end."""

    def __init__(self, condition, body):
        super().__init__()
        self.table = tf.Variable(np.zeros((7, 3), np.float32))
        self.condition, self.body = condition, body

    @tf.function(input_signature=[tf.TensorSpec((1,), tf.int32)], autograph=False)
    def count(self, number):
        read = tf.reduce_sum(tf.gather(self.table, number))
        end = number[0]
        _, turns = tf.while_loop(
            lambda index, turns: self.condition(index, end),
            lambda index, turns: (self.body(index, end), turns + 1),
            (tf.constant(0), tf.constant(0)),
        )
        return {"turns": tf.minimum(turns, 2**30), "read": read}


def converted(condition, body):
    module = Counts(condition, body)
    return convert(module, {"count": module.count.get_concrete_function()})


ENDS = {
    "up to an input": (lambda i, n: i < n, lambda i, n: i + 1, 5),
    "up to a constant": (lambda i, n: i < 11, lambda i, n: i + 1, 11),
    "in larger steps": (lambda i, n: i < n, lambda i, n: i + 3, 2),
    "up to its bound": (lambda i, n: i < n, lambda i, n: tf.minimum(n, i + 4), 2),
    "added the other way": (lambda i, n: i < n, lambda i, n: 1 + i, 5),
    "under two conditions": (lambda i, n: (i < n) & (i * i < 9), lambda i, n: i + 1, 3),
}
ENDLESS = {
    "without a step": (lambda i, n: i < n, lambda i, n: i + 0 * n),
    "downwards": (lambda i, n: i < n, lambda i, n: i - 1),
    "in steps of an input": (lambda i, n: i < n, lambda i, n: i + n),
    "under another condition": (lambda i, n: i * i < n, lambda i, n: i + 1),
    "under one of two": (lambda i, n: (i < n) | (i < 9), lambda i, n: i + 1),
    "up to what is made": (lambda i, n: i < n * n, lambda i, n: i + 1),
    "beyond the numbers": (lambda i, n: i < 2**31 - 1, lambda i, n: i + 2**30),
}


@pytest.mark.parametrize("form", ENDS)
def test_a_loop_that_counts_passes_and_turns_so_often(form):
    condition, body, turns = ENDS[form]
    flatbuffer = converted(condition, body)
    assert "count" in verify(flatbuffer, 7)
    found = open_signatures(flatbuffer)["count"](number=np.array([5], np.int32))
    assert found["turns"] == turns


@pytest.mark.parametrize("form", ENDLESS)
def test_another_loop_is_refused(form):
    with pytest.raises(ValueError, match="a loop does not count up to a bound"):
        verify(converted(*ENDLESS[form]), 7)


def test_turns_beyond_all_measure_are_refused():
    # Each turn is three operations or more.
    flatbuffer = converted(lambda i, n: i < 2**30, lambda i, n: i + 1)
    with pytest.raises(ValueError, match=r"it takes \d,\d{3},\d{3},\d{3} operations"):
        verify(flatbuffer, 7)


def test_branches_in_branches_cannot_take_an_answer_for_ever():
    """Each graph calls the next one twice: 40 of them would take 2^40 operations."""
    call = Operator(IF, (0, 0), (1,), 92, {})
    graphs = [
        Graph([], (0,), (1,), [call._replace(options={0: n + 1, 1: n + 1})])
        for n in range(40)
    ]
    graphs.append(Graph([], (0,), (0,), []))
    with pytest.raises(ValueError, match="operations"):
        check_loops(b"", graphs, range(40, -1, -1))
