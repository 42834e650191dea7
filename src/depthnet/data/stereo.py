"""Rectified stereo pairs: what networks that learn from the second picture train on, and stereo ground truth.

``open_stereo`` recognises the layout by itself: pairs of KITTI raw (image_02 and image_03), of Cityscapes, scenes of
Middlebury 2014, and prepared trees with ``right/``.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from depthnet.data.cityscapes import RIGHT as CITY_RIGHT
from depthnet.data.cityscapes import CityscapesDataset, looks_like_cityscapes
from depthnet.data.kitti.calibration import RIGHT as KITTI_RIGHT
from depthnet.data.kitti.layout import looks_like_raw
from depthnet.data.kitti.raw import KittiRawDataset
from depthnet.data.middlebury import find_middlebury
from depthnet.data.prepared import PreparedDataset, looks_like_prepared
from depthnet.errors import InputError
from depthnet.geometry.disparity import depth_to_disparity_px, disparity_px_to_depth
from depthnet.io.images import read_rgb

_log = logging.getLogger(__name__)


@dataclass
class StereoSample:
    """A rectified pair: a point at (x, y) in the left picture is at (x − disparity_px, y) in the right one."""

    left: NDArray[np.float32]
    """RGB in [0, 1], (3, H, W)."""
    right: NDArray[np.float32]
    """RGB in [0, 1], (3, H, W)."""
    K: NDArray[np.float32]
    """Intrinsics of the left camera in pixels of this size, (3, 3)."""
    baseline_m: float
    """Distance of the right camera, metres."""
    disparity_px: NDArray[np.float32] | None = None
    """Known disparity of the left picture in pixels, (1, H, W); 0 where unknown. None where there is none."""
    valid: NDArray[np.bool_] | None = None
    """True where the disparity is known, (1, H, W)."""
    doffs: float = 0.0
    """cx of the right camera minus cx of the left one, pixels."""
    name: str = ""
    """Name within the data set."""

    @property
    def depth(self) -> NDArray[np.float32] | None:
        """z-depth of the left picture in metres, (1, H, W): Z = b·f / (d + doffs); 0 where unknown."""
        if self.disparity_px is None:
            return None
        depth = disparity_px_to_depth(self.disparity_px, float(self.K[0, 0]), self.baseline_m, self.doffs)
        return np.asarray(depth, dtype=np.float32)


class StereoDataset(ABC, Sequence[StereoSample]):
    """A sequence of pairs of one layout; nothing is decoded before it is asked for."""

    name: str
    """What the data are called."""
    format: str
    """Name of the layout: a key of `STEREO_FORMATS`."""
    names: list[str]
    """Names of the pairs, in order."""
    splits: tuple[str, ...] = ()
    """Names of the parts that the data have, for `split`."""
    guards: frozenset[str] = frozenset()
    """Pairs that stand so near to those of split "val" that training on them would make its scores flatter."""

    @abstractmethod
    def read(self, index: int) -> StereoSample:
        """Decode pair ``index`` (0 ≤ index < len)."""

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> StereoSample: ...

    @overload
    def __getitem__(self, index: slice) -> list[StereoSample]: ...

    def __getitem__(self, index: int | slice) -> StereoSample | list[StereoSample]:
        if isinstance(index, slice):
            return [self.read(position) for position in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"pair {index} of {self.name}: it has {len(self)}.")
        return self.read(index % len(self))


@dataclass(frozen=True)
class StereoFormat:
    """One layout of pairs on disk."""

    looks_like: str
    """What is looked for, for messages."""
    matches: Callable[[Path], bool]
    """Cheap test of a path: names only."""
    open: Callable[[Path, str | None], StereoDataset]
    """Opens a path with a split."""


class KittiStereo(StereoDataset):
    """Colour pairs of KITTI raw; the disparity, where there are scans, is that of the projected velodyne points."""

    format = "kitti-raw"

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        """List the left frames whose right picture is on disk too.

        Raises:
            InputError: as `KittiRawDataset`; also if there is no pair.
        """
        self._data = KittiRawDataset(path, split)
        frames = enumerate(self._data.frames)
        drives = self._data.drives
        self._positions = [i for i, frame in frames if frame.number in drives[frame.drive].images(KITTI_RIGHT)]
        _report_single(path, len(self._positions), len(self._data))
        if not self._positions:
            raise InputError(
                f"{path}: {len(self._data)} left pictures, but no image_03 (right); fetch the drives whole."
            )
        self.name, self.splits, self.guards = self._data.name, self._data.splits, self._data.guards
        self.names = [self._data.names[position] for position in self._positions]

    def read(self, index: int) -> StereoSample:
        """Decode pair ``index`` and project its scan."""
        position = self._positions[index]
        frame = self._data.frames[position]
        drive = self._data.drives[frame.drive]
        left = self._data[position]
        right_file = drive.image_path(KITTI_RIGHT, frame.number)
        right = read_rgb(right_file)
        drive.calibration.check_size(right_file, (right.shape[0], right.shape[1]), KITTI_RIGHT)
        K = drive.calibration.intrinsics()
        return _pair(right_file, left.image, right, K, drive.calibration.baseline_m(), self.names[index], left.depth)


class CityscapesStereo(StereoDataset):
    """Left and right pictures of Cityscapes."""

    format = "cityscapes"

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        """List the left pictures whose right picture is on disk too.

        Raises:
            InputError: as `CityscapesDataset`; also if there is no pair or no camera.
        """
        self._data = CityscapesDataset(path, split)
        self._positions = [i for i, name in enumerate(self._data.names) if self._data.file(CITY_RIGHT, name).is_file()]
        _report_single(path, len(self._positions), len(self._data))
        if not self._positions or self._data.read_camera(self._positions[0]) is None:
            lacking = "camera" if self._positions else CITY_RIGHT
            raise InputError(f"{path}: no folder {lacking}/ for its pictures; a pair needs both: unpack it here.")
        self.name, self.splits, self.guards = self._data.name, self._data.splits, self._data.guards
        self.names = [self._data.names[position] for position in self._positions]

    def read(self, index: int) -> StereoSample:
        """Decode pair ``index`` and its disparity."""
        position = self._positions[index]
        left, camera = self._data[position], self._data.read_camera(position)
        assert camera is not None
        file = self._data.file(CITY_RIGHT, self.names[index])
        return _pair(file, left.image, read_rgb(file), camera.K, camera.baseline_m, self.names[index], left.depth)


class MiddleburyStereo(StereoDataset):
    """Scenes of Middlebury 2014."""

    format = "middlebury"

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        """List the scenes.

        Raises:
            InputError: if there is none, or a split is asked for.
        """
        path = Path(path)
        if split not in (None, "all"):
            raise InputError(f"{path}: no split '{split}'; Middlebury scenes have none: leave --split out.")
        self._scenes = find_middlebury(path)
        if not self._scenes:
            raise InputError(f"{path}: no scene (im0.png, im1.png, calib.txt); pass a scene or the folder of them.")
        self.name = path.resolve().name
        self.names = [scene.name for scene in self._scenes]

    def read(self, index: int) -> StereoSample:
        """Decode scene ``index``."""
        scene = self._scenes[index]
        camera = scene.read_camera()
        left, right = read_rgb(scene.left), read_rgb(scene.right)
        sample = _pair(scene.right, _to_float(left), right, camera.K, camera.baseline_m, scene.name, None)
        disparity = scene.read_disparity()
        if disparity is None:
            return sample
        if disparity.shape != left.shape[:2]:
            raise InputError(
                f"{scene.disparity}: disparity is {disparity.shape[1]}x{disparity.shape[0]} and its picture "
                f"{left.shape[1]}x{left.shape[0]}; the two must be of one size: restore the file."
            )
        sample.disparity_px, sample.valid, sample.doffs = disparity[None], disparity[None] != 0, camera.doffs
        return sample


class PreparedStereo(StereoDataset):
    """Frames of a prepared tree that have a right picture; the disparity is that of their depth."""

    format = "prepared"

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        """List the frames that have a baseline.

        Raises:
            InputError: as `PreparedDataset`; also if no frame has one.
        """
        self._data = PreparedDataset(path, split)
        self._positions = [i for i in range(len(self._data)) if self._data.baseline_m(i) is not None]
        if not self._positions:
            raise InputError(f"{path}: no frame has a right picture; prepare the tree again with them.")
        self.name, self.splits, self.guards = self._data.name, self._data.splits, self._data.guards
        self.names = [self._data.names[position] for position in self._positions]

    def read(self, index: int) -> StereoSample:
        """Decode pair ``index`` and its depth."""
        position = self._positions[index]
        left, right, baseline_m = self._data[position], self._data.read_right(position), self._data.baseline_m(position)
        assert left.K is not None
        assert right is not None
        assert baseline_m is not None
        where = self._data.path / "right" / self.names[index]
        return _pair(where, left.image, right, left.K, baseline_m, self.names[index], left.depth)


STEREO_FORMATS: dict[str, StereoFormat] = {
    "kitti-raw": StereoFormat("dates of KITTI raw with DRIVE_sync/image_02 and image_03", looks_like_raw, KittiStereo),
    "cityscapes": StereoFormat("leftImg8bit/ with rightImg8bit/ and camera/", looks_like_cityscapes, CityscapesStereo),
    "middlebury": StereoFormat(
        "scenes with im0.png, im1.png and calib.txt", lambda path: bool(find_middlebury(path)), MiddleburyStereo
    ),
    "prepared": StereoFormat("a prepared tree with right/ and index.csv", looks_like_prepared, PreparedStereo),
}


def open_stereo(path: str | Path, split: str | None = None, format: str | None = None) -> StereoDataset:
    """Open rectified pairs of any known layout.

    Args:
        path: the folder.
        split: a part of it, where it has splits; None for all of it.
        format: name of the layout (a key of `STEREO_FORMATS`); by default it is recognised.

    Returns:
        A sequence of pairs, nothing decoded yet.

    Raises:
        InputError: if the path is missing, holds no pairs of a known layout or of two, or the data have no such split.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; pass the folder that holds the pairs.")
    if format is not None and format not in STEREO_FORMATS:
        raise InputError(f"--format '{format}': no stereo layout; choose one of {', '.join(STEREO_FORMATS)}.")
    fitting = [format] if format else [name for name, entry in STEREO_FORMATS.items() if entry.matches(path)]
    if len(fitting) != 1:
        looked_for = "; ".join(f"{name}: {entry.looks_like}" for name, entry in STEREO_FORMATS.items())
        found = f"fits {' and '.join(fitting)}" if fitting else "no stereo pairs of a known layout"
        raise InputError(f"{path}: {found}. Looked for {looked_for}. Name the layout with --format.")
    return STEREO_FORMATS[fitting[0]].open(path, split)


def _report_single(path: str | Path, pairs: int, left: int) -> None:
    if 0 < pairs < left:
        _log.warning("%s: %d of %d left pictures have no right one and are left out.", path, left - pairs, left)


def _pair(
    right_file: Path,
    left: NDArray[np.float32],
    right: NDArray[np.uint8],
    K: NDArray[np.float32],
    baseline_m: float,
    name: str,
    depth: NDArray[np.float32] | None,
) -> StereoSample:
    """A pair whose disparity follows from the depth of the left picture."""
    if right.shape[:2] != left.shape[1:]:
        raise InputError(
            f"{right_file}: the right picture is {right.shape[1]}x{right.shape[0]} and the left one "
            f"{left.shape[2]}x{left.shape[1]}; a rectified pair has one size: restore the file."
        )
    sample = StereoSample(left, _to_float(right), K, baseline_m, name=name)
    if depth is not None:
        disparity = np.asarray(depth_to_disparity_px(depth, float(K[0, 0]), baseline_m), dtype=np.float32)
        sample.disparity_px, sample.valid = disparity, disparity > 0
    return sample


def _to_float(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(3, H, W) in [0, 1] of 8-bit RGB (H, W, 3)."""
    pixels = np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32)
    pixels *= np.float32(1.0 / 255.0)
    return pixels
