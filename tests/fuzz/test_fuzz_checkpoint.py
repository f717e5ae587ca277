"""A forged checkpoint is refused in one line, or sets only what callbacks declare."""

import pytest

from tests.fuzz.forgeries import KINDS
from tests.fuzz.fuzz_checkpoint import fuzz


@pytest.mark.parametrize(
    "cases", [20 * len(KINDS), pytest.param(4_000, marks=pytest.mark.slow)]
)
def test_forged_checkpoints(cases):
    counts = fuzz(cases)
    assert sum(counts.values()) == cases
    refused = {kind for kind, verdict in counts if verdict == "refused"}
    assert refused == {"name_values", "history", "done", "change_arrays"}
    # What is damaged is refused too: the checkpoint before it is restored.
    assert {kind for kind, verdict in counts if verdict == "restored"} >= {
        *("flip", "cut", "sizes"),
    }
