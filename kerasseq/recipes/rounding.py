"""Whether two texts differ by more than rounding can explain."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import keras
import numpy as np

from kerasseq.on_device.sampling import choose_token
from kerasseq.on_device.tokens import uniform_numbers
from kerasseq.recipes.stepping import ALLOWED_LOGITS_DIFFERENCE, keras_logits
from kerasseq.text.characters import Vocabulary


def text_difference(
    written: str,
    expected: str,
    model: keras.Model,
    vocabulary: Vocabulary,
    prompt: np.ndarray,
    seed: int,
    **settings: Any,
) -> str:
    """Where the text differs from Keras's beyond rounding; "no" if nowhere.

    Runtimes add in different orders, so their logits differ in the last digits. If this
    moves a uniform number across the border between two characters, another text
    follows, and the file is still correct.

    Args:
        written: the text to judge.
        expected: the text of the Keras model.
        model: the Keras model.
        vocabulary: its characters.
        prompt: ids before both texts.
        seed: of the uniform numbers.
        **settings: of the sampling, as for `choose_token`.
    """
    same = common_length(written, expected)
    if same == len(expected):
        return "no"
    read = np.append(prompt, vocabulary.encode(expected[:same]))
    logits = keras_logits(model, read)[-1]
    possible = possible_tokens(logits, uniform_numbers(seed, same, 1)[0], **settings)
    pair = written[same : same + 1] + expected[same]
    if len(pair) == 2 and possible >= set(vocabulary.encode(pair).tolist()):
        return "no"
    return f"at character {same}"


def common_length(one: Sequence, other: Sequence) -> int:
    """The length of the common prefix of two texts, or of two lists."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def possible_tokens(logits: np.ndarray, uniform: float, **settings: Any) -> set[int]:
    """The tokens that are chosen with logits within rounding of these."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, ALLOWED_LOGITS_DIFFERENCE / 3, (100, len(logits)))
    nearby = (logits + noise).astype(np.float32)
    return {choose_token(row, uniform, **settings) for row in nearby}
