"""Shared by all tests: a quiet TensorFlow, hypothesis's settings, known warnings."""

import os
import shutil
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

import hypothesis
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PAGE = Path(__file__).parents[1] / "export" / "web"

# The same examples in every run; none are stored in the checkout.
hypothesis.settings.register_profile(
    "kerasseq", deadline=None, derandomize=True, database=None, max_examples=50
)
hypothesis.settings.load_profile("kerasseq")


def pytest_configure(config):
    # TensorFlow's variables as NumPy 2 arrays, in Keras's own code.
    config.addinivalue_line(
        "filterwarnings",
        "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning",
    )


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory) -> Path:
    """A cache for texts, apart from the user's own."""
    folder = tmp_path_factory.mktemp("cache") / "kerasseq"
    os.environ["KERASSEQ_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def built_page():
    """Skip the test unless a browser and the built page are here."""
    pytest.importorskip("playwright", reason="no playwright")
    if not shutil.which("chromium"):
        pytest.skip("chromium is not installed")
    if not (PAGE / "dist" / "worker.js").exists():
        pytest.skip(f"the page is not built: npm ci && npm run build, in {PAGE}")


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory):
    """An environment with only numpy, ai-edge-litert and their dependencies."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder)
    python = folder / "bin" / "python"
    packages = [f"{name}=={version(name)}" for name in ("numpy", "ai-edge-litert")]
    install = [sys.executable, "-m", "pip", "--python", python, "install", *packages]
    try:
        result = subprocess.run(install, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        pytest.skip("pip did not finish within five minutes")
    if result.returncode:
        pytest.skip(f"pip cannot install: {result.stderr.strip().splitlines()[-1]}")
    return python
