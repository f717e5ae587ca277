"""Models under a mixed policy train, carry their state, write and become files."""

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import kerasseq as ks
from kerasseq.models.encoder import build_masked_word_model
from kerasseq.models.precision import as_float32
from kerasseq.models.stateful import build_stateful_model
from kerasseq.on_device.model_file import Model
from kerasseq.recipes.encoder import ALLOWED_DIFFERENCE
from kerasseq.signatures.states import zero_states
from kerasseq.signatures.steps import state_shapes, step_function
from kerasseq.text.words import SPECIALS

ROOT = Path(__file__).parents[2]
B, T = 4, 6
CHARACTERS = ks.Vocabulary.from_text("the cat sat on a mat")
WORDS = ks.WordVocabulary.from_sentences(["the cat sat on the mat", "a dog ran"])
TYPED = ks.TypedVocabulary((*SPECIALS, ".", ",", "I", "Rome", "the", "of"))


def char_rnn(cell: str) -> keras.Model:
    return ks.build_char_rnn(ks.CharRNNConfig(len(CHARACTERS), cell, 7, 2, 5, 0.1))


def transformer() -> keras.Model:
    sizes = ks.CharTransformerConfig(len(CHARACTERS), 12, 3, 2, 5, 0.1)
    return ks.build_char_transformer(sizes)


def encoder() -> keras.Model:
    return ks.build_encoder(ks.EncoderConfig(len(WORDS), 6, 3, 2, 5, max_length=9))


def classifier() -> keras.Model:
    sizes = ks.ClassifierConfig(len(WORDS), 2, 6, 1, num_heads=3, max_length=9)
    return ks.build_classifier(sizes)


# How a kind of model is built, its vocabulary, and what an export takes beside.
KINDS = {
    "gru": (functools.partial(char_rnn, "gru"), CHARACTERS, {}),
    "lstm": (functools.partial(char_rnn, "lstm"), CHARACTERS, {}),
    "simple_rnn": (functools.partial(char_rnn, "simple_rnn"), CHARACTERS, {}),
    "char_transformer": (transformer, CHARACTERS, {}),
    "next_word": (
        lambda: ks.build_next_word_model(ks.NextWordConfig(len(TYPED), 7, 2, 5)),
        TYPED,
        {},
    ),
    "encoder": (encoder, WORDS, {}),
    "classifier": (classifier, WORDS, {"labels": ("good", "bad")}),
    "tagger": (
        lambda: ks.build_tagger(ks.TaggerConfig(len(WORDS), ("x",), 5, 4, 3, 6, 7)),
        WORDS,
        {"tags": ("O", "B-x", "I-x")},
    ),
}
STEPPING = [kind for kind, row in KINDS.items() if row[1] is not WORDS]
# The largest that a number loses, as a fraction of it.
ROUNDING = {"mixed_bfloat16": 2**-8, "mixed_float16": 2**-11}
POLICIES = tuple(ROUNDING)


def learner_of(kind: str, model: keras.Model) -> keras.Model:
    """What is trained of a model: it shares the weights."""
    if kind in STEPPING:
        return ks.build_stateful_model(model, B, T, reset_rate=0.5)
    if kind == "encoder":
        return build_masked_word_model(model, len(WORDS))
    if kind == "classifier":
        return keras.Model(model.input, model.output["logits"])
    return model


def some_inputs(model: keras.Model, batch: int, seed: int = 0) -> Any:
    """Ids, and indices of words, in the structure that the model takes."""
    rng = np.random.default_rng(seed)

    def draw(each: keras.KerasTensor) -> np.ndarray:
        return rng.integers(1, T, (batch, T, *each.shape[2:])).astype(np.int32)

    return keras.tree.map_structure(draw, model._inputs_struct)


@functools.cache
def trained(kind: str, policy: str) -> tuple[keras.Model, keras.Model, list[float]]:
    """A model, its learner, and the losses of three steps."""
    keras.utils.set_random_seed(7)
    keras.mixed_precision.set_global_policy(policy)
    try:
        model = KINDS[kind][0]()
        learner = learner_of(kind, model)
        config = ks.TrainingConfig(B, T, 1, 3, learning_rate=0.1)
        ks.compile_for_training(learner, config, jit_compile=False)
        learner.run_eagerly = True  # three small steps take less time than compiling
        *steps, classes = learner.output_shape
        shape = (B, T)[: len(steps)]
        targets = np.random.default_rng(1).integers(0, classes, shape)
        inputs = some_inputs(learner, B)
        history = learner.fit(
            inputs,
            targets,
            batch_size=B,
            epochs=3,
            verbose=0,
        )
    finally:
        keras.mixed_precision.set_global_policy("float32")
    return model, learner, history.history["loss"]


def outputs_of(model: keras.Model) -> dict[str, np.ndarray]:
    inputs = some_inputs(model, 3, seed=2)
    outputs = model(inputs)
    outputs = outputs if isinstance(outputs, dict) else {"logits": outputs}
    return {name: np.asarray(tf.cast(x, tf.float32)) for name, x in outputs.items()}


def in_float32(kind: str, policy: str) -> keras.Model:
    """A model of the same builder under float32, with the weights of the trained."""
    model = KINDS[kind][0]()
    model.set_weights(trained(kind, policy)[0].get_weights())
    return model


# The others are among the slow tests, since all take a minute.
FAST = ("gru", "mixed_bfloat16")


def cases(kinds):
    return pytest.mark.parametrize(
        ("kind", "policy"),
        [
            pytest.param(
                kind,
                policy,
                marks=() if (kind, policy) == FAST else pytest.mark.slow,
            )
            for policy in POLICIES
            for kind in kinds
        ],
    )


@cases(KINDS)
def test_it_learns_with_float32_weights_and_logits(kind, policy):
    model, learner, losses = trained(kind, policy)
    half = policy.removeprefix("mixed_")
    assert half in {layer.compute_dtype for layer in model.layers}
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    assert np.isfinite(losses).all() and losses[2] != losses[1]
    inputs = some_inputs(learner, B)
    logits = learner(inputs)
    assert logits.dtype == "float32"
    # Small gradients would be zero in float16.
    scales = isinstance(learner.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scales == (half == "float16")
    assert learner.optimizer.iterations == 3


@cases(KINDS)
def test_it_computes_what_float32_does_to_its_precision(kind, policy):
    expected = outputs_of(in_float32(kind, policy))
    found = outputs_of(trained(kind, policy)[0])
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(
            found[name], values, atol=20 * ROUNDING[policy], err_msg=name
        )


@cases(KINDS)
def test_its_float32_twin_is_that_of_the_builder(kind, policy):
    model = trained(kind, policy)[0]
    twin, expected = as_float32(model), in_float32(kind, policy)
    assert {layer.compute_dtype for layer in twin.layers if layer.weights} == {
        "float32"
    }
    assert twin.name == expected.name
    assert [each.name for each in twin.layers] == [each.name for each in model.layers]
    for name, values in outputs_of(expected).items():
        np.testing.assert_array_equal(outputs_of(twin)[name], values)
    assert as_float32(twin) is twin


@cases(STEPPING)
def test_step_by_step_it_reads_what_it_reads_at_once(kind, policy):
    model = trained(kind, policy)[0]
    ids = some_inputs(model, 1)
    expected = np.asarray(model(ids))[0]
    sampling = build_stateful_model(model, batch_size=1, length=1)
    by_twin = [sampling(ids[:, step, None])[0, 0] for step in range(T)]
    tolerance = 25 * ROUNDING[policy]
    np.testing.assert_allclose(by_twin, expected, atol=tolerance)
    if kind == "next_word":
        return
    module = ks.build_generating_module(model, CHARACTERS)
    step, states, by_step = step_function(model), zero_states(state_shapes(model)), []
    for token in ids[0]:
        logits, states = step(tf.constant([token]), states)
        by_step.append(logits[0])
    np.testing.assert_allclose(by_step, expected, atol=tolerance)
    text = ks.generate(module, "the ", 5, seed=1)
    assert len(text) == 5 and set(text) <= set("the cat sat on a mat")


def check_export(kind, policy, folder):
    model = trained(kind, policy)[0]
    _, vocabulary, names = KINDS[kind]
    keras.mixed_precision.set_global_policy(policy)
    try:
        section = ks.export(model, vocabulary, folder, **names)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert all(check["passed"] for check in section["checks"])
    file = Model(folder / f"{model.name}_float32.tflite")
    interpreter = Interpreter(model_content=file.flatbuffer)
    kinds = {np.dtype(each["dtype"]) for each in interpreter.get_tensor_details()}
    assert np.dtype("float32") in kinds
    assert not {np.dtype("float16"), np.dtype("float64")} & kinds
    assert section["parameters"] == model.count_params()


@pytest.mark.slow
def test_a_model_becomes_files_that_compute_in_float32(tmp_path, monkeypatch):
    for number_format in ("float16", "int8"):
        monkeypatch.delitem(ALLOWED_DIFFERENCE, number_format)
    check_export("encoder", "mixed_bfloat16", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_model_becomes_files_that_compute_in_float32(kind, policy, tmp_path):
    check_export(kind, policy, tmp_path)


PROGRAM = """
import json, sys
import keras
import kerasseq
found = {}
for path in sys.argv[1:]:
    model = kerasseq.load_model(path)
    found[path] = sorted({layer.compute_dtype for layer in model.layers})
    model.save(path + ".again.keras")
print(json.dumps(found))
"""


@pytest.mark.slow
def test_another_process_loads_it_with_its_policy(tmp_path):
    models = {}
    for policy in POLICIES:
        for kind in KINDS:
            path = str(tmp_path / f"{kind}_{policy}.keras")
            models[path] = trained(kind, policy)[0]
            ks.save_model(models[path], path)
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *models],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads(ran.stdout.splitlines()[-1])
    for path, model in models.items():
        half = {each.compute_dtype for each in model.layers if each.weights}
        assert half <= set(found[path])
        again = ks.load_model(path + ".again.keras")
        policy = path.removesuffix(".keras")[path.index("mixed_") :]
        for name, values in outputs_of(model).items():
            # Where a model is built, and not where it is loaded, the global policy is
            # its own too: there Keras leaves a Transformer's logits unrounded.
            np.testing.assert_allclose(
                outputs_of(again)[name], values, atol=20 * ROUNDING[policy]
            )
