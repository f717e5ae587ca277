"""The end of a text that is held out."""

import numpy as np

MOST_HELD_OUT = 1_000_000  # characters: more would take minutes and tell no more


def split_text(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a text's ids into those to train on and the held-out end.

    The last tenth is held out, of a text above ten million characters the last million.
    """
    boundary = len(ids) - min(len(ids) // 10, MOST_HELD_OUT)
    return ids[:boundary], ids[boundary:]
