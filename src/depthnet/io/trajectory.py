"""Trajectory files: TUM (``time tx ty tz qx qy qz qw``) and KITTI (12 numbers a line, [R | t]), camera to world.

TUM files have one line for each frame that has a pose, with its time; lines that start with ``#`` are comments, commas
and tabs are blanks, and w is last. KITTI files have one line for each frame, without times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import ConfigError, InputError, ShapeError
from depthnet.geometry.se3 import pose_from_quat_xyzw, pose_to_quat_xyzw
from depthnet.io.files import atomic_path
from depthnet.io.text import describe_numbers, parse_numbers, read_lines

TrajectoryFormat = Literal["tum", "kitti"]
Poses = NDArray[np.float64]

# Text files round to six digits, and some sets to four; a transposed or a scaled matrix is far beyond.
_RIGID_TOLERANCE = 1e-2
# Four decimals a component keep the length of a quaternion within 1e-4 of 1; shuffled columns do not.
_QUAT_TOLERANCE = 0.05
_TUM_RULE = "expected 'timestamp tx ty tz qx qy qz qw'"
_KITTI_RULE = "12 numbers, the rows of [R | t] of a camera-to-world motion"


@dataclass(frozen=True)
class Trajectory:
    """Camera poses in the order of time."""

    times_s: NDArray[np.float64] | None
    """Seconds, (N,); None where the file has no times."""
    T_world_cam: Poses
    """Camera to world, metres, (N, 4, 4)."""
    skipped_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """Times of the rows that hold no pose (NaN, or a quaternion of zeros: tracking was lost), (M,)."""

    def __len__(self) -> int:
        return len(self.T_world_cam)


def read_trajectory(path: str | Path, format: TrajectoryFormat | None = None) -> Trajectory:
    """Read a trajectory file.

    Args:
        path: the file.
        format: tum or kitti; by default it is told by the count of numbers in the first line.

    Returns:
        The poses in order. Of two TUM rows of one time the last counts, as in the benchmark's tools; rows without a
        pose are left out and listed in ``skipped_s``.

    Raises:
        InputError: if the file cannot be read, holds no pose, a line has other numbers or no rigid motion, or the times
            go back.
        ConfigError: if there is no such format.
    """
    file = Path(path)
    if format is not None:
        _check_format(format)
    if (format or _recognise(file)) == "kitti":
        return _read_kitti(file)
    found = read_tum_rows(file)
    if found.times_s is not None and (back := np.flatnonzero(np.diff(found.times_s) < 0)).size:
        before, after = found.times_s[back[0]], found.times_s[back[0] + 1]
        raise InputError(
            f"{file}: the times go back from {before:.6f} to {after:.6f} s; expected rising ones: sort it."
        )
    if not len(found):
        raise InputError(f"{file}: holds no pose ({len(found.skipped_s)} rows without one); {_TUM_RULE}, one a line.")
    return sort_by_time(found)


def read_tum_rows(file: Path) -> Trajectory:
    """Read a TUM file whose rows may stand in any order; they are given as they stand.

    Raises:
        InputError: if the file cannot be read, or a line has other numbers.
    """
    times, rows, lost = [], [], []
    for place, line in read_lines(file):
        time_s = parse_time(line.split()[0], place, _TUM_RULE)
        numbers = parse_numbers(line, 8, place, f"8 numbers, {_TUM_RULE.removeprefix('expected ')}")[1:]
        length = float(np.linalg.norm(numbers[3:]))
        if not np.isfinite(numbers).all() or length == 0.0:
            lost.append(time_s)
            continue
        if abs(length - 1.0) > _QUAT_TOLERANCE:
            raise InputError(
                f"{place}: the quaternion has length {length:.3g}; {_TUM_RULE} with a quaternion of length 1: put the "
                "columns in that order."
            )
        times.append(time_s)
        rows.append(numbers)
    table = np.array(rows).reshape(-1, 7)
    return Trajectory(np.array(times), pose_from_quat_xyzw(table[:, :3], table[:, 3:]), np.array(lost))


def sort_by_time(trajectory: Trajectory) -> Trajectory:
    """The same poses in ascending order of time; of several of one time the last."""
    if trajectory.times_s is None:
        return trajectory
    order = np.argsort(trajectory.times_s, kind="stable")
    times = trajectory.times_s[order]
    last = np.append(times[1:] != times[:-1], True)[: len(times)]
    return Trajectory(times[last], trajectory.T_world_cam[order[last]], trajectory.skipped_s)


def parse_time(text: str, place: str, rule: str) -> float:
    """A time in seconds.

    Raises:
        InputError: if the text is no finite number.
    """
    try:
        time_s = float(text)
    except ValueError:
        time_s = math.nan
    if not math.isfinite(time_s):
        raise InputError(f"{place}: '{text[:40]}' is no time in seconds; {rule}; correct the list.")
    return time_s


def check_transform(matrix: NDArray[Any], where: str | Path) -> Poses | None:
    """A rigid motion, (4, 4), or None where a number is not finite ("tracking lost").

    Raises:
        InputError: if the matrix is finite but no rotation with a translation.
    """
    transform = np.asarray(matrix, np.float64)
    if not np.isfinite(transform).all():
        return None
    rotation = transform[:3, :3]
    # Rows of a rotation are no longer than 1; anything huge is settled before it is multiplied.
    rigid = (
        np.abs(transform[3] - (0.0, 0.0, 0.0, 1.0)).max() < _RIGID_TOLERANCE
        and np.abs(rotation).max() < 2.0
        and np.abs(rotation @ rotation.T - np.eye(3)).max() < _RIGID_TOLERANCE
        and np.linalg.det(rotation) > 0
    )
    if not rigid:
        raise InputError(
            f"{where}: not a rigid motion (first row {describe_numbers(transform[0])}, last row "
            f"{describe_numbers(transform[3])}); expected a 4x4 camera-to-world matrix, rotation and metres, last row "
            "0 0 0 1; write it in that order."
        )
    return transform


def write_trajectory(
    path: str | Path,
    times_s: Sequence[float] | NDArray[np.float64] | None,
    T_world_cam: Poses,
    format: TrajectoryFormat = "tum",
    overwrite: bool = True,
) -> None:
    """Write a trajectory file, whole or not at all.

    Args:
        path: the file.
        times_s: seconds in ascending order, (N,); None will do for kitti.
        T_world_cam: camera to world, metres, (N, 4, 4).
        format: tum or kitti.
        overwrite: False raises when the file is there already.

    Raises:
        ShapeError: if a shape differs.
        InputError: if a number is not finite, the times do not rise, or the file cannot be written.
        ConfigError: if there is no such format.
    """
    lines = _format_rows(times_s, T_world_cam, format)
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text("".join(lines), encoding="ascii")


class TrajectoryWriter:
    """Writes a trajectory file while it is found: lines go to ``NAME.part``, which becomes ``NAME`` on closing.

    As a context manager it closes also on an error or Ctrl-C, so that what was tracked is kept. Nothing is left of a
    trajectory without a pose. After a kill the lines so far are in ``NAME.part``.
    """

    def __init__(self, path: str | Path, format: TrajectoryFormat = "tum", overwrite: bool = True) -> None:
        """Begin a file.

        Args:
            path: the file; its folder is made when missing.
            format: tum or kitti.
            overwrite: False raises when the file, or the part of a killed run, is there already.

        Raises:
            InputError: if it is, or the folder refuses the file.
            ConfigError: if there is no such format.
        """
        _check_format(format)
        self.path, self.format = Path(path), format
        self.part = self.path.with_name(f"{self.path.name}.part")
        self.count = 0
        self._last_s = -math.inf
        for file in (self.path, self.part):
            if file.exists() and not overwrite:
                raise InputError(f"{file}: exists already; pass --overwrite to replace it, or another --out.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self.part.open("w", encoding="ascii")
        except OSError as error:
            raise self._refused(error) from error

    def append(self, time_s: float | None, T_world_cam: Poses) -> None:
        """Write the pose of the next frame.

        Args:
            time_s: seconds, later than the one before; None will do for kitti.
            T_world_cam: camera to world, metres, (4, 4).

        Raises:
            ShapeError: if T_world_cam is not (4, 4).
            InputError: if a number is not finite, the time does not rise, or the disk refuses the line.
        """
        if time_s is not None and not time_s > self._last_s:
            raise InputError(f"{self.path}: time {time_s:.6f} after {self._last_s:.6f} s; expected rising times: sort.")
        (line,) = _format_rows(None if time_s is None else [time_s], np.asarray(T_world_cam)[None], self.format)
        try:
            self._stream.write(line)
            self._stream.flush()
        except OSError as error:
            raise self._refused(error) from error
        self._last_s = self._last_s if time_s is None else time_s
        self.count += 1

    def close(self) -> None:
        """Give the file its name; a second time it does nothing.

        Raises:
            InputError: if the disk refuses it.
        """
        if self._stream.closed:
            return
        try:
            self._stream.close()
            if self.count:
                self.part.replace(self.path)
            else:
                self.part.unlink()
        except OSError as error:
            raise self._refused(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refused(self, error: OSError) -> InputError:
        reason = error.strerror or str(error)
        return InputError(f"{self.path}: cannot be written ({reason}); free space or choose another --out.")


def _recognise(file: Path) -> TrajectoryFormat:
    lines = read_lines(file)
    columns = len(lines[0][1].split()) if lines else 0
    if columns not in (8, 12):
        what = f"its first line has {columns} numbers" if lines else "it holds no line"
        raise InputError(f"{file}: no trajectory, {what}; expected 8 (TUM: {_TUM_RULE[9:]}) or 12 (KITTI): check it.")
    return "tum" if columns == 8 else "kitti"


def _read_kitti(file: Path) -> Trajectory:
    poses = []
    for place, line in read_lines(file):
        row = parse_numbers(line, 12, place, _KITTI_RULE).reshape(3, 4)
        transform = check_transform(np.concatenate([row, [[0.0, 0.0, 0.0, 1.0]]]), place)
        if transform is None:
            raise InputError(f"{place}: NaN or infinity; expected {_KITTI_RULE}: every frame needs its pose.")
        poses.append(transform)
    if not poses:
        raise InputError(f"{file}: holds no pose; expected {_KITTI_RULE}, one a line: restore the file.")
    return Trajectory(None, np.array(poses))


def _check_format(format: str) -> None:
    if format not in get_args(TrajectoryFormat):
        known = ", ".join(get_args(TrajectoryFormat))
        raise ConfigError(f"--format {format}: no trajectory format; choose one of {known}.")


def _format_rows(times_s: Any, T_world_cam: Poses, format: TrajectoryFormat) -> list[str]:
    """Lines of a file: nanometres and nanoradians, times to the last bit."""
    _check_format(format)
    poses = np.asarray(T_world_cam, np.float64)
    if poses.ndim != 3 or poses.shape[1:] != (4, 4):
        raise ShapeError(f"T_world_cam has shape {poses.shape}; expected (N, 4, 4).")
    if not np.isfinite(poses).all():
        raise InputError("trajectory: a pose with NaN or infinity; leave frames without a pose out.")
    if format == "kitti":
        return [_join(row) for row in poses[:, :3].reshape(-1, 12)]
    times = np.array([] if times_s is None else times_s, np.float64)
    if times.shape != (len(poses),):
        raise ShapeError(f"times_s has shape {times.shape}; expected ({len(poses)},), one for each pose.")
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise InputError("trajectory: times that do not rise, or NaN; expected ascending seconds: sort the frames.")
    translation, quat_xyzw = pose_to_quat_xyzw(poses)
    rows = np.concatenate([translation, quat_xyzw], axis=1)
    return [f"{time_s!r} {_join(row)}" for time_s, row in zip(times.tolist(), rows)]


def _join(row: NDArray[np.float64]) -> str:
    return " ".join(f"{number:.9f}" for number in row) + "\n"
