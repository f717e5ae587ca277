"""Exported files in LiteRT's runtimes, compared with their Keras models."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.files.runtimes import open_signatures
from kerasseq.files.saved_model import write_saved_model
from kerasseq.files.tflite import convert, convert_all, write_tflite
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.on_device.card import CONTRACT_VERSION
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.operators import list_operators
from kerasseq.on_device.tokens import uniform_numbers, write_tokens
from kerasseq.signatures.characters import build_generating_module, generate
from kerasseq.signatures.steps import state_shapes
from kerasseq.text.characters import Vocabulary

VOCABULARY = Vocabulary.from_text("\n abcdefghé")
V, E, H = len(VOCABULARY), 3, 5
RUNTIMES = ("interpreter", "compiled_model")


def build(cell="gru", num_layers=1, units=H):
    model = build_char_rnn(CharRNNConfig(V, cell, units, num_layers, E))
    numbers = np.random.default_rng(17)
    model.set_weights([numbers.normal(0, 0.7, w.shape) for w in model.get_weights()])
    return model, build_generating_module(model, VOCABULARY)


class Exported:
    """A model, its signatures and its flatbuffer."""

    def __init__(self, *sizes):
        self.model, self.module = build(*sizes)
        frozen = build_generating_module(self.model, VOCABULARY, frozen=True)
        self.flatbuffer = convert(frozen, frozen.device_signatures())
        self.shapes = {
            f"state_{index}": list(shape)
            for index, shape in enumerate(state_shapes(self.model))
        }


@pytest.fixture(
    scope="module",
    params=[
        ("gru", 1),
        ("lstm", 2),
        pytest.param(("simple_rnn", 1), marks=pytest.mark.slow),
    ],
    ids=lambda p: f"{p[0]}-{p[1]}",
)
def exported(request):
    return Exported(*request.param)


@pytest.fixture(scope="module", params=RUNTIMES)
def signatures(exported, request):
    return open_signatures(exported.flatbuffer, request.param)


def test_stepping_gives_the_logits_of_keras(exported, signatures):
    ids = np.random.default_rng(3).integers(0, V, (1, 61)).astype(np.int32)
    expected = exported.model(ids).numpy()[0]
    states = {name: np.zeros(s, np.float32) for name, s in exported.shapes.items()}
    for position in range(61):
        outputs = signatures["step"](token=ids[0, position : position + 1], **states)
        np.testing.assert_allclose(outputs["logits"][0], expected[position], atol=1e-4)
        states = {name: outputs[name] for name in states}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temperature": 0.0},
        {"temperature": 1.7},
        {"top_k": 3},
        {"top_p": 0.6},
        {"min_p": 0.2},
        {"temperature": 0.8, "top_k": 7, "top_p": 0.9, "min_p": 0.05},
    ],
    ids=str,
)
def test_the_loop_in_the_graph_writes_the_text_of_keras(exported, signatures, changes):
    prompt = "a bad cab\n"
    expected = generate(exported.module, prompt, 83, seed=5, **changes)
    tokens = write_tokens(
        signatures["generate"],
        exported.shapes,
        VOCABULARY.encode(prompt).tolist(),
        83,
        5,
        tokens_a_call=37,
        **changes,
    )
    assert VOCABULARY.decode(np.concatenate(list(tokens))) == expected


@pytest.mark.parametrize("tokens_a_call", [1, 13, 256])
def test_prompts_and_texts_longer_than_a_call(exported, signatures, tokens_a_call):
    prompt = "a bad cab\n" * 53
    expected = generate(exported.module, prompt, 277, seed=7)
    tokens = write_tokens(
        signatures["generate"],
        exported.shapes,
        VOCABULARY.encode(prompt).tolist(),
        277,
        7,
        tokens_a_call=tokens_a_call,
    )
    assert VOCABULARY.decode(np.concatenate(list(tokens))) == expected


@pytest.mark.parametrize("exported", [("gru", 1)], indirect=True, ids=["gru-1"])
@settings(deadline=None, max_examples=20)
@given(
    reads=st.lists(st.integers(1, 256), max_size=4),
    writes=st.lists(st.integers(0, 256), min_size=1, max_size=5),
)
def test_any_split_of_prompt_and_text_gives_the_same(exported, reads, writes):
    generate_signature = open_signatures(exported.flatbuffer)["generate"]
    numbers = np.random.default_rng(sum(reads) + sum(writes))
    prompt = numbers.integers(0, V, sum(reads) + 1).astype(np.int32)
    length = sum(writes)
    whole = write_tokens(generate_signature, exported.shapes, prompt.tolist(), length)
    states = {name: np.zeros(s, np.float32) for name, s in exported.shapes.items()}
    neutral = {
        "temperature": np.ones(1, np.float32),
        "top_k": np.zeros(1, np.int32),
        "top_p": np.ones(1, np.float32),
        "min_p": np.zeros(1, np.float32),
    }

    def call(read, count, start):
        outputs = generate_signature(
            prompt=np.pad(read, (0, 256 - len(read))).astype(np.int32),
            prompt_length=np.array([len(read)], np.int32),
            length=np.array([count], np.int32),
            uniforms=uniform_numbers(0, start, 256),
            **neutral,
            **states,
        )
        states.update({name: outputs[name] for name in states})
        return outputs["tokens"][:count].tolist()

    position = 0
    for size in reads:
        # A call leaves the last token that it was given for the next call to read.
        call([*prompt[position : position + min(size, 255)].tolist(), 0], 0, 0)
        position += min(size, 255)
    waiting, written = prompt[position:].tolist(), []
    while len(waiting) > 256:
        call(waiting[:256], 0, 0)
        waiting = waiting[255:]
    for count in writes:
        tokens = call(waiting, count, len(written))
        # A call that writes no characters has read all tokens but the last.
        waiting = tokens[-1:] or waiting[-1:]
        written += tokens
    assert written == np.concatenate([[], *whole]).tolist()


def test_both_runtimes_give_the_same_at_every_call(exported):
    # Where CompiledModel leaves an output unwritten, the first call gives garbage.
    one, other = (open_signatures(exported.flatbuffer, name) for name in RUNTIMES)
    numbers = np.random.default_rng(11)
    states = {
        name: numbers.normal(size=shape).astype(np.float32)
        for name, shape in exported.shapes.items()
    }
    for length in (0, 3, 256):
        inputs = {
            "prompt": numbers.integers(0, V, 256).astype(np.int32),
            "prompt_length": np.array([101], np.int32),
            "length": np.array([length], np.int32),
            "uniforms": numbers.random(256).astype(np.float32),
            "temperature": np.array([1.3], np.float32),
            "top_k": np.array([5], np.int32),
            "top_p": np.array([0.9], np.float32),
            "min_p": np.array([0.01], np.float32),
            **states,
        }
        expected, found = one["generate"](**inputs), other["generate"](**inputs)
        assert set(found) == set(expected) == {"tokens", *states}
        for name, array in expected.items():
            assert (found[name].shape, found[name].dtype) == (array.shape, array.dtype)
            np.testing.assert_allclose(found[name], array, atol=1e-5)
        in_tensorflow = exported.module.generate_chunk(
            **{name: tf.constant(array) for name, array in inputs.items()}
        )
        for name, array in in_tensorflow.items():
            np.testing.assert_allclose(found[name], array, atol=1e-5)


def test_only_built_in_operations_are_in_the_file(exported):
    operators = list_operators(exported.flatbuffer)
    assert not [
        name for name in operators if "CUSTOM" in name or "FLEX" in name.upper()
    ]
    # The loop, the product, and an operation whose code is above 127.
    assert {"WHILE", "FULLY_CONNECTED", "CUMSUM"} <= set(operators)
    assert operators == sorted(set(operators))


@pytest.mark.slow
@pytest.mark.parametrize("exported", [("gru", 1)], indirect=True, ids=["gru-1"])
def test_the_same_model_is_the_same_file(exported, tmp_path):
    frozen = build_generating_module(exported.model, VOCABULARY, frozen=True)
    again = convert(frozen, frozen.device_signatures())
    assert again == exported.flatbuffer
    files = [
        write_tflite(tmp_path / name, again, {"kind": "a"}, {"b.txt": "c"}).read_bytes()
        for name in ("one", "two")
    ]
    assert files[0] == files[1]


@pytest.fixture(scope="module")
def larger():
    """Large enough to be worth quantising: the converter leaves small matrices."""
    model, module = build("gru", 1, 67)
    formats = "float32", "float16", "int8"
    return model, dict(convert_all(module, module.device_signatures(), formats))


@pytest.mark.parametrize(
    ("quantization", "bytes_each", "difference"),
    [("float32", 4, 1e-5), ("float16", 2, 3e-3), ("int8", 1, 0.1)],
)
def test_weights_are_stored_once_as_small_as_asked_for(
    larger, quantization, bytes_each, difference
):
    model, flatbuffers = larger
    flatbuffer = flatbuffers[quantization]
    buffers = schema.ModelT.InitFromPackedBuf(flatbuffer).buffers
    sizes = [len(buffer.data) for buffer in buffers if buffer.data is not None]
    recurrent_kernel = 67 * 3 * 67 * bytes_each
    assert max(sizes) == recurrent_kernel and sizes.count(recurrent_kernel) == 1
    for runtime in RUNTIMES:
        step = open_signatures(flatbuffer, runtime)["step"]
        outputs = {"state_0": np.zeros((1, 67), np.float32)}
        for token in (2, 3, 5, 7):
            state = outputs["state_0"]
            outputs = step(token=np.array([token], np.int32), state_0=state)
        expected = model(np.array([[2, 3, 5, 7]])).numpy()[0, -1]
        error = np.abs(outputs["logits"][0] - expected).max()
        assert error < difference * np.abs(expected).max()


class NeedsMore(tf.Module):
    """A function for which TFLite has no operation."""

    @tf.function(input_signature=[tf.TensorSpec((3, 3), tf.float32, "x")])
    def invert(self, x):
        return {"y": tf.linalg.inv(x)}


def test_an_operation_that_is_not_built_in_is_refused_by_its_name():
    module = NeedsMore()
    with pytest.raises(ValueError, match=r"invert cannot (?s:.)*MatrixInverse"):
        convert(module, {"invert": module.invert.get_concrete_function()})


def test_flex_operations_are_listed_as_custom(tmp_path):
    module = NeedsMore()
    tf.saved_model.save(module, str(tmp_path))
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.SELECT_TF_OPS]
    assert "CUSTOM:FlexMatrixInverse" in list_operators(converter.convert())


CARD = {
    "contract": CONTRACT_VERSION,
    "kind": "character model",
    "vocabulary_size": V,
    "state_shapes": [[1, H]],
    "sampling_defaults": {
        "length": 9,
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1,
        "min_p": 0,
    },
    "name": "é",
}


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "new" / "model.tflite"
    files = {"vocabulary.json": VOCABULARY.to_json(), "é.txt": "𝄞\r\n"}
    return write_tflite(path, b"FLATBUFFER" * 13, CARD, files)


def test_a_tflite_is_read_back_as_it_was_written(written):
    model = Model(written)
    assert model.flatbuffer == b"FLATBUFFER" * 13
    files = {"vocabulary.json": VOCABULARY.to_json(), "é.txt": "𝄞\r\n"}
    assert model.card == CARD | {
        "sha256": hashlib.sha256(model.flatbuffer).hexdigest(),
        "attachments": {
            name: hashlib.sha256(text.encode()).hexdigest()
            for name, text in files.items()
        },
    }
    assert model.vocabulary == json.loads(files["vocabulary.json"])
    with zipfile.ZipFile(written) as archive:
        assert {name: archive.read(name).decode() for name in files} == files


def test_any_zip_reader_opens_a_tflite(written):
    content = written.read_bytes()
    assert content.startswith(b"FLATBUFFER" * 13 + b"PK\x03\x04")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "card.json",
            "card.sha256",
            "vocabulary.json",
            "é.txt",
        ]
        dates = {info.date_time for info in archive.infolist()}
    assert dates == {(1980, 1, 1, 0, 0, 0)}, "the file does not depend on the date"


def test_runtimes_ignore_what_follows_the_flatbuffer(exported, tmp_path):
    path = write_tflite(tmp_path / "m.tflite", exported.flatbuffer, CARD, {"a": "b"})
    signatures = Interpreter(model_path=str(path)).get_signature_list()
    assert set(signatures) == {"step", "generate"}
    assert set(CompiledModel.from_file(str(path)).get_signature_list()) == {
        "step",
        "generate",
    }


@pytest.mark.parametrize("position", [0, 61, 129])
@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_of_the_model_is_seen(written, position, bit):
    content = bytearray(written.read_bytes())
    content[position] ^= 1 << bit
    written.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged: SHA-256"):
        Model(written)


@pytest.mark.slow
def test_any_flipped_bit_of_the_card_is_seen_or_changes_nothing(written):
    """All eight bits of each byte; `test_generate` flips one of each."""
    whole = Model(written)
    content = written.read_bytes()
    for position in range(len(whole.flatbuffer), len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            written.write_bytes(flipped)
            try:
                model = Model(written)
            except ValueError:
                continue
            assert vars(model) == vars(whole)


def test_a_file_cut_short_is_refused(written):
    content = written.read_bytes()
    for length in range(0, len(content), 7):
        written.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"not a whole \.tflite of this project"):
            Model(written)


def test_what_is_no_tflite_of_this_project_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "missing.tflite"):
        with pytest.raises(ValueError, match="cannot be read"):
            Model(path)
    for name, text in (("other.json", "{}"), ("card.json", "{}"), ("card.json", "{")):
        with zipfile.ZipFile(tmp_path / "a.tflite", "w") as archive:
            archive.writestr(name, text)
        with pytest.raises(ValueError, match=r"not a whole \.tflite"):
            Model(tmp_path / "a.tflite")


def test_a_saved_model_is_replaced_whole(tmp_path, monkeypatch):
    _, module = build()
    path = tmp_path / "saved_model"
    signatures = {"generate": module.generate}
    assert write_saved_model(module, path, signatures) == path
    (path / "of the old one").touch()

    def fail(module, directory, signatures):
        tf.io.gfile.makedirs(directory)
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(tf.saved_model, "save", fail)
        with pytest.raises(OSError, match="full"):
            write_saved_model(module, path, signatures)
    assert (path / "of the old one").exists()
    write_saved_model(module, path, signatures)
    assert not (path / "of the old one").exists()
    assert [child.name for child in tmp_path.iterdir()] == ["saved_model"]


def test_a_saved_model_that_does_not_fit_the_disk_leaves_the_old_one(
    tmp_path, monkeypatch
):
    _, module = build()
    path = write_saved_model(module, tmp_path / "model", {"generate": module.generate})
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}

    def full(module, directory, signatures):
        (Path(directory) / "assets").mkdir(parents=True)
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(OSError, match="No space left on device"):
        write_saved_model(module, path, {"generate": module.generate})
    assert {f: f.read_bytes() for f in path.rglob("*") if f.is_file()} == before
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
