"""The loss of a model that carries no state."""

import keras
import numpy as np

from kerasseq.layers.recurrent import supports_xla


def window_loss(
    model: keras.Model,
    ids: np.ndarray,
    num_windows: int = 1000,
    length: int = 256,
    seed: int = 0,
) -> float:
    """Loss of a model on random windows of a text, each read without a state.

    Programs without a state measure the loss this way, such as nanoGPT's
    `estimate_loss`. The first characters of a window have little context, which costs
    some hundredths of a nat compared with a state carried through the text.

    Args:
        model: from `build_char_rnn`.
        ids: int (N,), the text.
        num_windows: number of windows.
        length: characters in a window, at most all but the last of the text.
        seed: of the windows' positions.

    Returns:
        Mean cross-entropy in nats a character.
    """
    length = min(length, len(ids) - 1)
    starts = np.random.default_rng(seed).integers(0, len(ids) - length, num_windows)
    at = starts[:, None] + np.arange(length)
    inputs, targets = (np.asarray(ids[each], np.int32) for each in (at, at + 1))
    reader = keras.Model(model.inputs, model.outputs)
    reader.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=supports_xla(model),
    )
    # Few at a time: with a large vocabulary, one window's logits take megabytes.
    return float(reader.evaluate(inputs, targets, batch_size=10, verbose=0))
