"""What the tests of this folder share: a small file for each program, and the page."""

import contextlib
import fcntl
import shutil
import subprocess
from pathlib import Path

import keras
import pytest

from kerasseq.files.tflite import convert, write_tflite
from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
from kerasseq.on_device.card import CONTRACT_VERSION
from kerasseq.signatures.characters import build_generating_module
from kerasseq.signatures.steps import state_shapes
from kerasseq.text.characters import Vocabulary
from tests.support.device_files import (
    build_models,
    build_modules,
    write_files,
    write_translator,
)
from tests.support.pages import (
    CHARACTERS,
    DEFAULTS,
    FLAGS,
    PATIENCE,
    WEB,
    Page,
    Serving,
)
from tests.support.weights import with_random_weights


@pytest.fixture(scope="session")
def models() -> dict[str, keras.Model]:
    """A small model for each program, by its name."""
    return build_models()


@pytest.fixture(scope="session")
def modules(models) -> dict:
    """What each file is made from."""
    return build_modules(models)


@pytest.fixture(scope="session")
def files(models, modules, tmp_path_factory) -> dict[str, Path]:
    """A file for each program."""
    return write_files(models, modules, tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="session")
def translator(tmp_path_factory) -> Path:
    """The file of a translator, which takes seconds."""
    return write_translator(tmp_path_factory.mktemp("translator"))


@pytest.fixture(scope="module")
def module():
    characters = len(CHARACTERS)
    model = build_char_rnn(CharRNNConfig(characters, units=5, embedding_size=3))
    model = with_random_weights(model, seed=17, scale=0.7)
    module = build_generating_module(model, Vocabulary.from_text(CHARACTERS))
    module.shapes = state_shapes(model)
    return module


@pytest.fixture(scope="module")
def exported(module, tmp_path_factory):
    """A complete file, made by hand like the recipe's."""
    card = {
        "contract": CONTRACT_VERSION,
        "kind": "character model",
        "cell": "GRU",
        "vocabulary_size": len(CHARACTERS),
        "state_shapes": module.shapes,
        "sampling_defaults": DEFAULTS,
        "licence": "<b>none</b>",
    }
    return write_tflite(
        tmp_path_factory.mktemp("exported") / "a model.tflite",
        convert(module, module.device_signatures()),
        card,
        {"vocabulary.json": Vocabulary.from_text(CHARACTERS).to_json()},
    )


@pytest.fixture(scope="module")
def node():
    found = shutil.which("node")
    if not found or not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
    return found


def npm(*arguments):
    result = subprocess.run(
        ["npm", *arguments], cwd=WEB, capture_output=True, text=True, timeout=300
    )
    return result.returncode, result.stdout + result.stderr


@contextlib.contextmanager
def one_at_a_time():
    """Wait until no other process of the tests installs or builds."""
    with (WEB / "package-lock.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def packages(node):
    """The packages of the lock file, installed."""
    lock, installed = WEB / "package-lock.json", WEB / "node_modules"
    marker = installed / ".package-lock.json"
    with one_at_a_time():
        if not marker.exists() or marker.stat().st_mtime < lock.stat().st_mtime:
            code, output = npm("ci")
            if code:
                pytest.skip(f"npm ci fails: {output.strip().splitlines()[-1]}")
    return installed


@pytest.fixture(scope="module")
def dist(packages):
    """The built page, newer than its sources."""
    sources = [*WEB.glob("src/**/*"), *WEB.glob("*.js*")]
    newest = max(path.stat().st_mtime for path in sources)
    built = WEB / "dist" / "worker.js"
    with one_at_a_time():
        if not built.exists() or built.stat().st_mtime < newest:
            code, output = npm("run", "build")
            assert code == 0, output
    return WEB / "dist"


@pytest.fixture(scope="module")
def served(dist, exported):
    serving = Serving(str(exported))
    yield serving
    serving.end()


@pytest.fixture(scope="module")
def playwright():
    api = pytest.importorskip("playwright.sync_api", reason="no playwright")
    api.expect.set_options(timeout=PATIENCE)
    with api.sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def chromium(playwright):
    program = shutil.which("chromium")
    if not program:
        pytest.skip("chromium is not installed")
    browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def context(chromium):
    # Where a service worker answers, a test could not change what comes.
    # test_offline_page.py has it.
    context = chromium.new_context(
        viewport={"width": 1200, "height": 800}, service_workers="block"
    )
    yield context
    context.close()


@pytest.fixture
def fresh_page(context, served):
    """A separate page, not loaded yet."""
    page = Page(context.new_page(), served)
    yield page
    page.page.close()
    page.check()


@pytest.fixture(scope="module")
def open_page(context, served):
    page = Page(context.new_page(), served).open()
    yield page
    page.page.close()
    page.check()


@pytest.fixture
def page(open_page):
    """A page with the model open, shared because the runtime is slow to start."""
    open_page.prompt("")
    open_page.fill(**DEFAULTS, seed=0)
    return open_page
