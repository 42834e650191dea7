"""What lies where in a copy of KITTI raw, of its annotated depth, or of both in one tree.

Raw:        ``<date>/calib_*.txt``, ``<date>/<drive>_sync/{image_02,image_03}/data/0000000000.(png|jpg)`` with
            ``image_0x/timestamps.txt``, ``velodyne_points/data/0000000000.bin``, ``oxts/data/0000000000.txt``.
Annotated:  ``[train|val/]<drive>_sync/proj_depth/groundtruth/image_0x/0000000000.png``, also inside raw drives.

A frame has one number in all streams. Folders are listed once; nothing is opened.
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.data.kitti.calibration import KittiCalibration, read_raw_calibration
from depthnet.data.kitti.oxts import oxts_to_pose, read_oxts, read_timestamps
from depthnet.errors import InputError

DATE = re.compile(r"\d{4}_\d{2}_\d{2}")
DRIVE = re.compile(r"(\d{4}_\d{2}_\d{2}_drive_\d{4})(_sync|_extract)?")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
BENCHMARK_PARTS = ("train", "val")
GROUND_TRUTH = Path("proj_depth") / "groundtruth"


class KittiDrive:
    """One drive: which frames it has, where it was, and its cameras."""

    def __init__(self, path: Path, name: str) -> None:
        """``path``: folder ``<drive>_sync``; ``name``: without ``_sync``."""
        self.path = path
        self.name = name
        self._images: dict[int, dict[int, str]] = {}
        self._times: dict[int, NDArray[np.float64] | None] = {}

    @cached_property
    def calibration(self) -> KittiCalibration:
        """Calibration of its day, which lies in the folder above."""
        return read_raw_calibration(self.path.parent)

    @cached_property
    def scans(self) -> dict[int, str]:
        """Frame number -> file name of its velodyne scan."""
        return numbered_files(self.path / "velodyne_points" / "data", (".bin",))

    def images(self, camera: int) -> dict[int, str]:
        """Frame number -> file name of its image, in order."""
        if camera not in self._images:
            self._images[camera] = numbered_files(self.path / f"image_0{camera}" / "data", IMAGE_SUFFIXES)
        return self._images[camera]

    def image_path(self, camera: int, frame: int) -> Path:
        """File of an image that is there."""
        return self.path / f"image_0{camera}" / "data" / self.images(camera)[frame]

    def scan_path(self, frame: int) -> Path:
        """File of a velodyne scan that is there."""
        return self.path / "velodyne_points" / "data" / self.scans[frame]

    def time_s(self, camera: int, frame: int) -> float | None:
        """Time of an image, seconds since 1970; None where the drive has no time stamp for it.

        Raises:
            InputError: if the list of time stamps is damaged or shorter than the drive.
        """
        file = self.path / f"image_0{camera}" / "timestamps.txt"
        if camera not in self._times:
            self._times[camera] = read_timestamps(file) if file.is_file() else None
        times = self._times[camera]
        if times is None:
            return None
        if frame >= len(times):
            raise InputError(f"{file}: {len(times)} time stamps, but there is a frame {frame}; restore the file.")
        return float(times[frame]) if np.isfinite(times[frame]) else None

    def T_world_cam(self, camera: int, frame: int) -> NDArray[np.float64] | None:  # noqa: N802
        """Camera to world, (4, 4), by GPS and IMU; None where the drive has no packet or no calibration for it.

        Raises:
            InputError: if a packet is damaged.
        """
        T_cam_imu = self.calibration.T_cam_imu(camera)
        if T_cam_imu is None or frame not in self._packets:
            return None
        folder = self.path / "oxts" / "data"
        packet = read_oxts(folder / self._packets[frame])
        return oxts_to_pose(packet, self._first_packet) @ np.linalg.inv(T_cam_imu)

    @cached_property
    def _packets(self) -> dict[int, str]:
        return numbered_files(self.path / "oxts" / "data", (".txt",))

    @cached_property
    def _first_packet(self) -> NDArray[np.float64]:
        return read_oxts(self.path / "oxts" / "data" / next(iter(self._packets.values())))


def numbered_files(folder: Path, suffixes: tuple[str, ...]) -> dict[int, str]:
    """Number -> name of the files ``NUMBER.suffix`` in a folder, ascending; empty when there is no folder.

    Of two files with one number that of the earlier suffix is taken (a lossless picture before its JPEG copy).
    """
    if not folder.is_dir():
        return {}
    found: dict[int, tuple[int, str]] = {}
    for name in os.listdir(folder):  # noqa: PTH208 (a drive has thousands of names; no Path for each)
        stem, _, ending = name.rpartition(".")
        suffix = f".{ending}"
        if stem.isdecimal() and suffix.lower() in suffixes:
            candidate = suffixes.index(suffix.lower()), name
            found[int(stem)] = min(candidate, found.get(int(stem), candidate))
    return {number: found[number][1] for number in sorted(found)}


def find_drives(path: Path) -> dict[str, Path]:
    """Drives of KITTI raw under a root of dates, a date or a drive: name (without ``_sync``) -> folder, sorted.

    Raises:
        InputError: if the only drives are unrectified (``_extract``): no calibration here is for those.
    """
    path = path.resolve() if not path.name else path
    if DRIVE.fullmatch(path.name):
        folders = [path]
    elif DATE.fullmatch(path.name):
        folders = _folders(path, DRIVE)
    else:
        folders = [drive for date in _folders(path, DATE) for drive in _folders(date, DRIVE)]
    rectified = [folder for folder in folders if not folder.name.endswith("_extract")]
    if folders and not rectified:
        raise InputError(
            f"{folders[0]}: an unrectified drive (_extract); its images fit no P_rect: fetch the synchronised and "
            "rectified one (_sync)."
        )
    return {_drive_name(folder): folder for folder in sorted(rectified)}


def find_annotated(path: Path) -> dict[str, Path]:
    """Drives with annotated depth under a root, a part or a drive: name -> its folder ``proj_depth/groundtruth``."""
    found: dict[str, Path] = {}
    for part in (path, *(path / part for part in BENCHMARK_PARTS)):
        for folder in [part] if DRIVE.fullmatch(part.name) else _folders(part, DRIVE):
            if (folder / GROUND_TRUTH).is_dir():
                found[_drive_name(folder)] = folder / GROUND_TRUTH
    return {name: found[name] for name in sorted(found)}


def looks_like_raw(path: Path) -> bool:
    """A root of dates, a date or a drive of KITTI raw."""
    if DRIVE.fullmatch(path.resolve().name):
        return any((path / f"image_0{camera}" / "data").is_dir() for camera in range(4))
    if DATE.fullmatch(path.resolve().name):
        return bool(_folders(path, DRIVE))
    return any(_folders(date, DRIVE) for date in _folders(path, DATE))


def looks_like_annotated(path: Path) -> bool:
    """A root (or part) of annotated depth that is not a tree of raw drives at the same time."""
    return path.is_dir() and not looks_like_raw(path) and bool(find_annotated(path))


def _folders(path: Path, pattern: re.Pattern[str]) -> list[Path]:
    if not path.is_dir():
        return []
    return sorted(entry for entry in path.iterdir() if pattern.fullmatch(entry.name) and entry.is_dir())


def _drive_name(folder: Path) -> str:
    match = DRIVE.fullmatch(folder.resolve().name)
    assert match is not None
    return match[1]
