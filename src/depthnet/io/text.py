"""Small text files: calibrations, poses, lists."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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


def read_lines(file: str | Path) -> list[tuple[str, str]]:
    """(place, content) of the lines that hold something but a comment; commas and tabs become blanks.

    Raises:
        InputError: if the file cannot be read.
    """
    rows = read_text(file).replace(",", " ").replace("\t", " ").splitlines()
    return [
        (f"{file}: line {i}", row.strip()) for i, row in enumerate(rows, 1) if row.strip() and row.strip()[0] != "#"
    ]


def parse_numbers(text: str, count: int, where: str | Path, rule: str) -> NDArray[np.float64]:
    """Numbers parted by blanks or commas; NaN and infinity are numbers here.

    Raises:
        InputError: if a word is no number or their count is another.
    """
    words = text.replace(",", " ").split()
    try:
        numbers = np.array([float(word) for word in words], dtype=np.float64)
    except ValueError:
        raise InputError(f"{where}: '{' '.join(words)[:60]}' are not all numbers; expected {rule}.") from None
    if len(numbers) != count:
        raise InputError(f"{where}: {len(numbers)} numbers; expected {rule}; restore the file.")
    return numbers


def describe_numbers(numbers: Iterable[float]) -> str:
    """Numbers in short, for a message."""
    return " ".join(f"{number:g}" for number in numbers)
