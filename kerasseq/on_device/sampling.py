"""From logits to a token in numpy, for a host that calls `step` instead of `generate`.

The arithmetic is README.md's, step by step in float32; test_vectors.json beside it
holds what must come out.
"""

import numpy as np

SMALLEST_TEMPERATURE, LARGEST_TEMPERATURE = 1e-6, 1e6
LARGEST_LOGIT = 1e30
LARGEST_UNIFORM = 1 - 2.0**-24


def choose_token(
    logits: np.ndarray,
    uniform: float,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
) -> int:
    """Choose a token by inverting the distribution at a uniform number.

    Args:
        logits: float32 (V,); NaN counts as the lowest.
        uniform: from 0 to below 1; see `uniform_numbers` in tokens.py.
        temperature, top_k, top_p, min_p: as README.md has them.

    Returns:
        The token's id.
    """
    # Python numbers beside arrays, since numpy's own scalars are slow.
    if not np.abs(logits).max() < LARGEST_LOGIT:
        held = np.minimum(logits, LARGEST_LOGIT)
        logits = np.where(logits > -LARGEST_LOGIT, held, -LARGEST_LOGIT)
        logits = logits.astype(np.float32)
    if temperature == 0:
        return int(logits.argmax())
    divisor = min(max(temperature, SMALLEST_TEMPERATURE), LARGEST_TEMPERATURE)
    scaled = (logits - logits.max()) / divisor
    weights = np.exp(scaled)
    if top_k > 0 or top_p < 1 or min_p > 0:
        weights = _kept(weights, top_k or len(weights), top_p, min_p)
    sums = weights.cumsum()
    threshold = np.float32(min(uniform, LARGEST_UNIFORM)) * sums[-1]
    return int(sums.searchsorted(threshold, side="right"))


def _kept(weights: np.ndarray, top_k: int, top_p: float, min_p: float) -> np.ndarray:
    """The weights with those set to 0 that top-k, min-p and top-p drop."""
    order = np.argsort(-weights, kind="stable")  # ties by lower id
    ordered = weights[order]
    ordered[top_k:] = 0
    ordered[ordered < np.float32(min_p)] = 0
    if top_p < 1:
        before = np.cumsum(ordered) - ordered
        head = before < top_p * ordered.sum()
        head[0] = True
        ordered[~head] = 0
    kept = np.zeros_like(weights)
    kept[order] = ordered
    return kept
