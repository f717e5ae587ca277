"""Keras's own files and callbacks keep all that a learner needs to continue."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasseq.models.char_rnn import CELLS, CharRNNConfig, build_char_rnn
from kerasseq.models.char_transformer import (
    CharTransformerConfig,
    build_char_transformer,
)
from kerasseq.models.classifier import ClassifierConfig, build_classifier
from kerasseq.models.encoder import (
    EncoderConfig,
    build_encoder,
    build_masked_word_model,
)
from kerasseq.models.next_word import NextWordConfig, build_next_word_model
from kerasseq.models.stateful import build_stateful_model
from kerasseq.models.tagger import TaggerConfig, build_tagger
from kerasseq.training.compiling import compile_for_training
from kerasseq.training.configuration import TrainingConfig

ROOT = Path(__file__).parents[2]
V, B, T = 11, 4, 6

# In another process, which imports nothing of this module.
PROGRAM = """
import json, sys
import keras, numpy as np
import kerasseq  # and nothing of it is used
found = {}
for path in sys.argv[1:]:
    model = keras.models.load_model(path)
    model.run_eagerly = True
    with np.load(path + ".npz") as kept:
        arrays = [kept[name] for name in kept.files]
    count = len(model.inputs)
    found[path] = [
        float(model.train_on_batch(arrays[i] if count == 1 else arrays[i : i + count],
                                   arrays[i + count]))
        for i in range(0, len(arrays), count + 1)
    ]
print(json.dumps(found))
"""


def stateful(model: keras.Model) -> keras.Model:
    return build_stateful_model(model, B, T)


def classifier() -> keras.Model:
    config = ClassifierConfig(
        V, 3, 4, num_heads=2, num_blocks=1, word_dropout=0.0, dropout=0.0
    )
    model = build_classifier(config)
    return keras.Model(model.input, model.output["logits"])


def masked_word_model() -> keras.Model:
    encoder = build_encoder(EncoderConfig(V, 8, 2, 1, 5, dropout=0.0))
    model = build_masked_word_model(encoder, V)
    return keras.Model(model.inputs, model.output)


# Without dropout: Keras keeps no state of random numbers in files.
LEARNERS = {
    **{
        cell: lambda cell=cell: stateful(build_char_rnn(CharRNNConfig(V, cell, 5, 2)))
        for cell in CELLS
    },
    "char_transformer": lambda: stateful(
        build_char_transformer(CharTransformerConfig(V, 8, 2, 2, 4))
    ),
    "next_word": lambda: stateful(
        build_next_word_model(NextWordConfig(V, 5, 2, 4, dropout=0.0))
    ),
    "encoder": masked_word_model,
    "classifier": classifier,
    "tagger": lambda: build_tagger(
        TaggerConfig(V, ("place",), 3, 4, 3, 5, 6, dropout=0.0, ngram_dropout=0.0)
    ),
}
LIMITS = {"chosen": (0, T)}  # of inputs that are no ids
# Those that are not float32 with Adam.
POLICIES = {"char_transformer": "mixed_bfloat16", "gru": "mixed_float16"}
OPTIMIZERS = {"lstm": "muon", "char_transformer": "muon", "tagger": "muon"}


def batch(model: keras.Model, seed: int) -> tuple:
    """Random inputs and targets with the shapes of a learner."""
    numbers = np.random.default_rng(seed)
    inputs = [
        numbers.integers(*LIMITS.get(x.name, (1, V)), (B, T, *x.shape[2:])).astype(
            "int32"
        )
        for x in model.inputs
    ]
    *steps, classes = model.output_shape
    targets = numbers.integers(0, classes, (B, T)[: len(steps)])
    return inputs if len(inputs) > 1 else inputs[0], targets


def learner(name: str) -> keras.Model:
    keras.utils.set_random_seed(3)
    keras.config.set_dtype_policy(POLICIES.get(name, "float32"))
    try:
        model = LEARNERS[name]()
    finally:
        keras.config.set_dtype_policy("float32")
    optimizer = OPTIMIZERS.get(name, "adam")
    config = TrainingConfig(
        B, T, 9, 9, warmup_steps=2, optimizer=optimizer, weight_decay=0.5
    )
    compile_for_training(model, config, jit_compile=False)
    model.run_eagerly = True  # a few small steps take less time than compiling one
    return model


def train(model: keras.Model, seeds: range) -> list[float]:
    return [float(model.train_on_batch(*batch(model, seed))) for seed in seeds]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Each learner's next losses, here and from its file in another process."""
    folder, here = tmp_path_factory.mktemp("learners"), {}
    for name in LEARNERS:
        model, path = learner(name), str(folder / f"{name}.keras")
        train(model, range(2))
        model.save(path)
        here[path] = train(model, range(2, 5))
        batches = [batch(model, seed) for seed in range(2, 5)]
        np.savez(f"{path}.npz", *keras.tree.flatten(batches))
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *here],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "Skipping variable loading" not in ran.stderr
    there = json.loads(ran.stdout.splitlines()[-1])
    return {Path(path).stem: (here[path], there[path]) for path in here}


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_continues_from_its_file_in_another_process(name, runs):
    here, there = runs[name]
    # The next loss needs weights and states, the two after it the optimizer's too.
    assert len(set(here)) == 3
    # A loaded learner takes Keras's step, in which Adam squares the summands of an
    # embedding's gradient instead of their sum.
    np.testing.assert_allclose(there, here, rtol=1e-2 if name in POLICIES else 1e-4)


@pytest.mark.parametrize("name", ["lstm", "char_transformer"])
def test_the_reset_rate_is_in_the_file(name, tmp_path):
    model = {
        "lstm": lambda: build_char_rnn(CharRNNConfig(V, "lstm", 5)),
        "char_transformer": lambda: build_char_transformer(
            CharTransformerConfig(V, 8, 2, 1, 4)
        ),
    }[name]()
    build_stateful_model(model, B, T, 0.25, 7).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    (layer,) = (each for each in loaded.layers if getattr(each, "stateful", False))
    assert (layer.reset_rate, layer.seed) == (0.25, 7)
    rest = keras.models.load_model(tmp_path / "model.keras").get_layer(layer.name)
    assert rest.get_config() == layer.get_config()


def losses(logs: keras.callbacks.History) -> list[float]:
    return logs.history["loss"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gru", "char_transformer"])
def test_keras_callbacks_bring_a_learner_back(name, tmp_path):
    """A run interrupted in its third epoch continues as if undisturbed."""
    whole = learner(name)
    inputs, targets = batch(whole, 1)
    settings = {"batch_size": B, "verbose": 0, "shuffle": False}
    expected = losses(whole.fit(inputs, targets, epochs=4, **settings))

    class PowerCut(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    kept = str(tmp_path / "best.keras")
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    keeping = keras.callbacks.ModelCheckpoint(kept, "loss", save_best_only=True)
    with pytest.raises(KeyboardInterrupt):
        learner(name).fit(
            inputs,
            targets,
            epochs=4,
            callbacks=[backup, keeping, PowerCut()],
            **settings,
        )
    again = learner(name)
    rest = losses(again.fit(inputs, targets, epochs=4, callbacks=[backup], **settings))
    np.testing.assert_allclose(rest, expected[2:], rtol=1e-2)
    from_file = keras.models.load_model(kept)
    from_file.run_eagerly = True
    loss = losses(from_file.fit(inputs, targets, **settings))
    np.testing.assert_allclose(loss, expected[2:3], rtol=1e-2)


@pytest.mark.slow
def test_a_halved_learning_rate_is_in_the_file(tmp_path):
    for name in ("gru", "lstm"):
        model = learner(name)
        optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        optimizer.learning_rate_factor.assign(0.25)
        train(model, range(1))
        model.save(tmp_path / "model.keras")
        found = keras.models.load_model(tmp_path / "model.keras").optimizer
        found = getattr(found, "inner_optimizer", found)
        assert float(found.learning_rate_factor) == 0.25
        assert found.iterations == 1
        np.testing.assert_allclose(found.learning_rate, optimizer.learning_rate)


def test_weight_decay_shrinks_only_matrices_after_loading_too(tmp_path):
    model = learner("simple_rnn")
    train(model, range(1))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    loaded.optimizer.learning_rate_factor.assign(1.0)
    before = [np.array(v.value) for v in loaded.trainable_variables]
    zeros = [keras.ops.zeros_like(v) for v in loaded.trainable_variables]
    for slots in loaded.optimizer.variables:
        if "momentum" in slots.path or "velocity" in slots.path:
            slots.assign(keras.ops.zeros_like(slots))
    loaded.optimizer.apply(zeros, loaded.trainable_variables)
    for variable, old in zip(loaded.trainable_variables, before, strict=True):
        changed = np.any(np.array(variable.value) != old)
        assert changed == variable.path.endswith("kernel"), variable.path
