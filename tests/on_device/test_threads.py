"""One opened file in several threads answers as in one."""

import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.files.runtimes import open_signatures
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.opening import open_tflite

pytestmark = pytest.mark.slow

THREADS = 4
TEXTS = ("a bad cab ", "dé", "the cat sat ", "The ΟΔΟΣ a k", "kin a k", "king the ")
# One question to each kind of file; the answer has all that the file computes.
ASK = {
    "generate": lambda opened, text: opened.write(text, 90, seed=len(text)),
    "suggest": lambda opened, text: opened.suggest(text),
    "classify": lambda opened, text: flat(opened.classify(text)),
    "tag": lambda opened, text: opened.tag(text),
    "encode": lambda opened, text: flat(opened.encode(text)),
}


@pytest.fixture(scope="module", autouse=True)
def many_switches():
    """Let threads take turns as often as Python can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def flat(answer) -> list:
    return [x.tolist() if isinstance(x, np.ndarray) else x for x in answer]


@pytest.mark.parametrize("name", ASK)
def test_threads_that_share_a_file_get_the_answers_of_one(name, files):
    opened, ask = open_tflite(files[name]), ASK[name]
    expected = {text: ask(opened, text) for text in TEXTS}
    assert len({repr(answer) for answer in expected.values()}) > 3, "answers differ"
    together = Barrier(THREADS)

    def work(seed: int) -> list:
        texts = random.Random(seed).choices(TEXTS, k=200)
        together.wait()
        return [text for text in texts if ask(opened, text) != expected[text]]

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(work, range(THREADS))) == [[]] * THREADS


@pytest.fixture(scope="module")
def writer(files):
    return open_tflite(files["generate"])


@settings(max_examples=20)
@given(st.lists(st.integers(0, 2), max_size=12), st.booleans())
def test_streams_of_one_writer_may_take_turns_in_any_order(writer, order, threads):
    prompts = ("a bad cab", "dé" * 300, "")
    expected = [writer.write(prompt, 200, seed=5) for prompt in prompts]
    streams = [writer.stream(prompt, 200, seed=5) for prompt in prompts]
    pieces = ["", "", ""]
    for index in order:
        pieces[index] += next(streams[index], "")
    with ThreadPoolExecutor(3 if threads else 1) as pool:
        rest = list(pool.map("".join, streams))
    assert [a + b for a, b in zip(pieces, rest, strict=True)] == expected


@pytest.mark.parametrize("runtime", ["interpreter", "compiled_model"])
def test_signatures_of_a_run_in_threads(runtime, files):
    model = Model(files["suggest"])
    step = open_signatures(model.flatbuffer, runtime)["step"]
    states = {
        f"state_{index}": np.zeros(shape, np.float32)
        for index, shape in enumerate(model.card["state_shapes"])
    }

    def logits(token: int) -> list:
        outputs = step(token=np.array([token], np.int32), **states)
        return outputs["logits"].tolist()

    tokens = [0, 1, 2, 3, 4, 5] * 60
    expected = [logits(token) for token in tokens[:6]] * 60
    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(logits, tokens)) == expected


def test_files_that_are_opened_together_leave_standard_error_as_it_was(files):
    before = os.fstat(2)
    paths = [files[name] for name in ASK] * 12
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(open_tflite, paths))
        flatbuffer = Model(paths[0]).flatbuffer
        compiled = ["compiled_model"] * 16
        assert all(pool.map(open_signatures, [flatbuffer] * 16, compiled))
    assert len({type(each) for each in opened}) == 5
    assert os.path.samestat(os.fstat(2), before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_file_that_was_used_works_after_a_fork(writer):
    expected = writer.write("a bad cab", 90, seed=3)
    child = os.fork()
    if not child:
        os._exit(writer.write("a bad cab", 90, seed=3) != expected)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
