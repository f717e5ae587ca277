"""An ARM64 processor on an x86-64 machine: qemu, Debian's Python and LiteRT for it.

All of it lies in one folder (300 MB) and nothing is installed on the system. It needs
apt-get and the network once; pip takes the wheels of the installed numpy and LiteRT.
"""

import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# Without dot products of 8-bit numbers, and with them (every phone of the last years).
# SME is off, since qemu before 8.2.3 computes its instruction SMOPA wrongly.
PROCESSORS = ("cortex-a53", "cortex-a72", "cortex-a76", "max,sme=off")

# An apt of its own with the sources of the system, whose dpkg learns nothing of it.
APT = """
Dir::State "{folder}";
Dir::State::status "/dev/null";
Dir::Cache "{folder}";
APT::Architecture "arm64";
APT::Architectures {{ "arm64"; "amd64"; }};
APT::Sandbox::User "root";
Acquire::Languages "none";
"""
# LiteRT's cpuinfo reads this file, and ends the process where it is an x86 one's. qemu
# looks below the root first. What the processor can do comes from elsewhere.
CPUINFO = """processor\t: {index}
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd03
CPU revision\t: 4

"""


def set_up(folder: Path) -> Path:
    """Download and unpack what the emulation needs, unless the folder has it.

    Args:
        folder: where it lies; made whole or not at all.

    Returns:
        The folder.

    Raises:
        OSError: it cannot be set up; the message says why.
    """
    folder = folder.absolute()
    if (folder / "root" / "proc" / "cpuinfo").exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        _download(Path(made))
        kept = Path(made) / "kept"
        kept.mkdir()
        for name in ("root", "site", "qemu"):
            (Path(made) / name).rename(kept / name)
        kept.rename(folder)
    return folder


def command(folder: Path, processor: str, arguments: Sequence[str]) -> list[str]:
    """How an ARM64 Python runs in the emulation, with this project on its path.

    Args:
        folder: from `set_up`.
        processor: what qemu's `-cpu` names.
        arguments: of Python.
    """
    path = f"PYTHONPATH={folder / 'site'}:{Path(__file__).parents[1]}"
    emulator = [str(folder / "qemu"), "-cpu", processor, "-L", str(folder / "root")]
    return [*emulator, "-E", path, str(_python(folder)), *arguments]


def _python(folder: Path) -> Path:
    """The ARM64 Python."""
    (found,) = (folder / "root" / "usr" / "bin").glob("python3.[0-9]*[0-9]")
    return found


def _download(folder: Path) -> None:
    """Fill a folder with `root`, `site` and `qemu`."""
    for name in ("lists", "archives"):
        (folder / name / "partial").mkdir(parents=True)
    settings = folder / "apt.conf"
    settings.write_text(APT.format(folder=folder))
    apt = ["env", f"APT_CONFIG={settings}", "apt-get", "-qq"]
    _run([*apt, "update"], folder)
    packages = ["python3", "libstdc++6"]
    _run([*apt, "install", "--yes", "--download-only", *packages], folder)
    _run([*apt, "download", "qemu-user-static:amd64"], folder)
    root = folder / "root"
    for package in (folder / "archives").glob("*.deb"):
        _run(["dpkg", "-x", str(package), str(root)], folder)
    (package,) = folder.glob("qemu-user-static_*.deb")
    _run(["dpkg", "-x", str(package), "unpacked"], folder)
    (folder / "unpacked/usr/bin/qemu-aarch64-static").rename(folder / "qemu")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    pip += ["--only-binary=:all:", "--dest", "wheels"]
    for tag in ("2_17", "2_27", "2_28"):
        pip += ["--platform", f"manylinux_{tag}_aarch64"]
    pip += ["--python-version", _python(folder).name.removeprefix("python")]
    names = ("numpy", "ai-edge-litert")
    _run(
        pip + [f"{each}=={importlib.metadata.version(each)}" for each in names], folder
    )
    for wheel in (folder / "wheels").glob("*.whl"):
        shutil.unpack_archive(wheel, folder / "site", "zip")
    (root / "proc").mkdir()
    processors = (CPUINFO.format(index=index) for index in range(2))
    (root / "proc" / "cpuinfo").write_text("".join(processors))


def _run(arguments: list[str], folder: Path) -> None:
    """Run a program in a folder; what it says is the message if it fails."""
    ended = subprocess.run(
        arguments, cwd=folder, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or ["it said nothing"]
        raise OSError(
            f"no emulated ARM64 processor: {' '.join(arguments[:4])} ... failed: "
            f"{said[-1]}"
        )
