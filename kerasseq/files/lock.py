"""One run at a time in a folder, by a lock that ends with its process."""

import contextlib
import errno
import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from kerasseq.files.writing import remove_unfinished

NAME = ".lock"


@contextlib.contextmanager
def locked(directory: str | os.PathLike) -> Iterator[None]:
    """Hold a folder for a block that writes into it; the folder is made if missing.

    The operating system releases the lock when the process ends, even by a kill. What
    a killed run left unfinished is removed. The lock also holds between the machines
    that share a network disk, if its file system has locks; one without is used as it
    is, with a line that says so. Readers need no lock, since files appear whole.

    Raises:
        ValueError: another run holds the folder, or it cannot be written to; nothing
            was changed.
    """
    directory = Path(directory)
    path = directory / NAME
    try:
        is_new = not directory.exists()
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = _open(path)
    except OSError as error:
        raise ValueError(
            f"{directory} cannot be written to ({error.strerror}); "
            "make it writable, or give another folder"
        ) from None
    try:
        yield
    finally:
        # Windows refuses to remove an open file: an empty one stays there.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)
        if is_new:  # and nothing was written into it
            with contextlib.suppress(OSError):
                directory.rmdir()


def _open(path: Path) -> int:
    """The descriptor of a locked file, with this process's number in it."""
    while True:
        # In a folder from elsewhere, the name could be a link to another file.
        no_link = getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | no_link, 0o666)
        try:
            _lock(descriptor)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                note = os.read(descriptor, 300)
                os.close(descriptor)
                raise ValueError(
                    f"{path.parent} is in use by {_holder(note)}; wait until it has "
                    "ended, or give another folder"
                ) from None
            print(
                f"{path.parent} cannot be locked ({error.strerror}); let no other run "
                "write into it",
                flush=True,
            )
            return descriptor
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                break
        # The run that held the lock ended, and removed the file, just now.
        os.close(descriptor)
    with contextlib.suppress(OSError):  # a full disk shows at the first file
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()} {socket.gethostname()}".encode())
    remove_unfinished(path.parent)
    return descriptor


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


def _holder(note: bytes) -> str:
    number = re.fullmatch(rb"([0-9]{1,10}) ([\w.-]{1,255})", note)
    if not number:
        return "another run"
    return f"another run (process {number[1].decode()} on {number[2].decode()})"
