"""A small translator with random weights, and its file's card."""

from typing import Any

from kerasseq.models.translation import TranslationConfig, build_translation
from kerasseq.signatures.translation import MOST_HYPOTHESES, TranslationOnIds
from kerasseq.text.subwords import Subwords
from tests.support.weights import with_random_weights

PIECES = Subwords((" the", " c", "at", "ß", " 好"))
LENGTH = 9


def build_translator() -> tuple[TranslationOnIds, dict, dict[str, Any]]:
    """What a file is made from: module, signatures, and the card's own entries."""
    config = TranslationConfig(len(PIECES), 12, 3, 1, 1, 17, max_length=LENGTH)
    model = with_random_weights(build_translation(config), seed=17, scale=0.5)
    module = TranslationOnIds(model)
    signatures = module.device_signatures()
    memory = signatures["encode"].output_shapes
    card = {
        "kind": "translator",
        "length": LENGTH,
        "vocabulary_size": len(PIECES),
        "memory_shapes": [
            list(memory[f"memory_{index}"]) for index in range(len(memory) - 1)
        ],
        "state_shapes": module.state_shapes(MOST_HYPOTHESES, LENGTH),
    }
    return module, signatures, card
