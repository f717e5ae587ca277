"""Shared by all tests: a quiet TensorFlow, hypothesis's settings, known warnings."""

import gc
import os
import shutil
import venv
from importlib.metadata import distribution
from pathlib import Path

import hypothesis
import pytest
from packaging.requirements import Requirement

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


def pytest_collection_finish():
    # Each conversion collects garbage; the imported modules are none.
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory) -> Path:
    """A cache for texts, apart from the user's own."""
    folder = tmp_path_factory.mktemp("cache") / "kerasseq"
    os.environ["KERASSEQ_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="module")
def without_xla(request):
    """The module's models are not compiled by XLA, which takes seconds for each.

    Where the slow tests are asked for they are, as they are for users.
    """
    if request.config.option.markexpr != "not slow":
        yield
        return
    import keras

    with pytest.MonkeyPatch.context() as patch:
        off = property(lambda model: False, lambda model, value: None)
        patch.setattr(keras.Model, "jit_compile", off)
        yield


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
    """An environment with only numpy, ai-edge-litert and their dependencies.

    Their files are links to those of this environment: pip needs 15 seconds for copies.
    """
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder)
    (packages,) = folder.glob("lib/*/site-packages")
    waiting, found = ["numpy", "ai-edge-litert"], set()
    while waiting:
        package = distribution(waiting.pop())
        if package.name in found:
            continue
        found.add(package.name)
        for path in package.files:
            if ".." not in path.parts:
                link = packages / path
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(package.locate_file(path).resolve())
        for line in package.requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting.append(needed.name)
    return folder / "bin" / "python"
