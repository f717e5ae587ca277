"""The assertions of a lesson fail when what it shows is broken."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Of each lesson: a piece of its text, and what replaces it. A broken lesson runs a few
# seconds; the others were broken by hand.
BREAKS = {
    "unrolling": ("in zip(*separate, strict", "in zip(*separate[:-1], strict"),
    "vanishing_gradients": ("recurrent *= radius /", "recurrent *= 0.9 * radius /"),
    "gates": ("[zeros, biases, zeros, zeros]", "[biases, zeros, zeros, zeros]"),
    "straight_path": ("x = x + 0.1 * layer(x)", "x = 0.1 * layer(x)"),
    "clipping": ("SGD(0.1, global_clipnorm=limit)", "SGD(0.1)"),
    "why_the_root": ("if not scaled:\n        query = query *", "query = query *"),
    "add_and_norm": ("return x + function(normalize", "return function(normalize"),
    "positions": ("np.asarray(rotate(queries, 0, WINDOW))", "np.asarray(queries)"),
    "masking": ("if self.causal else None", "if False else None"),
}


@pytest.mark.slow
@pytest.mark.parametrize("lesson", BREAKS)
def test_broken_lesson_fails(lesson, tmp_path):
    text = (ROOT / "lessons" / f"{lesson}.py").read_text(encoding="utf-8")
    piece, broken = BREAKS[lesson]
    assert text.count(piece) == 1
    path = tmp_path / "broken.py"
    path.write_text(text.replace(piece, broken), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, path],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"},
    )
    assert result.returncode == 1, result.stderr
    assert result.stderr.splitlines()[-1].startswith("AssertionError"), result.stderr
