"""The names of the package itself exist, are documented, and load when used."""

import inspect
import subprocess
import sys

import pytest

import kerasseq


@pytest.mark.parametrize("name", kerasseq.__all__)
def test_a_public_name_exists_and_has_a_docstring(name):
    value = getattr(kerasseq, name)
    assert len(inspect.getdoc(value).split()) >= 3
    assert value.__name__ == name and value.__module__.startswith("kerasseq.")


def test_nothing_else_is_public():
    assert dir(kerasseq) == sorted(kerasseq.__all__)
    assert len(kerasseq.__all__) <= 43
    with pytest.raises(AttributeError, match="no attribute 'build_everything'"):
        kerasseq.build_everything  # noqa: B018


LIGHT = {
    "import kerasseq": "import kerasseq; dir(kerasseq)",
    "kerasseq --help": "from kerasseq.__main__ import main; main(['--help'])",
    "kerasseq train --help": (
        "from kerasseq.__main__ import main; main(['train', '--help'])"
    ),
    "train_all.py --help": "import train_all; train_all.main(['--help'])",
    "kerasseq write": "from kerasseq.__main__ import main; main(['write', 'x.tflite'])",
}
HEAVY = ("tensorflow", "keras", "matplotlib", "ai_edge_litert")


@pytest.mark.parametrize("what", LIGHT)
def test_what_must_start_fast_loads_nothing_heavy(what):
    names = HEAVY
    if what == "import kerasseq":
        names = (*HEAVY, "numpy", "typer")
    if what == "kerasseq write":
        names = ("tensorflow", "keras", "matplotlib", "typer", "pydantic", "rich")
    program = (
        f"{LIGHT[what]}\nimport sys\nprint(sorted(set({names}) & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
