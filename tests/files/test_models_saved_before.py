"""Models saved by earlier versions load and give the same outputs."""

from pathlib import Path

import numpy as np
import pytest

from kerasseq.files.keras_models import load_model

SAVED = Path(__file__).parents[1] / "saved"


@pytest.mark.parametrize("path", sorted(SAVED.glob("*.keras")), ids=lambda p: p.stem)
def test_a_saved_model_loads_and_gives_the_same_outputs(path):
    model = load_model(path)
    with np.load(SAVED / "outputs.npz") as kept:
        inputs = [kept["ids"], kept["letters"]][: len(model.inputs)]
        if path.stem == "translation":
            inputs = [{"source_ids": kept["ids"], "target_ids": kept["ids"]}]
        outputs = model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])
        if not isinstance(outputs, dict):
            outputs = {"logits": outputs}
        expected = {
            name.partition("/")[2]: kept[name]
            for name in kept.files
            if name.startswith(f"{path.stem}/")
        }
    assert set(outputs) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(outputs[name], values, atol=2e-6, err_msg=name)
