"""Whole files or none: every writer goes through a temporary name in the same folder and a rename."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from depthnet.errors import InputError


@contextmanager
def atomic_path(path: str | Path, overwrite: bool = True) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` on success, remove it on failure.

    Args:
        path: the final file. Its folder is made when missing.
        overwrite: False raises when ``path`` is there already.

    Yields:
        The temporary path (same suffix as ``path``) to write to.

    Raises:
        InputError: if ``path`` exists and ``overwrite`` is False, or the disk or folder refuses the file.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        if path.exists() and not overwrite:
            raise InputError(f"{path}: exists already; pass --overwrite to replace it, or another --out.")
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path}: cannot be written ({reason}); free space or choose another --out.") from error
    finally:
        with suppress(OSError):  # where the folder refuses the file, it also refuses its removal
            temporary.unlink(missing_ok=True)


@contextmanager
def locked_folder(folder: str | Path, command: str, patience_s: float = 0.0) -> Iterator[int | None]:
    """Hold a folder against a second process; the system lets go of it with this one, however that ends.

    Args:
        folder: the folder. It is made when missing.
        command: what writes there, for the message.
        patience_s: seconds to wait for another process that holds it.

    Yields:
        The file descriptor that holds it: a process to which it is passed on holds it, too. None where there is none.

    Raises:
        InputError: if another process holds it, or it cannot be made.
    """
    folder = Path(folder)
    if sys.platform == "win32":  # has no locks of folders
        folder.mkdir(parents=True, exist_ok=True)
        yield None
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = os.open(folder, os.O_RDONLY)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{folder}: cannot be made or opened ({reason}); choose another --out.") from error
    try:
        deadline = time.monotonic() + patience_s
        while not _try_lock(number):
            if time.monotonic() > deadline:
                raise InputError(
                    f"{folder}: another `{command}` is writing there; wait for it, or choose another --out."
                )
            time.sleep(0.1)
        yield number
    finally:
        with suppress(OSError):
            os.close(number)


def _try_lock(number: int) -> bool:
    """Lock an open folder; False when somebody else has it."""
    import fcntl

    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network disk without locks
        pass
    return True
