"""Whole files or none: every writer goes through a temporary name in the same folder and a rename."""

from __future__ import annotations

import os
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
