"""A slim flatbuffer is the same model."""

import functools
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kerasseq.files import int4
from kerasseq.files import slim as module
from kerasseq.files.formats import FORMATS
from kerasseq.files.runtimes import open_signatures
from kerasseq.files.tflite import convert, convert_all
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.signatures.characters import build_generating_module
from kerasseq.signatures.steps import state_shapes
from kerasseq.text.characters import Vocabulary

VOCABULARY = Vocabulary.from_text("\nabcdefghijk")
H = 48


@functools.cache
def build(cell="gru", num_layers=1, units=H):
    model = build_char_rnn(CharRNNConfig(12, cell, units, num_layers, 16))
    numbers = np.random.default_rng(5)
    model.set_weights([numbers.normal(0, 0.3, w.shape) for w in model.get_weights()])
    return model, build_generating_module(model, VOCABULARY, frozen=True)


@functools.cache
def flatbuffers_of(*sizes, formats=("int8", "int4")) -> dict[str, bytes]:
    """The flatbuffers of `build(*sizes)`, by their formats."""
    _, frozen = build(*sizes)
    return dict(convert_all(frozen, frozen.device_signatures(), formats))


@pytest.fixture(scope="module")
def both():
    """An int8 flatbuffer as the converter writes it, and the slim one."""
    _, frozen = build()
    kept = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "kerasseq.files.tflite.slim", lambda fat, names: kept.append(fat) or fat
        )
        convert(frozen, frozen.device_signatures(), "int8")
    return kept[0], module.slim(kept[0], ["step", "generate"])


def run(flatbuffer, runtime):
    signatures = open_signatures(flatbuffer, runtime)
    rng = np.random.default_rng(9)
    state = rng.normal(size=(1, H)).astype(np.float32)
    stepped = signatures["step"](token=np.array([4], np.int32), state_0=state)
    written = signatures["generate"](
        prompt=rng.integers(0, 12, 256).astype(np.int32),
        prompt_length=np.array([17], np.int32),
        length=np.array([111], np.int32),
        uniforms=rng.random(256, np.float32),
        temperature=np.array([0.9], np.float32),
        top_k=np.array([7], np.int32),
        top_p=np.array([0.9], np.float32),
        min_p=np.array([0.01], np.float32),
        state_0=state,
    )
    return stepped, written


@pytest.mark.parametrize("runtime", ["interpreter", "compiled_model"])
def test_a_slim_flatbuffer_computes_the_same_bits(both, runtime):
    fat, slim = (run(flatbuffer, runtime) for flatbuffer in both)
    for one, other in zip(fat, slim, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_graphs_in_another_order_are_the_same_model(both):
    _, slim = both
    model = schema.ModelT.InitFromPackedBuf(slim)
    # Reversed, so that the graphs that loops and conditions call move as well.
    module._reorder(model, range(len(model.subgraphs) - 1, -1, -1))
    for one, other in zip(
        run(slim, "interpreter"), run(module.pack(model), "interpreter"), strict=True
    ):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_a_slim_flatbuffer_stores_a_matrix_s_scales_once(both):
    fat, slim = both
    # Four graphs use the recurrent kernel: 4 + 8 bytes for each of its rows.
    assert len(fat) - len(slim) > 3 * 12 * 3 * H
    model = schema.ModelT.InitFromPackedBuf(slim)
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    names = {tensor.name or b"" for tensor in tensors}
    ends = {"token", "logits", "prompt", "prompt_length", "length", "uniforms"}
    ends |= {"temperature", "top_k", "top_p", "min_p", "tokens", "state_0", ""}
    assert names == {name.encode() for name in ends}


def test_a_slim_flatbuffer_says_what_it_is(both):
    _, slim = both
    model = schema.ModelT.InitFromPackedBuf(slim)
    assert model.description.startswith(b"kerasseq")
    assert [graph.name for graph in model.subgraphs[:2]] == [b"step", b"generate"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("quantization", "cell"), [("float32", "lstm"), ("int4", "gru")]
)
def test_step_runs_where_no_signature_is_named(quantization, cell):
    model, _ = build(cell, 2)
    flatbuffer = flatbuffers_of(cell, 2, formats=(quantization,))[quantization]
    interpreter = Interpreter(model_content=flatbuffer)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(4)
    inputs = {"token": np.array([7], np.int32)}
    for index, shape in enumerate(state_shapes(model)):
        inputs[f"state_{index}"] = rng.normal(size=shape).astype(np.float32)
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], inputs[detail["name"]])
    interpreter.invoke()
    found = {
        detail["name"]: interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_output_details()
    }
    expected = open_signatures(flatbuffer)["step"](**inputs)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_weights_are_aligned_for_the_kernels(quantization):
    flatbuffer = flatbuffers_of()[quantization]
    model = schema.Model.GetRootAs(flatbuffer)
    large = 0
    for index in range(model.BuffersLength()):
        data = model.Buffers(index).DataAsNumpy()
        if isinstance(data, np.ndarray) and data.size >= 16:
            whole = np.frombuffer(flatbuffer, np.uint8)
            offset = data.ctypes.data - whole.ctypes.data
            assert offset % 16 == 0
            large += 1
    assert large >= 4


PROGRAM = """
import hashlib, sys, keras
from kerasseq.signatures.characters import build_generating_module
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.files.formats import FORMATS
from kerasseq.files.tflite import convert
from kerasseq.text.characters import Vocabulary
for _ in range(int(sys.argv[1])):
    build_char_rnn(CharRNNConfig(3, units=4))  # layer names go on counting
keras.utils.set_random_seed(3)
model = build_char_rnn(CharRNNConfig(12, units=8))
frozen = build_generating_module(
    model, Vocabulary.from_text("\\nabcdefghijk"), frozen=True
)
flatbuffer = convert(frozen, frozen.device_signatures(), "int4")
print(hashlib.sha256(flatbuffer).hexdigest())
"""


@pytest.mark.slow
def test_two_processes_write_the_same_bytes():
    found = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM, count], capture_output=True, text=True
        ).stdout.strip()
        for count in "03"
    ]
    assert len(found[0]) == 64
    assert found[0] == found[1]


@settings(deadline=None)
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 5), st.integers(1, 9)),
        elements=st.floats(-3, 3, width=32),
    )
)
def test_four_bits_are_within_half_a_step_or_what_was_clipped(weights):
    packed, scales = int4._four_bits(weights)
    halves = np.stack([packed & 15, packed >> 4], axis=1).reshape(-1)
    numbers = np.where(halves > 7, halves.astype(int) - 16, halves)[: weights.size]
    found = numbers.reshape(weights.shape) * scales[:, None]
    largest = np.abs(weights).max(axis=1, keepdims=True)
    # Plain rounding at the scale of the largest is never better.
    plain = np.round(weights / np.maximum(largest / 7, 1e-30)) * largest / 7
    error = np.square(found - weights).sum(axis=1)
    assert (error <= np.square(plain - weights).sum(axis=1) * 1.001 + 1e-9).all()
    assert packed.size == -(-weights.size // 2)


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "num_layers"), [("lstm", 2), ("gru", 1)])
def test_only_the_recurrent_kernels_have_four_bits(cell, num_layers):
    eight, four = flatbuffers_of(cell, num_layers).values()
    gates = {"lstm": 4, "gru": 3}[cell]
    # Two more columns decide on the scale of a state.
    assert len(eight) - len(four) == pytest.approx(
        num_layers * gates * H * (H + 2) / 2, abs=64
    )


@pytest.mark.parametrize("runtime", ["interpreter", "compiled_model"])
@pytest.mark.parametrize("units", [H, pytest.param(25, marks=pytest.mark.slow)])
def test_four_bits_give_logits_near_those_of_the_model(runtime, units):
    model, _ = build("gru", 1, units)
    eight, flatbuffer = flatbuffers_of("gru", 1, units).values()
    assert len(eight) - len(flatbuffer) > units * units
    step = open_signatures(flatbuffer, runtime)["step"]
    ids = np.random.default_rng(2).integers(0, 12, 40).astype(np.int32)
    expected = model(ids[None]).numpy()[0]
    state, found = np.zeros(state_shapes(model)[0], np.float32), []
    for token in ids:
        outputs = step(token=token[None], state_0=state)
        state = outputs["state_0"]
        found.append(outputs["logits"][0])
    # Far from exact, and far from chance.
    assert 0.001 < np.abs(found - expected).mean() < 0.15 * expected.std()


# --- rows gathered from a matrix that multiplies


class Tied(tf.Module):
    """Rows of a table, and products with it or with another one."""

    def __init__(self, tied: bool) -> None:
        super().__init__()
        numbers = np.random.default_rng(11)
        # Rows of very different size: one scale for all would lose the small ones.
        sizes = 10.0 ** numbers.uniform(-2, 2, (96, 1))
        self.table = tf.Variable((sizes * numbers.normal(size=(96, 40))).astype("f"))
        other = numbers.normal(size=(96, 40)).astype("f")
        self.other = self.table if tied else tf.Variable(other)

    @tf.function(
        input_signature=[
            tf.TensorSpec((1,), tf.int32, "token"),
            tf.TensorSpec((1, 40), tf.float32, "x"),
        ]
    )
    def step(self, token, x):
        row = tf.gather(self.table, token)
        return {"row": row, "logits": tf.matmul(x + row, self.other, transpose_b=True)}


def converted(tied: bool, monkeypatch=None) -> tuple[Tied, bytes]:
    example = Tied(tied)
    if monkeypatch:
        monkeypatch.setitem(FORMATS, "int8", FORMATS["int8"]._replace(steps=()))
    return example, convert(
        example, {"step": example.step.get_concrete_function()}, "int8"
    )


@pytest.mark.parametrize("runtime", ["interpreter", "compiled_model"])
def test_rows_are_gathered_from_the_matrix_that_multiplies(runtime, monkeypatch):
    example, flatbuffer = converted(tied=True)
    _, twice = converted(True, monkeypatch)
    assert len(twice) - len(flatbuffer) > 96 * 40 - 2000
    step = open_signatures(flatbuffer, runtime)["step"]
    before = open_signatures(twice, runtime)["step"]
    table = example.table.numpy()
    x = np.random.default_rng(1).normal(size=(1, 40)).astype(np.float32)
    for token in range(96):
        inputs = {"token": np.array([token], np.int32), "x": x}
        row = step(**inputs)["row"][0]
        largest = np.abs(table[token]).max()
        np.testing.assert_allclose(row, table[token], atol=largest / 253)
        if token == int(np.abs(table).max(axis=1).argmin()):
            assert np.abs(before(**inputs)["row"][0] - table[token]).max() > largest / 9
        logits = (x + row) @ table.T
        found = step(**inputs)["logits"]
        np.testing.assert_allclose(found, logits, atol=0.05 * np.abs(logits).max())


def test_two_matrices_of_one_shape_stay_two(monkeypatch):
    _, flatbuffer = converted(tied=False)
    _, before = converted(False, monkeypatch)
    assert flatbuffer == before


# --- constants of equal bytes


class Zeros(tf.Module):
    """A matrix of zeros and as many bytes of zeros of another type."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(tf.zeros((32, 32)))

    @tf.function(
        input_signature=[
            tf.TensorSpec((1,), tf.int32, "token"),
            tf.TensorSpec((1, 32), tf.float32, "state_0"),
        ]
    )
    def step(self, token, state_0):
        tokens = tf.concat([tf.zeros(256, tf.int32), token], 0)
        return {"tokens": tokens, "state_0": state_0 @ self.kernel}


@pytest.mark.parametrize("runtime", ["interpreter", "compiled_model"])
@pytest.mark.parametrize("number_format", ["int8", "int4"])
def test_constants_of_equal_bytes_keep_their_own_types(number_format, runtime):
    example = Zeros()
    signatures = {"step": example.step.get_concrete_function()}
    flatbuffer = convert(example, signatures, number_format)
    step = open_signatures(flatbuffer, runtime)["step"]
    state = np.ones((1, 32), np.float32)
    found = step(token=np.array([7], np.int32), state_0=state)
    assert found["tokens"].tolist() == [0] * 256 + [7]
    assert not found["state_0"].any()
