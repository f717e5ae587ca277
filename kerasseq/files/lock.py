"""One run at a time in a folder, by a lock that ends with its process."""

import contextlib
import errno
import os
import re
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from kerasseq.files.writing import remove_unfinished
from kerasseq.on_device.command import visible

NAME = ".lock"
# What the system says of a file that another process has locked.
HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


@contextlib.contextmanager
def locked(directory: str | os.PathLike, *folders: str) -> Iterator[None]:
    """Hold a folder for a block that writes into it; the folder is made if missing.

    It may be a link itself. A folder in it may not: what is written there would change
    files elsewhere. A file in it may, since a new file replaces the link.

    The operating system releases the lock when the process ends, even by a kill. What
    a killed run left unfinished is removed. The lock also holds between the machines
    that share a network disk, if its file system has locks; one without is used as it
    is, with a line that says so. Readers need no lock, since files appear whole.

    A run writes into the folders of its models too, so none may be held inside a folder
    that is held, nor around it.

    Args:
        directory: the folder.
        *folders: names of folders in it that the block writes into.

    Raises:
        ValueError: another run holds the folder, the one around it or one inside it, it
            cannot be written to, or one of `folders` is a link or a file; nothing was
            changed.
    """
    directory = Path(directory)
    for folder in (directory / name for name in folders):
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise ValueError(
                f"{folder} is a link or a file, and a run writes into a folder of that "
                "name; remove it, or give another folder"
            )
    path = directory / NAME
    try:
        is_new = not directory.exists()
        directory.mkdir(parents=True, exist_ok=True)
        descriptor, is_locked = _open(path)
    except OSError as error:
        raise ValueError(
            f"{directory} cannot be written to ({error.strerror}); "
            "make it writable, or give another folder"
        ) from None
    try:
        if is_locked:
            _check_around(directory)
            remove_unfinished(directory)
        yield
    finally:
        # Windows refuses to remove an open file: an empty one stays there.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)
        if is_new:  # and nothing was written into it
            with contextlib.suppress(OSError):
                directory.rmdir()


def _open(path: Path) -> tuple[int, bool]:
    """The descriptor of a file with this process's number in it, and if it is locked.

    It is not where the file system has no locks.
    """
    while True:
        # In a folder from elsewhere, the name could be a link to another file.
        no_link = getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | no_link, 0o666)
        try:
            _lock(descriptor)
        except OSError as error:
            if error.errno in HELD:
                in_use = _in_use(path, descriptor)
                os.close(descriptor)
                raise in_use from None
            print(
                visible(
                    f"{path.parent} cannot be locked ({error.strerror}); let no other "
                    "run write into it"
                ),
                flush=True,
            )
            return descriptor, False
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(state := os.fstat(descriptor), path.stat()):
                break
        # The run that held the lock ended, and removed the file, just now.
        os.close(descriptor)
    # A file with a second name would be emptied there, too.
    if not stat.S_ISREG(state.st_mode) or state.st_nlink > 1:
        os.close(descriptor)
        raise ValueError(
            f"{path} is not the lock of a run; remove it, or give another folder"
        )
    with contextlib.suppress(OSError):  # a full disk shows at the first file
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()} {socket.gethostname()}".encode())
    return descriptor, True


def _check_around(directory: Path) -> None:
    """Check that nobody holds the folder around a folder, or one inside it."""
    outer = directory.resolve().parent
    for path in (outer / NAME, *directory.glob(f"*/{NAME}")):
        try:
            descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        except OSError:  # there is none
            continue
        try:
            _lock(descriptor)
        except OSError as error:
            if error.errno in HELD:
                raise _in_use(path, descriptor) from None
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        # A byte far behind the text, which others may then still read.
        os.lseek(descriptor, 2**30, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _in_use(path: Path, descriptor: int) -> ValueError:
    """The error for a lock of another run, which its file names."""
    note = re.fullmatch(rb"([0-9]{1,10}) ([\w.-]{1,255})", os.read(descriptor, 300))
    process = f" (process {note[1].decode()} on {note[2].decode()})" if note else ""
    return ValueError(
        f"{path.parent} is in use by another run{process}; wait until it has ended, or "
        "give another folder"
    )
