"""The list of a prepared tree, ``index.csv``: one line a frame with its scene, time, camera and pose.

Columns: ``name, scene, frame, time_s, fx, fy, cx, cy, width, height, tx, ty, tz, qx, qy, qz, qw, baseline_m,
ax_g, ay_g, az_g``. K is in pixels of the frame's own size (integer pixel centres); ``tx`` to ``qw`` is T_world_cam,
metres and a unit quaternion; ``ax_g`` to ``az_g`` is what an accelerometer felt. What is not known is left empty.
Numbers are written in full, so that they come back bit by bit.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import InputError
from depthnet.geometry.se3 import pose_from_quat_xyzw, pose_to_quat_xyzw

POSE = ("tx", "ty", "tz", "qx", "qy", "qz", "qw")
CAMERA = ("fx", "fy", "cx", "cy", "width", "height")
TEXTS = ("name", "scene", "frame")
ACCELERATION = ("ax_g", "ay_g", "az_g")
NUMBERS = ("time_s", *CAMERA, *POSE, "baseline_m", *ACCELERATION)
COLUMNS = (*TEXTS, *NUMBERS)
#: A name that is one file name everywhere: letters, digits, ``-``, ``_`` and ``.``, not hidden.
PLAIN_NAME = re.compile(r"(?!\.)[\w.-]+")

_FROM_CAMERA = slice(1, 7)
_FROM_POSE = slice(7, 14)
_BASELINE = 14
_FROM_ACCELERATION = slice(15, 18)
_ADVICE = "prepare the tree again, or read its pictures and depth alone with --format folder"


@dataclass(frozen=True)
class IndexRow:
    """One frame, to be written."""

    name: str
    """File name in the tree, without suffix."""
    scene: str
    frame: str
    """Name within the scene."""
    K: NDArray[np.float64]
    """Intrinsics in pixels, (3, 3), without skew."""
    size: tuple[int, int]
    """(H, W)."""
    time_s: float | None = None
    T_world_cam: NDArray[np.float64] | None = None
    """Camera to world, metres, (4, 4)."""
    baseline_m: float | None = None
    acceleration_g: tuple[float, float, float] | None = None

    def line(self) -> str:
        """The frame's line of the file, with its line end."""
        K = self.K
        height, width = self.size
        numbers: list[float | int | None] = [self.time_s, K[0, 0], K[1, 1], K[0, 2], K[1, 2], width, height]
        if self.T_world_cam is None:
            numbers += [None] * len(POSE)
        else:
            translation, quat_xyzw = pose_to_quat_xyzw(np.asarray(self.T_world_cam, np.float64))
            numbers += [*translation, *quat_xyzw]
        numbers.append(self.baseline_m)
        numbers += self.acceleration_g or [None] * len(ACCELERATION)
        return csv_line([self.name, self.scene, self.frame, *map(_number_text, numbers)])


@dataclass(frozen=True)
class PreparedIndex:
    """All lines of a file, in their order."""

    names: list[str]
    scenes: list[str]
    numbers: NDArray[np.float64]
    """The columns of `NUMBERS`, (N, 18); NaN where a cell is empty."""

    def camera(self, index: int) -> tuple[float, float, float, float, int, int]:
        """fx, fy, cx, cy, width, height of a frame."""
        fx, fy, cx, cy, width, height = (float(value) for value in self.numbers[index, _FROM_CAMERA])
        return fx, fy, cx, cy, int(width), int(height)

    def time_s(self, index: int) -> float | None:
        """Time of the colour frame in seconds, where known."""
        return _known(self.numbers[index, 0])

    def baseline_m(self, index: int) -> float | None:
        """Distance of the right camera in metres, where there is one."""
        return _known(self.numbers[index, _BASELINE])

    def acceleration_g(self, index: int) -> NDArray[np.float64] | None:
        """What the accelerometer felt, (3,), in units of g along its own axes, where known."""
        acceleration = self.numbers[index, _FROM_ACCELERATION]
        return None if np.isnan(acceleration[0]) else acceleration

    def T_world_cam(self, index: int) -> NDArray[np.float64] | None:  # noqa: N802
        """Camera to world, (4, 4), where known."""
        pose = self.numbers[index, _FROM_POSE]
        if math.isnan(pose[0]):
            return None
        transform: NDArray[np.float64] = pose_from_quat_xyzw(pose[:3], pose[3:])
        return transform

    def shared_camera(self) -> tuple[float, float, float, float, int, int] | None:
        """The camera of all frames, when it is one and the same."""
        cameras = self.numbers[:, _FROM_CAMERA]
        return self.camera(0) if len(cameras) and bool((cameras == cameras[0]).all()) else None


def csv_line(cells: list[str]) -> str:
    """One line of CSV, with its line end."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def is_index(path: Path) -> bool:
    """True when a file begins like ``index.csv`` of a prepared tree."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            head = file.readline(4096)
    except OSError:
        return False
    return set(TEXTS) <= {word.strip() for word in head.split(",")}


def read_index(path: Path) -> PreparedIndex:
    """Read and check an ``index.csv``; columns may stand in any order, and further ones are left alone.

    Raises:
        InputError: naming file, line and rule, if it cannot be read, lacks a column, or a value is impossible.
    """
    names: list[str] = []
    scenes: list[str] = []
    lines: list[int] = []
    values: list[list[float]] = []
    for line, row in _rows(path):
        _check_names(f"{path}:{line}", row)
        names.append(row["name"])
        scenes.append(row["scene"])
        values.append([_number(f"{path}:{line}", column, row.get(column, "")) for column in NUMBERS])
        lines.append(line)
    if not names:
        raise InputError(f"{path}: no frame is listed; {_ADVICE}.")
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise InputError(f"{path}: '{twice}' is listed twice; every frame has one line: {_ADVICE}.")
    numbers = np.array(values)
    _check_numbers(path, lines, numbers)
    return PreparedIndex(names, scenes, numbers)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, column -> cell) of each line under the header."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [cell.strip() for cell in next(reader, [])]
            missing = [column for column in (*TEXTS, *CAMERA) if column not in header]
            if missing or len(set(header)) < len(header):
                fault = f"no column '{missing[0]}'" if missing else "a column stands twice"
                raise InputError(f"{path}:1: {fault}; expected {', '.join(COLUMNS)}: {_ADVICE}.")
            for cells in reader:
                if len(cells) != len(header):
                    raise InputError(
                        f"{path}:{reader.line_num}: {len(cells)} cells under {len(header)} columns; the file is cut "
                        f"off or edited: {_ADVICE}."
                    )
                yield reader.line_num, dict(zip(header, cells, strict=True))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); {_ADVICE}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8 ({error}); {_ADVICE}.") from error


def _check_names(where: str, row: dict[str, str]) -> None:
    for column in TEXTS:
        if not PLAIN_NAME.fullmatch(row[column]):
            raise InputError(
                f"{where}: {column} '{row[column][:80]}'; expected letters, digits, '-', '_' and '.': {_ADVICE}."
            )


def _number(where: str, column: str, cell: str) -> float:
    try:
        return float(cell) if cell else math.nan
    except ValueError:
        raise InputError(f"{where}: {column} is '{cell[:80]}'; expected a number or nothing: {_ADVICE}.") from None


def _check_numbers(path: Path, lines: list[int], numbers: NDArray[np.float64]) -> None:
    """Refuse impossible cameras, half-known or impossible poses, and baselines that are not positive."""
    time_s, camera, pose = numbers[:, 0], numbers[:, _FROM_CAMERA], numbers[:, _FROM_POSE]
    baseline, felt = numbers[:, _BASELINE], numbers[:, _FROM_ACCELERATION]
    sizes = camera[:, 4:]
    unknown = np.isnan(pose)
    length = np.linalg.norm(np.where(unknown, 0.0, pose)[:, 3:], axis=1)
    rules = (
        (np.isfinite(camera).all(axis=1), "fx fy cx cy width height must be finite numbers"),
        ((camera[:, :2] > 0).all(axis=1), "focal lengths must be positive"),
        (((sizes >= 1) & (sizes == np.floor(sizes))).all(axis=1), "width and height must be whole numbers from 1"),
        (unknown.all(axis=1) | np.isfinite(pose).all(axis=1), "a pose has seven finite numbers, or none"),
        (unknown.all(axis=1) | (np.abs(length - 1.0) < 1e-3), "qx qy qz qw must have length 1"),
        (~np.isinf(time_s), "time_s must be finite"),
        (np.isnan(felt).all(axis=1) | np.isfinite(felt).all(axis=1), "ax_g ay_g az_g are finite numbers, or none"),
        (np.isnan(baseline) | ((baseline > 0) & np.isfinite(baseline)), "baseline_m must be positive"),
    )
    for fits, rule in rules:
        if not fits.all():
            line = lines[int(np.argmin(fits))]
            raise InputError(f"{path}:{line}: {rule} ({np.count_nonzero(~fits)} such lines); {_ADVICE}.")


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _number_text(value: float | int | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else repr(float(value))
