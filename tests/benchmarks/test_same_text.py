"""The same seed gives the same text in every runtime, for ten thousand characters."""

import pytest

from benchmarks.browser_loss import loss_in_browser, loss_in_python, open_page
from benchmarks.same_text import (
    UNITS,
    browser,
    build,
    compare,
    serving,
    write_with_tflite,
)
from kerasseq.files.tflite import convert, write_tflite
from kerasseq.models.char_rnn import CELLS
from kerasseq.on_device.model_file import Model
from kerasseq.recipes.characters import describe
from kerasseq.signatures.characters import build_generating_module


@pytest.mark.slow
@pytest.mark.parametrize("vocabulary_size", UNITS)
@pytest.mark.parametrize("cell", CELLS)
def test_all_runtimes_write_the_same(cell, vocabulary_size):
    texts = differing = 0
    rows = compare(cell, vocabulary_size, length=10_000, seeds=1)
    for _, count, found in rows:
        texts += count
        differing += len(found)
        assert [each for each in found if not each.rounding] == []
    assert texts == 3 * 7
    # Among 3,000 characters two are often so close that rounding decides.
    assert differing <= (texts if vocabulary_size == 3000 else 2)


@pytest.mark.slow
def test_a_difference_that_is_not_rounding_is_detected(monkeypatch):
    import benchmarks.same_text as module

    honest = module.write_with_saved_model

    def other(path, vocabulary):
        write = honest(path, vocabulary)

        def write_another(length, seed, settings):
            tokens = write(length, seed, settings).copy()
            tokens[11] = (tokens[11] + 1) % len(vocabulary)
            return tokens

        return write_another

    monkeypatch.setattr(module, "write_with_saved_model", other)
    monkeypatch.setattr(module, "SETTINGS", ({}, {"top_k": 3}))
    found = dict(
        (runtime, differences)
        for runtime, _, differences in compare("gru", 27, length=40, seeds=1)
    )
    assert found["Keras"] == found["CompiledModel"] == []
    assert [each[2:] for each in found["SavedModel"]] == [(11, False)] * 2


@pytest.mark.slow
def test_the_browser_writes_the_same(built_page):
    with browser() as chromium:
        for cell in CELLS:
            rows = compare(cell, 65, length=10_000, seeds=1, chromium=chromium)
            (found,) = [row[1:] for row in rows if row[0] == "browser"]
            count, differences = found
            assert count == 7
            assert [each for each in differences if not each.rounding] == []


@pytest.mark.slow
def test_small_variants_lose_the_same_in_the_browser(built_page, tmp_path):
    model, vocabulary = build("lstm", 65)
    frozen = build_generating_module(model, vocabulary, frozen=True)
    flatbuffers = {
        name: convert(frozen, frozen.device_signatures(), name)
        for name in ("float32", "float16", "int8")
    }
    # A model predicts its own text best.
    text = write_with_tflite(flatbuffers["float32"], "interpreter", model)(2_000, 1, {})
    with browser() as chromium, serving() as address:
        page = open_page(chromium, address)
        for name, flatbuffer in flatbuffers.items():
            path = write_tflite(
                tmp_path / f"{name}.tflite",
                flatbuffer,
                describe(model, frozen.state_shapes, {}),
                {"vocabulary.json": vocabulary.to_json()},
            )
            device = Model(path)
            here = loss_in_python(device, text)
            assert 0.5 < here < 4  # neither certain nor a random guess
            assert abs(loss_in_browser(page, device, text) - here) < 0.001
