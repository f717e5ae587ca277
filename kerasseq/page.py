"""The page in the browser: where it is, how it is built once, and how it is saved."""

import hashlib
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from kerasseq.files.reading import read_json
from kerasseq.files.writing import replace_directory
from kerasseq.on_device.command import is_terminal, visible
from kerasseq.on_device.page_files import LIST, list_files
from kerasseq.on_device.serve import check_file
from kerasseq.text.cache_folder import private_folder

HERE = Path(__file__).resolve().parent
# Its sources: in a checkout, and in the installed package.
CHECKOUT, PACKAGED = HERE.parent / "export" / "web", HERE / "on_device" / "web"
SOURCES = ("build.js", "package.json", "package-lock.json", ".npmrc", "src")


def find_models(paths: Iterable[Path]) -> Iterator[Path]:
    """The files of models for the page.

    Args:
        paths: files, folders of runs and of models, whose `.tflite` files are taken.

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
        found = [*sorted(path.glob("*.tflite")), *sorted(path.glob("*/*.tflite"))]
        # Without what is being written.
        whole = [file for file in found if "/." not in f"/{file.relative_to(path)}"]
        if not whole:
            raise ValueError(f"{path} holds no .tflite of a model; train one first")
        yield from whole


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
    # In a checkout, one that is older than a source is of a version before.
    if built.is_file() and (
        sources == PACKAGED or built.stat().st_mtime >= _newest(sources)
    ):
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


def draw(address: str) -> str:
    """An address as a QR code of some lines, "" where nobody would see it."""
    if not is_terminal(sys.stdout):
        return ""
    import segno

    lines = io.StringIO()
    segno.make(address, micro=False).terminal(lines, compact=True)
    # White on black, whatever the terminal's colours are.
    return "".join(
        f"\x1b[97;40m{line}\x1b[0m\n" for line in lines.getvalue().splitlines()
    )


def save_page(dist: Path, models: Sequence[Path], folder: Path) -> str:
    """Write the page and models to a folder, for any server of files.

    Args:
        dist: the folder of the built page.
        models: files to open in it.
        folder: made if missing; it may be empty, or hold a saved page, which is
            replaced.

    Returns:
        A sentence that says what is where, and how to open it.

    Raises:
        ValueError: the folder holds something else.
        OSError: it cannot be written.
    """
    folder = folder.resolve()
    foreign = _find_foreign(folder)
    if foreign:
        raise ValueError(
            f"{foreign} is in the way, which is no file of a saved page; give --save "
            "a new or an empty folder"
        )
    files = list_files(dist, models)

    def write(new: Path) -> None:
        for path, content in files.items():
            copy = new / unquote(path, errors="surrogateescape")
            copy.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                copy.write_bytes(content)
            else:
                shutil.copyfile(content, copy)

    replace_directory(folder, write)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return (
        f"saved the page and {len(models)} model files, {size:,} bytes, to {folder}; "
        "a browser opens it from any server of files, such as `python -m http.server` "
        "in it, and keeps it for use without a network if that is https"
    )


def _find_foreign(folder: Path) -> Path | None:
    """What a folder holds that is not of a saved page, if something."""
    if not folder.is_dir():
        return folder if folder.exists() else None
    own = set()
    try:
        listing = read_json(folder / LIST)
        paths = [LIST, *listing["files"], *(each["path"] for each in listing["models"])]
        own = {folder / unquote(path, errors="surrogateescape") for path in paths}
    except (OSError, ValueError, LookupError, TypeError):
        pass  # the first file is foreign
    own |= {parent for path in own for parent in path.parents}
    return next((path for path in folder.rglob("*") if path not in own), None)


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
