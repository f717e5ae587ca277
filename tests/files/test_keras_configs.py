"""A `.keras` file builds only Keras's and our classes, and no more than it holds."""

import ast
import functools
import io
import json
import os
import re
import resource
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from kerasseq.files.keras_configs import KINDS, REFUSED, count_bytes
from kerasseq.files.keras_models import load_model, register_classes
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.models.stateful import build_stateful_model
from tests.fuzz.fuzz_folder import Canary, node

SAVED = Path(__file__).parents[1] / "saved"
STRANGER = {"class_name": "Canary", "config": {}}
NAMED = {"registered_name": "other>Canary"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A compiled model of Keras's own layers."""
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(5, "tanh"), keras.layers.Dense(2)]
    )
    model.compile("sgd", "mse")
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model.save(path)
    return path


def contents(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, files, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def forged(source, target, change):
    """Copy a `.keras` file, its configuration changed in place."""
    files = contents(source)
    config = json.loads(files["config.json"])
    change(config)
    return write(target, {**files, "config.json": json.dumps(config)})


def last(config):
    return config["config"]["layers"][-1]


def in_last(**changes):
    return lambda config: last(config).update(changes)


def in_its_config(**changes):
    return lambda config: last(config)["config"].update(changes)


FOREIGN = {
    "by its registered name": in_last(**STRANGER, **NAMED, module=None),
    "as one of Keras's": in_last(**STRANGER, **NAMED, module="keras.layers"),
    "as one of ours": in_last(**STRANGER, **NAMED, module="kerasseq.layers.pooling"),
    "as a class of ours": in_last(
        class_name="AttentionPooling", config={}, module="kerasseq.layers", **NAMED
    ),
    "with a known name": in_last(class_name="Dense", config={}, **NAMED),
    "by its class's name": in_last(
        class_name="other>Canary", config={}, module="keras.layers"
    ),
    "under our package": in_last(
        **STRANGER, module="kerasseq.layers", registered_name="kerasseq>Canary"
    ),
    "as an initializer": in_its_config(kernel_initializer="other>Canary"),
    "as an activation": in_its_config(activation="other>Canary"),
    "as a function": in_its_config(
        activation=node("function", "builtins", config="Canary")
    ),
    "as a loss": lambda config: config["compile_config"].update(loss="other>Canary"),
    "as a metric": lambda config: config["compile_config"].update(
        metrics=[{**STRANGER, **NAMED, "module": "keras.metrics"}]
    ),
    "deep in a list": in_its_config(name=[[{"a": ["other>Canary"]}]]),
    "as a key": in_its_config(**{"other>Canary": 1}),
}


@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
def test_a_registered_class_of_another_package_is_never_built(
    saved, tmp_path, monkeypatch, change
):
    monkeypatch.setitem(keras.saving.get_custom_objects(), "kerasseq>Canary", Canary)
    path = forged(saved, tmp_path / "model.keras", change)
    before = Canary.built_so_far
    with pytest.raises(ValueError, match=r"only layers of|is code"):
        load_model(path, compile=True)
    assert Canary.built_so_far == before


@pytest.mark.parametrize("name", ["by its registered name", "with a known name"])
def test_keras_itself_would_build_it(saved, tmp_path, name):
    path = forged(saved, tmp_path / "model.keras", FOREIGN[name])
    before = Canary.built_so_far
    keras.models.load_model(path)
    assert Canary.built_so_far > before


def test_a_scope_of_the_caller_is_not_used(saved, tmp_path):
    with keras.saving.custom_object_scope({"Dense": Canary}):
        before = Canary.built_so_far
        with pytest.raises(ValueError, match="'Dense' from 'tests'"):
            load_model(saved)
        assert Canary.built_so_far == before


@pytest.mark.parametrize(
    "changes",
    [
        {"module": ["keras.layers"]},
        {"module": 1},
        {"module": "keras_evil.layers"},
        {"module": "keras"},
        {"module": "keras.src.utils.file_utils", "class_name": "get_file"},
        {"module": "keras.utils", "class_name": "Progbar"},
        {"module": "os", "class_name": "system"},
        {"module": None},
        {"class_name": None},
        {"class_name": ["Dense"]},
        {"class_name": {}},
        {"registered_name": 5},
        {"registered_name": "other>Dense"},
        {"class_name": "__typespec__"},
        {"class_name": "__numpy__", "config": {"value": "a", "dtype": "S1000000000"}},
    ],
    ids=str,
)
def test_what_is_no_class_of_a_model_is_refused(saved, tmp_path, changes):
    path = forged(saved, tmp_path / "model.keras", in_last(**changes))
    with pytest.raises(ValueError, match=r"only layers of|`registered_name=") as error:
        load_model(path)
    assert str(error.value).isprintable()


def every_kind():
    """All of Keras's classes that a configuration may name."""
    register_classes()
    found, left = set(), list(KINDS)
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            left += each.__subclasses__()
    return [each for each in found if each.__module__.startswith("keras.")]


RISKY = r"\b(open|exec|eval|func_load|load|get_file|import_module)\("


@functools.cache
def risky_calls(module, name):
    """What a class calls to open a file or to run code."""
    source = Path(sys.modules[module].__file__).read_text()
    if not re.search(RISKY, source):
        return set()
    (body,) = (
        each
        for each in ast.walk(ast.parse(source))
        if isinstance(each, ast.ClassDef) and each.name == name
    )
    calls = (each.func for each in ast.walk(body) if isinstance(each, ast.Call))
    names = (getattr(call, "id", getattr(call, "attr", "")) for call in calls)
    return {each for each in names if re.fullmatch(RISKY, f"{each}(")}


@pytest.mark.slow
def test_what_reads_files_or_runs_code_is_refused():
    """The sources of Keras show which classes open a file, or run what they are given.

    A class that a new Keras brings is found here.
    """
    found = set()
    for kind in every_kind():
        bases = [base for base in kind.__mro__ if base.__module__.startswith("keras.")]
        calls = set().union(
            *(risky_calls(base.__module__, base.__name__) for base in bases)
        )
        if calls:
            found.add(kind.__name__)
            names = {base.__name__ for base in bases}
            assert REFUSED.keys() & names, f"{kind} calls {calls}"
    assert {"Lambda", "TFSMLayer", "TorchModuleWrapper", "StringLookup"} <= found
    assert len(every_kind()) > 500


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("Lambda", {}),
        ("JaxLayer", {}),
        ("FlaxLayer", {}),
        ("TorchModuleWrapper", {}),
        ("TFSMLayer", {"filepath": "/etc"}),
        ("StringLookup", {"vocabulary": "/etc/passwd"}),
        ("IntegerLookup", {"vocabulary": "/etc/passwd"}),
        ("TextVectorization", {"vocabulary": "/etc/passwd"}),
    ],
)
def test_a_layer_with_code_or_files_is_refused(saved, tmp_path, name, config):
    change = in_last(class_name=name, config=config)
    path = forged(saved, tmp_path / "model.keras", change)
    with pytest.raises(ValueError, match="code or files of their own"):
        load_model(path)


def test_a_loop_that_would_be_unrolled_is_refused(tmp_path):
    def change(config):
        for layer in config["config"]["layers"]:
            if "unroll" in layer["config"]:
                layer["config"]["unroll"] = True

    path = forged(SAVED / "char_rnn_gru.keras", tmp_path / "model.keras", change)
    with pytest.raises(ValueError, match="it unrolls a loop"):
        load_model(path)


def most_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def layer_sizes(**sizes):
    def change(config):
        for layer in config["config"]["layers"]:
            layer.pop("build_config", None)
            for key in sizes.keys() & layer["config"].keys():
                layer["config"][key] = sizes[key]

    return change


@pytest.mark.parametrize(
    ("source", "change"),
    [
        ("char_rnn_gru", layer_sizes(units=20_000)),
        ("char_rnn_lstm", layer_sizes(units=10**9)),
        ("char_rnn_simple_rnn", layer_sizes(units=10**18)),
        ("char_transformer", layer_sizes(input_dim=10**9)),
        ("tagger", layer_sizes(output_dim=10**6, input_dim=10**5)),
        ("encoder", layer_sizes(feed_forward_size=10**8)),
        ("classifier", layer_sizes(output_dim=10**8)),
    ],
)
def test_sizes_beyond_the_weights_are_refused_before_they_are_made(
    source, change, tmp_path
):
    path = forged(SAVED / f"{source}.keras", tmp_path / "model.keras", change)
    load_model(SAVED / f"{source}.keras")
    before = most_memory()
    with pytest.raises(ValueError, match="cannot be loaded: it claims"):
        load_model(path)
    assert most_memory() - before < 2e8


def test_a_table_of_positions_beyond_reason_is_refused(tmp_path):
    change = layer_sizes(max_length=10**9)
    path = forged(SAVED / "encoder.keras", tmp_path / "model.keras", change)
    before = most_memory()
    with pytest.raises(ValueError, match="it claims 1,000,000,000 numbers"):
        load_model(path)
    assert most_memory() - before < 2e8


x = keras.Input((5, 4))


@pytest.mark.parametrize(
    ("outputs", "change"),
    [
        (keras.ops.unstack(x, axis=2), {"batch_shape": [None, 5, 10**7]}),
        (keras.ops.array_split(x, 2, axis=2), {"indices_or_sections": 10**7}),
        (keras.layers.Normalization((1, 2))(x), {"batch_shape": [1, 2**16, 2**15]}),
    ],
    ids=["a list of outputs", "a list of parts", "an array of means"],
)
def test_sizes_of_layers_without_weights_are_refused_too(tmp_path, outputs, change):
    """Each takes more than a minute, or gigabytes, while Keras builds it."""

    def resize(config):
        for layer in config["config"]["layers"]:
            layer.pop("build_config", None)
            layer["config"].update(
                {key: change[key] for key in layer["config"].keys() & change}
            )

    path = tmp_path / "model.keras"
    keras.Model(x, outputs).save(path)
    load_model(path)
    with pytest.raises(ValueError, match="numbers, of which its file holds fewer"):
        load_model(forged(path, tmp_path / "forged.keras", resize))


def test_the_states_of_a_forged_batch_count_too(tmp_path):
    model = build_stateful_model(build_char_rnn(CharRNNConfig(5, units=7)), 3, 4)
    model.save(tmp_path / "saved.keras")
    load_model(tmp_path / "saved.keras")

    def change(config):
        (config["config"]["layers"][0]["config"])["batch_shape"] = [10**9, 4]

    path = forged(tmp_path / "saved.keras", tmp_path / "model.keras", change)
    before = most_memory()
    with pytest.raises(ValueError, match="cannot be loaded: it claims"):
        load_model(path)
    assert most_memory() - before < 2e8


@pytest.mark.parametrize("source", sorted(SAVED.glob("*.keras")), ids=lambda p: p.stem)
def test_counted_weights_are_those_that_keras_makes(source):
    config = json.loads(contents(source)["config.json"])
    register_classes()
    expected = keras.models.load_model(source, compile=False).weights
    assert count_bytes(config) == 4 * sum(
        each.value.shape.num_elements() for each in expected
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda file: file.create_dataset("a", (10**9,), "float32"),
        lambda file: file.create_dataset(
            "a/b", (10**5, 10**5), "float64", chunks=True, compression="gzip"
        ),
        lambda file: file.create_dataset("a", data=["text"]),
        lambda file: file.create_dataset("a", data=np.zeros(3, "S100")),
    ],
)
def test_weights_that_claim_more_than_their_file_are_refused(saved, tmp_path, make):
    files = contents(saved)
    weights = io.BytesIO(files["model.weights.h5"])
    with h5py.File(weights, "a") as file:
        make(file)
    files["model.weights.h5"] = weights.getvalue()
    with pytest.raises(ValueError, match=r"it claims|array of weights has the type"):
        load_model(write(tmp_path / "model.keras", files))


def test_a_zip_that_claims_more_than_its_size_is_refused_unread(saved, tmp_path):
    files = {**contents(saved), "model.weights.h5": bytes(60_000_000)}
    path = write(tmp_path / "model.keras", files, zipfile.ZIP_DEFLATED)
    del files
    before = most_memory()
    with pytest.raises(ValueError, match="it claims 60,"):
        load_model(path)
    assert most_memory() - before < 1e8


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files.pop("metadata.json"),
        lambda files: files.update({"assets/vocabulary.txt": b""}),
        lambda files: files.update({"../../x": b""}),
    ],
)
def test_other_members_are_refused(saved, tmp_path, change):
    files = contents(saved)
    change(files)
    with pytest.raises(ValueError, match=r"not a whole \.keras file \(it holds"):
        load_model(write(tmp_path / "model.keras", files))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="it is not an ordinary file"):
        load_model(tmp_path / "model.keras")


def test_an_operation_on_constants_is_refused(tmp_path):
    def change(config):
        (operation,) = (
            each for each in config["config"]["layers"] if each["class_name"] == "Max"
        )
        operation["inbound_nodes"] = [{"args": [[1] * 9], "kwargs": {}}]

    path = forged(SAVED / "tagger.keras", tmp_path / "model.keras", change)
    with pytest.raises(ValueError, match="reads no other layer"):
        load_model(path)


def keras_layers():
    """Each of Keras's layers that simple arguments and an input make a model of."""
    layers = keras.layers
    for name in dir(layers):
        kind = getattr(layers, name)
        if not isinstance(kind, type) or {base.__name__ for base in kind.__mro__} & set(
            REFUSED
        ):
            continue
        for shape in ((5, 4), (6, 6, 3), (7,), (4, 4, 4, 2)):
            for arguments in ((), (3,), (3, 2), (0.5,), ((1, 1),)):
                try:
                    x = keras.Input(shape, dtype="int32" if "Emb" in name else None)
                    layer = kind(*arguments)
                    merging = kind.__module__.startswith("keras.src.layers.merging")
                    yield keras.Model(x, layer([x, x] if merging else layer(x)))
                    break
                except Exception:  # not the shape or the arguments for this layer
                    continue
            else:
                continue
            break
    x = keras.Input((5, 4))
    cells = [layers.GRUCell(3), layers.LSTMCell(2)]
    for y in (
        layers.Bidirectional(layers.LSTM(3))(x),
        layers.TimeDistributed(layers.Dense(3))(x),
        layers.MultiHeadAttention(2, 3)(x, x),
        layers.RNN(cells)(x),
        layers.SpectralNormalization(layers.Dense(3))(x),
        layers.Activation("relu")(x),
    ):
        yield keras.Model(x, y)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_all_of_keras_s_other_layers_are_loaded(tmp_path):
    path, count = tmp_path / "model.keras", 0
    for model in keras_layers():
        model.save(path)
        try:
            keras.models.load_model(path)
        except Exception:  # a few cannot be read back by Keras
            continue
        assert load_model(path).count_params() == model.count_params()
        count += 1
    assert count > 100
