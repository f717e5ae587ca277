"""Bad input gives a message or the right text, never a crash or another text."""

import pytest

from tests.fuzz import fuzz_page
from tests.fuzz.fuzz_runner import Case, Outcome, fuzz, judge, sample_files


@pytest.fixture(scope="module")
def files():
    return sample_files()


@pytest.mark.slow
def test_bad_input(files):
    counts = fuzz(*files, 900)
    assert sum(counts.values()) == 900
    kinds = {kind for kind, _ in counts}
    assert len(kinds) == 9
    # Each kind is refused at least once, except prompts: any text is allowed.
    assert {kind for kind, verdict in counts if verdict == "refused"} == kinds - {
        "prompt"
    }


@pytest.mark.slow
def test_much_bad_input(files):
    assert sum(fuzz(*files, 10_000).values()) == 10_000


@pytest.mark.slow
def test_bad_input_to_the_page(built_page):
    counts = fuzz_page.fuzz(900)
    # Half characters cannot be sent to the browser.
    assert 880 < sum(counts.values()) <= 900
    assert len({kind for kind, _ in counts}) == 9


@pytest.mark.slow
def test_hostile_models_in_the_page(built_page):
    counts = fuzz_page.fuzz_models(60)
    assert sum(counts.values()) == 60
    assert counts["refused by the runtime"] > 20


@pytest.mark.parametrize(
    ("kind", "outcome", "verdict"),
    [
        ("cut", Outcome(2, "", ["generate.py: it is cut"]), "refused"),
        ("cut", Outcome(2, "", []), "REFUSED WITHOUT"),
        ("cut", Outcome(2, "", ["generate.py: a", "b"]), "REFUSED WITHOUT"),
        ("cut", Outcome(2, "x", ["generate.py: a"]), "REFUSED WITHOUT"),
        ("cut", Outcome(1, "", ["generate.py: a"]), "NEITHER"),
        ("tail", Outcome(0, "a" * 24, []), "written"),
        ("tail", Outcome(0, "b" * 24, []), "ANOTHER TEXT"),
        ("prompt", Outcome(0, "b" * 24, []), "written"),
        ("prompt", Outcome(0, "b" * 23, []), "NEITHER"),
        ("prompt", Outcome(2, "", ["generate.py: no"]), "REFUSED GOOD INPUT"),
    ],
)
def test_the_judge_tells_right_from_wrong(kind, outcome, verdict):
    assert judge(Case(kind, b""), outcome, "a" * 24).startswith(verdict)
