"""KITTI's calibration texts: one reader for raw drives, the object benchmark and odometry.

A point X of the velodyne, homogeneous, lands in rectified camera i at  x = P_i · R_rect_00 · Tr_velo_to_cam · X  (raw,
object) or  x = P_i · Tr · X  (odometry, whose ``Tr`` ends in the rectified frame already). P_i = K [I | t_i]: the
rectified cameras differ by a shift alone, so camera i has its origin at −t_i in the frame of rectified camera 0.

Colour cameras are 2 (left) and 3 (right), grey ones 0 and 1. Axes: cameras x right, y down, z forward; velodyne and
GPS/IMU x forward, y left, z up. Metres and pixels.

Source: Geiger, Lenz, Stiller, Urtasun, Vision meets Robotics: The KITTI Dataset, IJRR 2013, section IV, and the readme
files of the development kits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import InputError
from depthnet.io.text import read_text

Matrix = NDArray[np.float64]

LEFT, RIGHT = 2, 3
"""The colour cameras."""

_MAX_SHIFT_M = 20.0  # all sensors are on one car
_TOLERANCE = 1e-3  # the files print seven digits


@dataclass(frozen=True)
class KittiCalibration:
    """Cameras of one recording day or frame, rectified, and the sensors around them."""

    path: Path
    """File or folder that it came from, for messages."""
    P: dict[int, Matrix]
    """Camera number -> projection from rectified camera 0 to pixels, (3, 4)."""
    T_rect_velo: Matrix | None = None
    """Velodyne to rectified camera 0, (4, 4); None where the files have none."""
    T_velo_imu: Matrix | None = None
    """GPS/IMU to velodyne, (4, 4); None where the files have none."""
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Camera number -> size of its rectified images (H, W), where the files tell."""

    def intrinsics(self, camera: int = LEFT) -> NDArray[np.float32]:
        """K of a camera in pixels, (3, 3)."""
        return np.ascontiguousarray(self._projection(camera)[:, :3], dtype=np.float32)

    def T_cam_rect(self, camera: int = LEFT) -> Matrix:  # noqa: N802
        """Rectified camera 0 to a camera, (4, 4): a shift by K⁻¹ · (last column of P)."""
        P = self._projection(camera)
        T = np.eye(4)
        T[:3, 3] = np.linalg.solve(P[:, :3], P[:, 3])
        return T

    def T_cam_imu(self, camera: int = LEFT) -> Matrix | None:  # noqa: N802
        """GPS/IMU to a camera, (4, 4); None where a part of the chain is not known."""
        if self.T_rect_velo is None or self.T_velo_imu is None:
            return None
        return np.asarray(self.T_cam_rect(camera) @ self.T_rect_velo @ self.T_velo_imu)

    def velodyne_projection(self, camera: int = LEFT) -> Matrix:
        """Velodyne points, homogeneous metres, to pixels times z of a camera, (3, 4).

        Raises:
            InputError: if the files have no velodyne or no such camera.
        """
        if self.T_rect_velo is None:
            raise InputError(f"{self.path}: no calibration of the velodyne; depth from its scans needs one: add it.")
        return np.asarray(self._projection(camera) @ self.T_rect_velo)

    def baseline_m(self, left: int = LEFT, right: int = RIGHT) -> float:
        """Distance of two cameras along x in metres: with b_i = −P_i[0, 3] / fx, b_right − b_left.

        Raises:
            InputError: if a camera is missing or the right one is not on the right.
        """
        P_left, P_right = self._projection(left), self._projection(right)
        baseline = float(P_left[0, 3] / P_left[0, 0] - P_right[0, 3] / P_right[0, 0])
        if not 0.0 < baseline < _MAX_SHIFT_M:
            raise InputError(
                f"{self.path}: camera {right} stands {baseline:.4g} m to the right of camera {left}; expected a "
                "positive distance (0.53 m in KITTI): are the two projections exchanged?"
            )
        return baseline

    def check_size(self, image: Path, size: tuple[int, int], camera: int = LEFT) -> None:
        """Refuse an image that this calibration does not belong to: its K would be wrong, and depth in wrong places.

        Args:
            image: the file, for the message.
            size: (H, W) of the image.
            camera: whose image it is.

        Raises:
            InputError: if the size is not that of the files or, where they tell none, the principal point is far from
                the middle.
        """
        height, width = size
        known = self.sizes.get(camera)
        if known is not None and known != size:
            raise InputError(
                f"{image}: {width}x{height} pixels, but {self.path} is for {known[1]}x{known[0]} (S_rect_0{camera}); "
                "K and depth belong to that size: use the original images (they can be resized after reading)."
            )
        cx, cy = self._projection(camera)[0, 2], self._projection(camera)[1, 2]
        if known is None and not (0.4 < cx / width < 0.6 and 0.35 < cy / height < 0.65):
            raise InputError(
                f"{image}: {width}x{height} pixels, but the camera centre of {self.path} is ({cx:.1f}, {cy:.1f}), "
                "which should be near the middle; use the image and the calibration of one frame, at original size."
            )

    def _projection(self, camera: int) -> Matrix:
        if camera not in self.P:
            have = ", ".join(str(number) for number in sorted(self.P)) or "none"
            raise InputError(f"{self.path}: no projection of camera {camera} (it has {have}); use the complete file.")
        return self.P[camera]


def read_calibration(path: str | Path) -> dict[str, NDArray[np.float64]]:
    """Read one text of ``key: numbers`` lines.

    Args:
        path: ``calib_cam_to_cam.txt``, ``calib_velo_to_cam.txt``, ``calib_imu_to_velo.txt``, or a ``calib.txt`` /
            ``000000.txt`` of the object and odometry benchmarks.

    Returns:
        Key -> its numbers, in the order of the file; lines that hold no numbers (``calib_time``) are left out.

    Raises:
        InputError: if the file cannot be read, has no such line, repeats a key, or holds NaN or infinity.
    """
    path = Path(path)
    entries: dict[str, NDArray[np.float64]] = {}
    for line in read_text(path).splitlines():
        key, colon, value = line.partition(":")
        if not colon:
            continue
        try:
            numbers = np.array([float(word) for word in value.split()])
        except ValueError:
            continue
        if key.strip() in entries:
            raise InputError(f"{path}: '{key.strip()}' stands there twice; each line once: restore the file.")
        if not np.isfinite(numbers).all():
            raise InputError(f"{path}: '{key.strip()}' holds NaN or infinity; expected numbers: restore the file.")
        entries[key.strip()] = numbers
    if not entries:
        raise InputError(f"{path}: no line 'key: numbers'; expected a KITTI calibration text: restore the file.")
    return entries


def read_raw_calibration(date: str | Path) -> KittiCalibration:
    """Calibration of a recording day of KITTI raw.

    Args:
        date: folder such as ``2011_09_26`` with ``calib_cam_to_cam.txt`` and, for depth, ``calib_velo_to_cam.txt``; for
            poses, ``calib_imu_to_velo.txt``.

    Raises:
        InputError: if the first file is missing, or one of them is damaged.
    """
    date = Path(date)
    file = date / "calib_cam_to_cam.txt"
    if not file.is_file():
        raise InputError(f"{file}: missing; it holds the cameras of that day: unpack {date.name}_calib.zip here.")
    entries = read_calibration(file)
    cameras = [camera for camera in range(4) if f"P_rect_0{camera}" in entries]
    P = {camera: _projection_matrix(file, entries, f"P_rect_0{camera}") for camera in cameras}
    if LEFT not in P:
        raise InputError(f"{file}: no line 'P_rect_02' of 12 numbers; it is the left colour camera: restore the file.")
    sizes = {c: _size(file, entries, f"S_rect_0{c}") for c in cameras if f"S_rect_0{c}" in entries}
    T_rect_velo = _rigid_file(date / "calib_velo_to_cam.txt")
    if T_rect_velo is not None:
        T_rect_velo = _rotation_4x4(file, entries, "R_rect_00") @ T_rect_velo
    return KittiCalibration(file, P, T_rect_velo, _rigid_file(date / "calib_imu_to_velo.txt"), sizes)


def read_object_calibration(file: str | Path) -> KittiCalibration:
    """Calibration of an object frame: ``P0``–``P3``, ``R0_rect``, ``Tr_velo_to_cam``, ``Tr_imu_to_velo``.

    Raises:
        InputError: if a line is missing or damaged.
    """
    file = Path(file)
    entries = read_calibration(file)
    P = {c: _projection_matrix(file, entries, f"P{c}") for c in range(4) if f"P{c}" in entries or c == LEFT}
    T_cam_velo = _rigid(file, entries, "Tr_velo_to_cam")
    imu = _rigid(file, entries, "Tr_imu_to_velo") if "Tr_imu_to_velo" in entries else None
    return KittiCalibration(file, P, _rotation_4x4(file, entries, "R0_rect") @ T_cam_velo, imu)


def read_odometry_calibration(file: str | Path) -> KittiCalibration:
    """Calibration of an odometry sequence: ``P0``–``P3`` and, with velodyne scans, ``Tr``.

    Raises:
        InputError: if a line is missing or damaged.
    """
    file = Path(file)
    entries = read_calibration(file)
    P = {c: _projection_matrix(file, entries, f"P{c}") for c in range(4) if f"P{c}" in entries or c == LEFT}
    return KittiCalibration(file, P, _rigid(file, entries, "Tr") if "Tr" in entries else None)


def check_rotation(R: Matrix, where: str) -> None:
    """Refuse what is no rotation: numbers that were shuffled, cut or belong to something else.

    Raises:
        InputError: if R Rᵀ differs from the identity by more than 0.001, or R mirrors.
    """
    worst = float(np.abs(R @ R.T - np.eye(3)).max())
    if worst > _TOLERANCE or np.linalg.det(R) < 0:
        raise InputError(
            f"{where}: not a rotation (R·Rᵀ is {worst:.3g} away from the identity, determinant "
            f"{np.linalg.det(R):.3g}); the numbers are damaged or in another order: restore the file."
        )


def _numbers(file: Path, entries: dict[str, Matrix], key: str, count: int) -> Matrix:
    if key not in entries:
        raise InputError(f"{file}: no line '{key}' of {count} numbers; restore the file.")
    if len(entries[key]) != count:
        raise InputError(f"{file}: '{key}' has {len(entries[key])} numbers; expected {count}: restore the file.")
    return entries[key]


def _projection_matrix(file: Path, entries: dict[str, Matrix], key: str) -> Matrix:
    P = _numbers(file, entries, key, 12).reshape(3, 4)
    fx, fy, cx, cy = P[0, 0], P[1, 1], P[0, 2], P[1, 2]
    pinhole = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    positive = min(fx, fy, cx, cy) > 0
    if not (positive and np.allclose(P[:, :3], pinhole, atol=1e-6) and 0.9 < fx / fy < 1.1):
        raise InputError(
            f"{file}: '{key}' is no rectified projection [fx 0 cx; 0 fy cy; 0 0 1 | t]; the numbers are damaged or in "
            "another order: restore the file."
        )
    if np.abs(np.linalg.solve(P[:, :3], P[:, 3])).max() > _MAX_SHIFT_M:
        raise InputError(f"{file}: '{key}' puts the camera over {_MAX_SHIFT_M:g} m away; expected metres: restore it.")
    return P


def _size(file: Path, entries: dict[str, Matrix], key: str) -> tuple[int, int]:
    width, height = _numbers(file, entries, key, 2)
    if not (width >= 1 and height >= 1 and width == round(width) and height == round(height)):
        raise InputError(f"{file}: '{key}' is {width:g} {height:g}; expected width and height in pixels: restore it.")
    return int(height), int(width)


def _rigid_file(file: Path) -> Matrix | None:
    """The 4×4 matrix of a text with ``R`` and ``T``; None when the file is not there."""
    if not file.is_file():
        return None
    entries = read_calibration(file)
    return _rigid_4x4(file, "R, T", _numbers(file, entries, "R", 9).reshape(3, 3), _numbers(file, entries, "T", 3))


def _rigid(file: Path, entries: dict[str, Matrix], key: str) -> Matrix:
    Rt = _numbers(file, entries, key, 12).reshape(3, 4)
    return _rigid_4x4(file, key, Rt[:, :3], Rt[:, 3])


def _rotation_4x4(file: Path, entries: dict[str, Matrix], key: str) -> Matrix:
    return _rigid_4x4(file, key, _numbers(file, entries, key, 9).reshape(3, 3), np.zeros(3))


def _rigid_4x4(file: Path, key: str, R: Matrix, t: Matrix) -> Matrix:
    check_rotation(R, f"{file}: '{key}'")
    if np.abs(t).max() > _MAX_SHIFT_M:
        raise InputError(
            f"{file}: '{key}' shifts by {np.abs(t).max():.4g}; expected metres between sensors of one car, at most "
            f"{_MAX_SHIFT_M:g}: are these millimetres? Restore the file."
        )
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, t
    return T
