"""The page in the browser: where it is, and how it is built once."""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from kerasseq.on_device.command import visible
from kerasseq.on_device.serve import check_file
from kerasseq.text.cache_folder import private_folder

HERE = Path(__file__).resolve().parent
# Its sources: in a checkout, and in the installed package.
CHECKOUT, PACKAGED = HERE.parent / "export" / "web", HERE / "on_device" / "web"
SOURCES = ("build.js", "package.json", "package-lock.json", ".npmrc", "src")


def find_models(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that the page can open.

    Args:
        paths: files, and folders of runs, whose character models are taken.

    Raises:
        ValueError: a path is neither a file nor a folder, or a folder has no such file.
    """
    for path in paths:
        try:
            is_folder = path.is_dir()
        except OSError:
            is_folder = False  # and no file either
        if not is_folder:
            check_file(path)
            yield path
            continue
        found = sorted(path.glob("char_*/*.tflite"))
        if not found:
            raise ValueError(
                f"{path} holds no .tflite of a character model; train one first"
            )
        yield from found


def build_page(cache: Path | None = None) -> Path:
    """The folder of the built page, which is built when it is not there yet.

    Args:
        cache: where it is built; the user's cache where that is None.

    Raises:
        ValueError: it cannot be built; the message says why.
        OSError: it cannot be written.
    """
    sources = CHECKOUT if CHECKOUT.is_dir() else PACKAGED
    built = sources / "dist" / "index.html"
    # One that is older than a source is of a version before.
    if built.is_file() and built.stat().st_mtime >= _newest(sources):
        return sources / "dist"
    cache = cache or private_folder()
    built = cache / f"page-{_hash(sources)[:16]}"
    if built.is_dir():
        return built
    npm = shutil.which("npm")
    if npm is None:
        raise ValueError(
            "the page is built with npm, which is not installed; install Node.js 20.19 "
            "or newer"
        )
    print(f"building the page, once, into {visible(str(built))}", flush=True)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=cache) as name:
        for each in SOURCES:
            source, copy = sources / each, Path(name) / each
            (shutil.copytree if source.is_dir() else shutil.copyfile)(source, copy)
        for step in (["ci"], ["run", "build"]):
            done = subprocess.run([npm, *step], cwd=name, capture_output=True)
            if done.returncode:
                said = (done.stderr or done.stdout).decode(errors="replace").split("\n")
                reason = next(
                    (line for line in said if line.strip()), "no reason given"
                )
                raise ValueError(f"npm {' '.join(step)} failed: {reason.strip()}")
        if not built.is_dir():  # another command may have been faster
            (Path(name) / "dist").rename(built)
    return built


def _files(folder: Path) -> Iterator[Path]:
    """The files of the sources."""
    for each in SOURCES:
        path = folder / each
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in found if not file.is_dir())


def _newest(folder: Path) -> float:
    """When a source changed last."""
    return max(file.stat().st_mtime for file in _files(folder))


def _hash(folder: Path) -> str:
    """A hash of the sources, so that a changed page is built again."""
    digest = hashlib.sha256()
    for file in _files(folder):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
