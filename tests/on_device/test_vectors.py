"""The contract's test vectors, on every implementation of it in Python."""

import json

import numpy as np
import pytest
import tensorflow as tf

from kerasseq.files.runtimes import open_signatures
from kerasseq.files.tflite import convert
from kerasseq.on_device import sampling as device_sampling
from kerasseq.on_device.card import CONTRACT_VERSION
from kerasseq.on_device.tokens import uniform_numbers as device_uniform_numbers
from kerasseq.signatures.sampling import Settings, uniform_numbers
from tests.support.make_test_vectors import NEUTRAL, VECTORS, choose, make
from tests.support.sampling import choose_token

CONTENT = json.loads(VECTORS.read_text(encoding="utf-8"))
SETTINGS = tuple(NEUTRAL)


def cases():
    for case in CONTENT["tokens"]:
        logits = np.array([float(x) for x in case["logits"]], np.float32)
        yield case["name"], logits, case


def test_the_file_is_what_its_program_makes():
    assert VECTORS.read_text(encoding="utf-8") == make()
    assert CONTENT["contract"] == CONTRACT_VERSION


def test_the_plain_implementation_gives_the_answers_by_hand():
    for name, logits, case in cases():
        settings = {key: case[key] for key in SETTINGS}
        token, _ = choose(logits.tolist(), case["uniform"], **settings)
        assert token == case["token"], name


@pytest.mark.parametrize("implementation", ["numpy", "tensorflow"])
def test_uniform_numbers(implementation):
    function = {"numpy": device_uniform_numbers, "tensorflow": uniform_numbers}
    for row in CONTENT["uniforms"]:
        found = function[implementation](row["seed"], row["start"], 8)
        assert found.dtype == np.float32
        assert (np.array(found) * 2**24).tolist() == row["numerators"]


def test_tokens_by_numpy():
    for name, logits, case in cases():
        settings = {key: case[key] for key in SETTINGS}
        with np.errstate(all="raise", under="ignore"):
            token = device_sampling.choose_token(logits, case["uniform"], **settings)
        assert token == case["token"], name


def signature(size):
    """The sampler as a graph, for a vocabulary of this size."""
    number, integer = tf.TensorSpec((1,)), tf.TensorSpec((1,), tf.int32)

    @tf.function
    def run(logits, uniform, temperature, top_k, top_p, min_p):
        settings = Settings(temperature[0], top_k[0], top_p[0], min_p[0])
        token = choose_token(logits, uniform[0], settings)
        return {"token": tf.minimum(token, size + 0 * top_k[0])}

    return run.get_concrete_function(
        logits=tf.TensorSpec((size,)),
        uniform=number,
        temperature=number,
        top_k=integer,
        top_p=number,
        min_p=number,
    )


@pytest.fixture(scope="module")
def graphs():
    """The sampler for each size of a vocabulary, by the size."""
    return {str(size): signature(size) for size in {len(row) for _, row, _ in cases()}}


@pytest.fixture(scope="module")
def flatbuffer(graphs):
    return convert(tf.Module(), graphs)


@pytest.mark.parametrize("runtime", ["tensorflow", "interpreter", "compiled_model"])
def test_tokens_by_the_graph(runtime, graphs, request):
    functions = graphs
    if runtime != "tensorflow":
        flatbuffer = request.getfixturevalue("flatbuffer")
        functions = open_signatures(flatbuffer, runtime)
    for name, logits, case in cases():
        function = functions[str(len(logits))]
        arrays = {
            key: np.array([case[key]], np.int32 if key == "top_k" else np.float32)
            for key in ("uniform", *SETTINGS)
        }
        if runtime == "tensorflow":
            arrays = {key: tf.constant(value) for key, value in arrays.items()}
            logits = tf.constant(logits)
        found = function(logits=logits, **arrays)["token"]
        assert int(found) == case["token"], name
