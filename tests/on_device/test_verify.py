"""A model is checked before a runtime sees it: what is refused, and what is not."""

import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from kerasseq.files.runtimes import open_signatures
from kerasseq.files.slim import pack
from kerasseq.files.tflite import convert
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.on_device.operators import OPERATIONS, TYPES
from kerasseq.on_device.verify import verify
from kerasseq.signatures.characters import build_generating_module
from kerasseq.text.characters import Vocabulary
from tests.fuzz.hostile import Sample, change_bytes, change_numbers, change_objects

SIZE = 7  # of the vocabulary
FUZZER = Path(__file__).parents[1] / "fuzz" / "fuzz_model.py"


@pytest.fixture(scope="module")
def flatbuffer():
    model = build_char_rnn(CharRNNConfig(7, units=5, embedding_size=3))
    module = build_generating_module(model, Vocabulary.from_text("\n abcdé"))
    return convert(module, module.device_signatures())


def changed(flatbuffer, change):
    """The flatbuffer with a change to its objects."""
    model = schema.ModelT.InitFromPackedBuf(flatbuffer)
    change(model)
    return pack(model)


def test_an_export_passes_with_the_signatures_that_the_runtime_gives(flatbuffer):
    found = verify(flatbuffer, SIZE)
    expected = open_signatures(flatbuffer)
    assert set(found) == set(expected) == {"step", "generate"}
    inputs, outputs = found["step"]
    assert inputs == {"token": ("int32", (1,)), "state_0": ("float32", (1, 5))}
    assert outputs == {"logits": ("float32", (1, 7)), "state_0": ("float32", (1, 5))}
    inputs, outputs = found["generate"]
    assert (inputs["prompt"], inputs["top_k"]) == (("int32", (256,)), ("int32", (1,)))
    assert set(outputs) == {"tokens", "state_0"}


def test_the_tables_have_the_numbers_of_the_schema():
    names = vars(schema.BuiltinOperator)
    for code, operation in OPERATIONS.items():
        assert names[operation.name] == code
    unions = {number: name for name, number in vars(schema.BuiltinOptions).items()}
    for operation in OPERATIONS.values():
        name = unions[operation.union].removesuffix("Options").lower()
        same = operation.name.replace("_", "").lower()
        assert name in ("none", same) or "reducer" in name, operation
    for number, (_, name, _) in TYPES.items():
        assert getattr(schema.TensorType, name.upper()) == number


def first(graph, model, name):
    """The first operation with a name in a graph."""
    code = getattr(schema.BuiltinOperator, name)
    return next(
        each
        for each in graph.operators
        if model.operatorCodes[each.opcodeIndex].builtinCode == code
    )


def of_itself(model):
    graph = next(g for g in model.subgraphs if "WHILE" in operations(g, model))
    loop = first(graph, model, "WHILE")
    loop.builtinOptions.bodySubgraphIndex = model.subgraphs.index(graph)


def operations(graph, model):
    names = {v: k for k, v in vars(schema.BuiltinOperator).items()}
    codes = [model.operatorCodes[each.opcodeIndex] for each in graph.operators]
    return [names[each.builtinCode] for each in codes]


def set_to(where, **values):
    for name, value in values.items():
        setattr(where, name, value)


def product(model):
    return first(model.subgraphs[0], model, "FULLY_CONNECTED")


def tensor(model, index=0):
    return model.subgraphs[0].tensors[index]


def weights(model):
    return tensor(model, product(model).inputs[1])


def splits(model):
    return first(model.subgraphs[0], model, "SPLIT").builtinOptions


INT = np.int32


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda m: set_to(m, metadataBuffer=np.zeros(1, INT)), "not of an export"),
        (lambda m: set_to(m, signatureDefs=None), "missing"),
        (lambda m: set_to(m, subgraphs=m.subgraphs[:1]), "graph that is not there"),
        (lambda m: set_to(m.signatureDefs[0], subgraphIndex=99), "is not there"),
        (lambda m: set_to(m.signatureDefs[0], inputs=[]), "not that of its graph"),
        (lambda m: set_to(m.signatureDefs[0], signatureKey=b"generate"), "one name"),
        (lambda m: set_to(tensor(m), isVariable=True), "not of an export"),
        (lambda m: set_to(tensor(m), type=schema.TensorType.STRING), "the type 5"),
        (lambda m: set_to(tensor(m), shape=np.array([2**15, 2**15], INT)), "the shape"),
        (lambda m: set_to(tensor(m), shape=np.array([0], INT)), "has the shape [0]"),
        (lambda m: set_to(tensor(m), shape=np.ones(9, INT)), "has the type"),
        (lambda m: set_to(weights(m), shape=np.array([99, 5], INT)), "bytes, not 1980"),
        (lambda m: set_to(product(m), opcodeIndex=999), "missing"),
        (lambda m: set_to(product(m), inputs=product(m).inputs[:2]), "have the types"),
        (lambda m: set_to(product(m), inputs=-product(m).inputs), "before it is made"),
        (
            lambda m: set_to(product(m), outputs=product(m).inputs[1:2]),
            "a tensor is made twice",
        ),
        (
            lambda m: set_to(m.subgraphs[0], operators=m.subgraphs[0].operators[::-1]),
            "before it is made",
        ),
        (
            lambda m: set_to(
                m.operatorCodes[0], builtinCode=32, deprecatedBuiltinCode=32
            ),
            "operation 32 is none",
        ),
        (lambda m: set_to(splits(m), numSplits=7), "SPLIT is of 7, not 3"),
        (
            lambda m: set_to(m.operatorCodes[0], customCode=b"FlexErf"),
            "not of an export",
        ),
        (
            lambda m: set_to(product(m), builtinOptionsType=schema.BuiltinOptions.NONE),
            "options without a type",
        ),
        (
            lambda m: set_to(product(m).builtinOptions, fusedActivationFunction=77),
            "there is no activation 77",
        ),
        (
            lambda m: set_to(product(m).builtinOptions, weightsFormat=1),
            "not of an export",
        ),
        (of_itself, "a loop calls"),
    ],
)
def test_what_no_export_writes_is_refused(flatbuffer, change, complaint):
    with pytest.raises(ValueError) as caught:
        verify(changed(flatbuffer, change), SIZE)
    assert complaint in str(caught.value)


def test_a_vocabulary_that_the_embedding_does_not_have_is_refused(flatbuffer):
    with pytest.raises(ValueError, match="no embedding of 6 rows"):
        verify(flatbuffer, 6)


def test_every_offset_is_followed_inside(flatbuffer):
    for length in range(0, len(flatbuffer), 997):
        with pytest.raises(ValueError, match=r"outside|no TFLite|missing"):
            verify(flatbuffer[:length], SIZE)
    for number in (1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
        content = bytearray(flatbuffer)
        struct.pack_into("<I", content, 0, number)
        with pytest.raises(ValueError, match=r"outside|missing|before|is not"):
            verify(bytes(content), SIZE)


def test_one_table_cannot_stand_for_millions(flatbuffer):
    model = schema.ModelT.InitFromPackedBuf(flatbuffer)

    class Once:
        """Written once however often it is there."""

        data = offset = None

        def Pack(self, builder):
            self.offset = self.offset or schema.BufferT().Pack(builder)
            return self.offset

    model.buffers += [Once()] * 2**18
    with pytest.raises(ValueError, match="has more than 262,144 tables"):
        verify(pack(model), SIZE)


def test_any_flatbuffer_is_refused_in_a_line_or_passes(flatbuffer):
    sample = Sample(flatbuffer, {}, list(range(len(flatbuffer))))
    counts = {True: 0, False: 0}
    for index in range(60):
        change = (change_bytes, change_objects, change_numbers)[index % 3]
        try:
            hostile = change(random.Random(index), sample)
        except Exception:  # it cannot even be packed
            continue
        try:
            verify(hostile, SIZE)
        except ValueError as error:
            assert len(str(error).splitlines()) == 1
            counts[False] += 1
        else:
            counts[True] += 1
    assert min(counts.values()) > 5


@pytest.mark.slow
def test_hostile_files_of_every_kind_end_in_an_answer_or_a_line():
    command = [sys.executable, str(FUZZER), "--cases", "600"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr
