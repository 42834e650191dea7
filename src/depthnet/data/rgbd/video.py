"""What the readers of RGB-D video share: matrices in text files, checks of cameras and poses, several sequences in one.

A pose with a number that is not finite is the sensor's way of saying "tracking lost": its frame stays, with
``T_world_cam`` None. A pose that is finite but no rigid motion is an error: the file is of another kind.
"""

from __future__ import annotations

import bisect
import os
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.data.samples import DepthDataset, RawSample
from depthnet.errors import InputError
from depthnet.io.text import describe_numbers, parse_numbers, read_text

Matrix = NDArray[np.float64]


class JoinedSequences(DepthDataset):
    """Several sequences after one another; a sample is named ``SEQUENCE/NAME``."""

    def __init__(self, name: str, format: str, parts: Mapping[str, DepthDataset]) -> None:
        """Join ``parts``, which are named by their sequence."""
        self.name, self.format = name, format
        self._keys, self._parts = list(parts), list(parts.values())
        self._ends = list(accumulate(len(part) for part in self._parts))
        self.names = [f"{key}/{one}" for key, part in parts.items() for one in part.names]
        self.left_out = {f"{key}/{one}": why for key, part in parts.items() for one, why in part.left_out.items()}

    def read_raw(self, index: int) -> RawSample:
        """Decode sample ``index`` of all."""
        part, inner = self._locate(index)
        raw = part.read_raw(inner)
        raw.name = self.names[index]
        return raw

    def read_depth(self, index: int) -> NDArray[np.float32] | None:
        """Depth of sample ``index`` of all."""
        part, inner = self._locate(index)
        return part.read_depth(inner)

    def read_pose(self, index: int) -> tuple[NDArray[np.float64] | None, float | None]:
        """Pose and time of sample ``index`` of all."""
        part, inner = self._locate(index)
        return part.read_pose(inner)

    def sequences(self) -> dict[str, list[int]]:
        """Positions of each part."""
        starts = [0, *self._ends[:-1]]
        return {key: list(range(start, end)) for key, start, end in zip(self._keys, starts, self._ends)}

    def _locate(self, index: int) -> tuple[DepthDataset, int]:
        which = bisect.bisect_right(self._ends, index)
        return self._parts[which], index - (self._ends[which - 1] if which else 0)


def open_one_or_all(
    path: Path, format: str, is_sequence: Callable[[Path], bool], open_sequence: Callable[[Path], DepthDataset]
) -> DepthDataset:
    """Open a sequence, or all sequences in a folder.

    Args:
        path: a sequence, or a folder with sequences in sub-folders.
        format: name of the layout.
        is_sequence: whether a folder is a sequence.
        open_sequence: its reader; also called when nothing fits, so that it says what is missing.
    """
    found = [] if is_sequence(path) else [folder for folder in subfolders(path) if is_sequence(folder)]
    if not found:
        return open_sequence(path)
    return JoinedSequences(path.resolve().name, format, {folder.name: open_sequence(folder) for folder in found})


def holds_only(path: Path, is_sequence: Callable[[Path], bool]) -> bool:
    """Whether ``path`` has sub-folders and every one of them is a sequence."""
    folders = subfolders(path)
    return bool(folders) and all(is_sequence(folder) for folder in folders)


def subfolders(path: Path) -> list[Path]:
    """Visible folders in a folder, in natural order; none for a file."""
    if not path.is_dir():
        return []
    with os.scandir(path) as entries:  # it knows which are folders without asking for each of a hundred thousand files
        found = [path / entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    return sorted(found, key=lambda folder: natural_key(folder.name))


def refuse_split(path: Path, split: str | None) -> None:
    """Data without lists of parts are one whole: None, "all" and "train" mean everything.

    Raises:
        InputError: for any other split.
    """
    if split not in (None, "all", "train"):
        raise InputError(f"{path}: no split '{split}' (it has no split lists); choose --split all.")


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sorting key in which numbers count by value: 2 before 10, and 007 where 7 stands."""
    parts = re.split(r"([0-9]+)", name)
    return [(1, int(part), part) if i % 2 else (0, 0, part) for i, part in enumerate(parts)]


def files_by_stem(folder: Path, suffixes: Iterable[str], what: str) -> dict[str, Path]:
    """Files of a folder by their name without suffix, in natural order.

    Args:
        folder: the folder.
        suffixes: lower-case suffixes that count.
        what: what the files are, for messages.

    Raises:
        InputError: if the folder is missing, has no such file, or two of one name.
    """
    suffixes = tuple(suffixes)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected {what} in it: restore it or choose another --format.")
    files: dict[str, Path] = {}
    for file in sorted(folder.iterdir(), key=lambda entry: natural_key(entry.name)):
        if file.name.startswith(".") or file.suffix.lower() not in suffixes:
            continue
        if file.stem in files:
            raise InputError(f"{file}: a second file named '{file.stem}' ({files[file.stem].name}); keep one of them.")
        files[file.stem] = file
    if not files:
        raise InputError(f"{folder}: no file {' or '.join('*' + s for s in suffixes)}; expected {what} in it.")
    return files


def check_partners(where: Path, kinds: Mapping[str, Iterable[str]]) -> None:
    """Every frame must have a file of every kind.

    Args:
        where: the sequence.
        kinds: frame names by kind of file (``images/``, ``depth/``).

    Raises:
        InputError: naming the first frame that lacks one.
    """
    sets = {kind: set(names) for kind, names in kinds.items()}
    every = set().union(*sets.values())
    for kind, names in sets.items():
        lacking = sorted(every - names, key=natural_key)
        if lacking:
            counts = ", ".join(f"{len(have)} {one}" for one, have in sets.items())
            raise InputError(
                f"{where}: {counts}; frame '{lacking[0]}' has no {kind} ({len(lacking)} such frames); add the missing "
                "files or remove their partners."
            )


def read_matrix(file: Path, side: int, what: str) -> Matrix:
    """A square matrix of a text file, (side, side).

    Raises:
        InputError: if the file cannot be read or holds no such matrix.
    """
    rule = f"{what}, {side}x{side} numbers"
    return parse_numbers(read_text(file), side * side, file, rule).reshape(side, side)


def check_intrinsics(matrix: NDArray[Any], where: str | Path) -> NDArray[np.float32]:
    """K, (3, 3), of a 3x3 or 4x4 matrix.

    Raises:
        InputError: if it is not of the form ``fx s cx / 0 fy cy / 0 0 1`` with positive focal lengths.
    """
    K = np.asarray(matrix, np.float64)[:3, :3]
    form = np.isfinite(K).all() and np.abs(K).max() < 1e6 and K[0, 0] > 0 and K[1, 1] > 0 and K[1, 0] == 0
    if not form or K[2, 0] != 0 or K[2, 1] != 0 or K[2, 2] != 1:
        rows = " / ".join(describe_numbers(row) for row in K)
        raise InputError(
            f"{where}: {rows} is no camera matrix; expected 'fx s cx / 0 fy cy / 0 0 1' in pixels, focal lengths above "
            "0; correct it."
        )
    return K.astype(np.float32)


def check_principal_point(
    K: NDArray[np.float32], size: tuple[int, int], where: str | Path, share: float = 1.0
) -> NDArray[np.float32]:
    """K unchanged; refuses one that was made for images of another size.

    Args:
        K: intrinsics in pixels, (3, 3).
        size: (H, W) of the images.
        where: file of K, for the message.
        share: the principal point must lie within this middle share of width and height.

    Raises:
        InputError: if it does not.
    """
    height, width = size
    cx, cy = float(K[0, 2]), float(K[1, 2])
    if abs(cx - (width - 1) / 2) > share * width / 2 or abs(cy - (height - 1) / 2) > share * height / 2:
        raise InputError(
            f"{where}: principal point ({cx:g}, {cy:g}) is not that of an image of {width}x{height}; K must be in "
            "pixels of this size: scale it, or restore the images."
        )
    return K
