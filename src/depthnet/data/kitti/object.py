"""KITTI object detection: single frames with a velodyne scan and a calibration each.

``{training,testing}/{image_2,velodyne,calib}/000000.{png,bin,txt}``, a part of it, or one frame alone:
``image_2.png``, ``velodyne.bin``, ``calib.txt``. Depth is the scan projected to the image, z of the rectified camera.
Splits: ``train`` is ``training``, ``test`` is ``testing``.

Source: Geiger, Lenz, Urtasun, Are we ready for Autonomous Driving?, CVPR 2012, and the readme of its development kit.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.data.kitti.calibration import read_object_calibration
from depthnet.data.kitti.layout import IMAGE_SUFFIXES, numbered_files
from depthnet.data.kitti.velodyne import project_velodyne, read_velodyne
from depthnet.data.samples import DepthDataset, RawSample
from depthnet.errors import InputError
from depthnet.io.images import open_image, read_rgb

_PARTS = {"train": "training", "test": "testing"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Frame:
    name: str
    image: Path
    scan: Path
    calibration: Path


class KittiObjectDataset(DepthDataset):
    """Frames of the object benchmark, named ``training/000000`` (``image_2`` when there is only one)."""

    format = "kitti-object"
    default_protocol = "kitti-eigen"

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        """List the frames; nothing is opened.

        Args:
            path: the folder that holds ``training`` or ``testing``, one of the two, or a single frame.
            split: train, test, or None for both.

        Raises:
            InputError: if there is no such part, or no frame with image, scan and calibration.
        """
        self.path = Path(path)
        self.name = self.path.resolve().name
        folders = _part_folders(self.path)
        self.splits = tuple(part for part, folder in _PARTS.items() if folder in folders)
        if split not in (None, "all"):
            if split not in self.splits:
                raise InputError(
                    f"{self.path}: no split '{split}' (train is training/, test is testing/); here is "
                    f"{', '.join(folders) or 'a single frame'}: choose another --split."
                )
            folders = {_PARTS[split]: folders[_PARTS[split]]}
        self._frames: list[_Frame] = []
        self.left_out: dict[str, str] = {}
        single = _single_frame(self.path)
        if single:
            self._frames.append(single)
        else:
            for name, folder in folders.items():
                self._list(name, folder)
        if not self._frames:
            raise InputError(
                f"{self.path}: no frame with image_2/, velodyne/ and calib/; unpack the three downloads of the object "
                "benchmark here."
            )
        self.names = [frame.name for frame in self._frames]

    def _list(self, part: str, folder: Path) -> None:
        """Take the frames of a part that have all three files; say how many do not."""
        images = numbered_files(folder / "image_2", IMAGE_SUFFIXES)
        scans = numbered_files(folder / "velodyne", (".bin",))
        texts = numbered_files(folder / "calib", (".txt",))
        before = len(self.left_out)
        for number, image in images.items():
            name = f"{part}/{number:06d}"
            if number in scans and number in texts:
                scan, text = folder / "velodyne" / scans[number], folder / "calib" / texts[number]
                self._frames.append(_Frame(name, folder / "image_2" / image, scan, text))
            else:
                self.left_out[name] = "no calibration" if number in scans else "no velodyne scan"
        count = len(self.left_out) - before
        if count:
            _log.warning("%s: %d of %d images have no scan or calibration: left out.", folder, count, len(images))

    def read_raw(self, index: int) -> RawSample:
        """Decode the image of frame ``index`` and project its scan.

        Raises:
            InputError: if a file is damaged, or the image cannot belong to the calibration.
        """
        frame = self._frames[index]
        image = read_rgb(frame.image)
        size = image.shape[0], image.shape[1]
        calibration = read_object_calibration(frame.calibration)
        calibration.check_size(frame.image, size)
        depth = project_velodyne(read_velodyne(frame.scan), calibration.velodyne_projection(), size)
        return RawSample(image=image, depth=depth, K=calibration.intrinsics(), name=frame.name)

    def read_depth(self, index: int) -> NDArray[np.float32]:
        """Depth of frame ``index`` in metres, (H, W), 0 where unknown."""
        frame = self._frames[index]
        with open_image(frame.image) as picture:
            size = picture.height, picture.width
        calibration = read_object_calibration(frame.calibration)
        calibration.check_size(frame.image, size)
        return project_velodyne(read_velodyne(frame.scan), calibration.velodyne_projection(), size)


def looks_like_object(path: Path) -> bool:
    """The object benchmark, a part of it, or one frame of it."""
    return path.is_dir() and (_single_frame(path) is not None or bool(_part_folders(path)))


def _part_folders(path: Path) -> dict[str, Path]:
    """``training`` and ``testing`` -> folder, of those that are here."""
    candidates = {name: path if path.resolve().name == name else path / name for name in _PARTS.values()}
    return {n: folder for n, folder in candidates.items() if all((folder / s).is_dir() for s in ("image_2", "calib"))}


def _single_frame(path: Path) -> _Frame | None:
    scan, calibration = path / "velodyne.bin", path / "calib.txt"
    images = [path / f"image_2{suffix}" for suffix in IMAGE_SUFFIXES if (path / f"image_2{suffix}").is_file()]
    if not (images and scan.is_file() and calibration.is_file()):
        return None
    return _Frame("image_2", images[0], scan, calibration)
