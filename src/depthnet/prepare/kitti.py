"""KITTI raw as a tree that trains: sparse depth from the laser scanner or the annotated maps, K, poses, stereo pairs.

A scene is a drive (``2011_09_26_drive_0001``; ``…_right`` for the right camera), a frame its number. The tree stores
16-bit millimetres, so depth beyond 65.535 m becomes unknown there; KITTI has little of it. Read the original drives
where that matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.data.kitti.calibration import LEFT, RIGHT
from depthnet.data.kitti.raw import Cameras, DepthKind, KittiFrame, KittiRawDataset
from depthnet.errors import ConfigError, InputError
from depthnet.geometry.camera import scale_intrinsics
from depthnet.io.images import read_rgb
from depthnet.prepare.source import DroppedFrame, PreparedFrame

Split = Literal[
    "all", "train", "val", "test", "eigen-train", "eigen-val", "eigen-test", "eigen-benchmark", "zhou-train", "zhou-val"
]


@dataclass(frozen=True)
class KittiOptions:
    """What of KITTI raw is prepared."""

    split: Split = "all"
    """Eigen's (train, val, test), Zhou's, the 652 frames with annotated depth (eigen-benchmark), or all frames."""
    depth: DepthKind = "velodyne"
    """velodyne: z of the projected scan; literature: as published evaluations project it; annotated: official maps."""
    cameras: Cameras = "left"
    """The colour camera, or both as scenes of their own."""
    right: bool = False
    """Write the right picture of each left one, and the baseline."""
    every: int = 1
    """Take every k-th frame of a drive."""
    size: tuple[int, int] = (0, 0)
    """Height and width to resize to, for example 192 640; 0 0 keeps the original size, which differs by day."""

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("split", self.split, get_args(Split)),
            ("depth", self.depth, get_args(DepthKind)),
            ("cameras", self.cameras, get_args(Cameras)),
        ):
            if value not in allowed:
                raise ConfigError(f"{name} '{value}': KITTI raw takes {', '.join(allowed)}; choose one.")
        if self.every < 1:
            raise ConfigError(f"every {self.every}: take every k-th frame with k at least 1.")
        if self.size != (0, 0) and min(self.size) < 1:
            raise ConfigError(f"size {self.size[0]} {self.size[1]}: give height and width in pixels, or 0 0.")
        if self.right and self.cameras != "left":
            raise ConfigError(f"right with cameras '{self.cameras}': pairs belong to the left camera; choose left.")


class KittiSource:
    """Drives of KITTI raw; can be pickled."""

    name = "kitti"

    def __init__(self, path: str | Path, options: KittiOptions | None = None) -> None:
        """List the frames; no pixel is read.

        Args:
            path: the root that holds the dates, a date, or a drive.
            options: what to prepare; the defaults when None.

        Raises:
            InputError: as `KittiRawDataset`; also if the drives have no depth.
        """
        self.options = options or KittiOptions()
        self._data = KittiRawDataset(path, self.options.split, self.options.depth, self.options.cameras)
        if not any(self._data.has_depth(index) for index in range(len(self._data))):
            raise InputError(f"{path}: no velodyne_points in its drives; a tree needs depth: fetch the drives whole.")
        self._scenes: dict[str, list[int]] = {}
        for index, frame in enumerate(self._data.frames):
            self._scenes.setdefault(_scene(frame), []).append(index)

    def scenes(self) -> list[str]:
        """Drives, sorted."""
        return sorted(self._scenes)

    def count_frames(self, scene: str) -> int:
        """Number of frames of a drive that are taken."""
        return len(self._chosen(scene))

    def frames(self, scene: str) -> Iterator[PreparedFrame | DroppedFrame]:
        """Frames of a drive in order; one that cannot be read is dropped with its reason."""
        for index in self._chosen(scene):
            name = f"{self._data.frames[index].number:010d}"
            try:
                yield self._prepare(name, index)
            except InputError as error:
                yield DroppedFrame(name, str(error))

    def _chosen(self, scene: str) -> list[int]:
        return self._scenes[scene][:: self.options.every]

    def _prepare(self, name: str, index: int) -> PreparedFrame:
        frame, raw = self._data.frames[index], self._data.read_raw(index)
        calibration = self._data.drives[frame.drive].calibration
        K, image, depth = calibration.P[frame.camera][:, :3], raw.image, raw.depth
        assert depth is not None
        right, baseline_m = self._read_right(frame, raw.size) if self.options.right else (None, None)
        size = self.options.size
        if size not in ((0, 0), raw.size):
            K = np.asarray(scale_intrinsics(K, size[0] / raw.size[0], size[1] / raw.size[1]))
            image, depth = resize_image(image, size), resize_sparse_depth(depth, size)
            right = None if right is None else resize_image(right, size)
        if not depth.any():
            raise InputError(
                f"{frame.name}: no depth in the picture; expected laser points: is the scan of this frame?"
            )
        return PreparedFrame(name, image, depth, K, raw.time_s, raw.T_world_cam, right, baseline_m)

    def _read_right(self, frame: KittiFrame, size: tuple[int, int]) -> tuple[NDArray[np.uint8], float]:
        drive = self._data.drives[frame.drive]
        if frame.number not in drive.images(RIGHT):
            raise InputError(f"{frame.name}: no right picture (image_03); fetch the drive whole, or leave right out.")
        file = drive.image_path(RIGHT, frame.number)
        image = read_rgb(file)
        drive.calibration.check_size(file, (image.shape[0], image.shape[1]), RIGHT)
        if image.shape[:2] != size:
            raise InputError(f"{file}: {image.shape[1]}x{image.shape[0]}; the left picture is {size[1]}x{size[0]}.")
        return image, drive.calibration.baseline_m()


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture, (H, W, 3), at ``size`` (H, W); antialiased when it shrinks."""
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def resize_sparse_depth(depth: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Sparse depth at another size: each known pixel moves to the pixel that its centre falls into, the nearest stays.

    Nearest-neighbour sampling would lose most of the points of a laser scanner; averaging would invent depths between
    two surfaces.

    Args:
        depth: metres, (H, W); 0 where unknown.
        size: (H, W) of the result.

    Returns:
        Metres, of ``size``; 0 where unknown.
    """
    y, x = np.nonzero(depth)
    rows = ((y + 0.5) * (size[0] / depth.shape[0])).astype(np.intp)
    columns = ((x + 0.5) * (size[1] / depth.shape[1])).astype(np.intp)
    pixel = rows * size[1] + columns
    resized = np.zeros(size[0] * size[1], dtype=np.float32)
    resized[pixel] = np.inf
    np.minimum.at(resized, pixel, depth[y, x])
    return resized.reshape(size)


def _scene(frame: KittiFrame) -> str:
    return frame.drive if frame.camera == LEFT else f"{frame.drive}_right"
