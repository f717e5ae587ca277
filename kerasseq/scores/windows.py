"""The loss of a model that carries no state."""

import keras
import numpy as np


def window_loss(
    model: keras.Model,
    ids: np.ndarray,
    num_windows: int = 1000,
    length: int = 256,
    seed: int = 0,
) -> float:
    """Loss of a model that begins each window of a text without a state.

    Programs that carry no state measure it so, nanoGPT's `estimate_loss` among them.
    The first characters of a window are predicted from few others, which costs some
    hundredths of a nat compared with a state carried through the text.

    Args:
        model: from `build_char_rnn`.
        ids: int (N,), the text.
        num_windows: how many windows, each from a random place of the text.
        length: characters in a window; of a shorter text all but the last.
        seed: of the places.

    Returns:
        Mean cross-entropy in nats a character.
    """
    length = min(length, len(ids) - 1)
    starts = np.random.default_rng(seed).integers(0, len(ids) - length, num_windows)
    at = starts[:, None] + np.arange(length)
    inputs, targets = (np.asarray(ids[places], np.int32) for places in (at, at + 1))
    reader = keras.Model(model.inputs, model.outputs)
    reader.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    # Few at a time: with thousands of characters, one window's logits take megabytes.
    return float(reader.evaluate(inputs, targets, batch_size=10, verbose=0))
