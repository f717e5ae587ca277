"""Forged files of a run's folder are read, or refused in one line."""

import pytest

from tests.fuzz.fuzz_folder import KINDS, fuzz

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "keras"])
def test_forged_lists_and_reports(kind):
    counts = fuzz(kind, 100)
    assert counts["read"] + counts["refused"] == 100
    assert min(counts["read"], counts["refused"]) > 0


def test_forged_models():
    counts = fuzz("keras", 15)
    assert counts["read"] + counts["refused"] == 15
    assert counts["refused"] > counts["read"] > 0


def test_many_forged_models():
    assert sum(fuzz("keras", 1000).values()) == 1000
