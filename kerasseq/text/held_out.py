"""The held-out end of a text."""

import numpy as np

MOST_HELD_OUT = 1_000_000  # characters; more would take minutes and show nothing new


def split_text(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a text's ids into those to train on and the held-out end.

    The last tenth is held out, but at most a million characters.

    Example:
        >>> training, held_out = split_text(np.arange(50))
        >>> len(training), held_out.tolist()
        (45, [45, 46, 47, 48, 49])
    """
    boundary = len(ids) - min(len(ids) // 10, MOST_HELD_OUT)
    return ids[:boundary], ids[boundary:]
