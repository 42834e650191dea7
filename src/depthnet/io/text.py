"""Small text files: calibrations, poses, lists."""

from __future__ import annotations

from pathlib import Path

from depthnet.errors import InputError

_MOST_BYTES = 256 << 20


def read_text(path: str | Path) -> str:
    """Read a whole text file.

    Raises:
        InputError: if it is missing, cannot be read, or is no UTF-8 text.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: {path.stat().st_size >> 20} MiB; expected a small text file: check the path.")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the path.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file (byte {error.start} is no UTF-8); restore the file.") from error
    if "\0" in text:
        raise InputError(f"{path}: not a text file (it holds zero bytes); restore the file.")
    return text
