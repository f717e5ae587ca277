"""No integer stops an exported graph: those out of range count as the nearest in it."""

import json

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from kerasseq.files.tflite import convert
from tests.support.small_files import modules

# Each of these takes any integer.
FREE = "top_k", "beam_width", "max_length"
ENDS = {"letters": (0, 255), "prompt_length": (1, 256), "length": (0, 256)}


@pytest.mark.slow
def test_any_integers_are_answered_as_the_nearest_in_range():
    rng = np.random.default_rng(2)
    kinds = []
    for kind, module, signatures, card, vocabulary in modules():
        entries, *_ = json.loads(vocabulary.to_json()).values()
        size = card.get("vocabulary_size", len(entries)) + card.get("own_words", 0)
        interpreter = Interpreter(model_content=convert(module, signatures))
        kinds.append(kind)
        # Close to the ends, as LiteRT's benchmark tool draws them, and any at all.
        for low, high in [(-2, size + 2)] * 9 + [(0, 100)] * 3 + [(-(2**31), 2**31)]:
            for name in signatures:
                run = interpreter.get_signature_runner(name)
                inputs = {
                    key: rng.integers(low, high, each["shape"]).astype(np.int32)
                    if each["dtype"] is np.int32
                    else rng.uniform(-0.5, 0.5, each["shape"]).astype(np.float32)
                    for key, each in run.get_input_details().items()
                }
                held = {
                    key: np.clip(values, *ENDS.get(key, (0, size - 1)))
                    if values.dtype == np.int32 and key not in FREE
                    else values
                    for key, values in inputs.items()
                }
                found, wanted = run(**inputs), run(**held)
                for key in wanted:
                    np.testing.assert_array_equal(found[key], wanted[key])
    assert len(kinds) == 8
