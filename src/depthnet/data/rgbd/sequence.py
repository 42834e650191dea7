"""Sequence folder: ``images/NAME.(jpg|png|webp)``, ``depth/NAME.png`` (16-bit mm), ``K.txt`` and ``poses.txt``.

``K.txt`` is the 3x3 camera matrix in pixels of the images. ``poses.txt`` has one line for each image, in the natural
order of their names (frame2 before frame10): 16 numbers, the rows of the 4x4 camera-to-world matrix, metres; lines that
start with ``#`` are comments. A line with a number that is not finite means that the pose is unknown. ``depth/`` and
``poses.txt`` may be missing as a whole: depth or T_world_cam is None then.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.data.folder import IMAGE_SUFFIXES
from depthnet.data.rgbd.video import (
    check_intrinsics,
    check_partners,
    check_principal_point,
    files_by_stem,
    holds_only,
    open_one_or_all,
    read_matrix,
    refuse_split,
)
from depthnet.data.samples import DepthDataset, RawSample, check_same_size
from depthnet.errors import InputError
from depthnet.io.depth import read_depth_png
from depthnet.io.images import read_rgb
from depthnet.io.text import parse_numbers, read_lines
from depthnet.io.trajectory import check_transform


class SequenceFolder(DepthDataset):
    """One sequence; pictures are read when asked for."""

    format = "sequence"

    def __init__(self, path: str | Path) -> None:
        """List the images, read K and the poses; no pixel is read.

        Args:
            path: folder with ``images/`` and ``K.txt``.

        Raises:
            InputError: if one of the two is missing, images and depth maps do not pair up, or K or a pose is unusable.
        """
        self.path = Path(path)
        self.name = self.path.resolve().name
        images = files_by_stem(self.path / "images", IMAGE_SUFFIXES, "the colour pictures")
        self.names = list(images)
        self._images = list(images.values())
        self._depths: list[Path] | None = None
        if (self.path / "depth").is_dir():
            depths = files_by_stem(self.path / "depth", (".png",), "16-bit depth in millimetres")
            check_partners(self.path, {"images/": images, "depth/": depths})
            self._depths = [depths[name] for name in self.names]
        self._K_file = self.path / "K.txt"
        if not self._K_file.is_file():
            raise InputError(f"{self._K_file}: is not there; expected the 3x3 camera matrix in pixels: write it.")
        self._K = check_intrinsics(read_matrix(self._K_file, 3, "the camera matrix K"), self._K_file)
        self._poses = _read_poses(self.path / "poses.txt", len(self.names))

    def read_raw(self, index: int) -> RawSample:
        """Decode frame ``index``.

        Raises:
            InputError: if a picture is damaged, depth is not 16-bit or of another size than its image, or K belongs to
                images of another size.
        """
        image, depth = read_rgb(self._images[index]), self.read_depth(index)
        if depth is not None and self._depths is not None:
            check_same_size(image, depth, self._depths[index])
        return RawSample(
            image=image,
            depth=depth,
            K=check_principal_point(self._K, (image.shape[0], image.shape[1]), self._K_file),
            name=self.names[index],
            T_world_cam=self.read_pose(index)[0],
        )

    def read_depth(self, index: int) -> NDArray[np.float32] | None:
        """Decode the depth map of frame ``index`` alone; None when the sequence has no depth."""
        return None if self._depths is None else read_depth_png(self._depths[index])

    def read_pose(self, index: int) -> tuple[NDArray[np.float64] | None, float | None]:
        """Pose and time of frame ``index``; no pixel is read."""
        return (None if self._poses is None else self._poses[index]), None


def open_sequence(path: str | Path, split: str | None = None) -> DepthDataset:
    """Open a sequence folder, or a folder whose sub-folders are sequence folders.

    Raises:
        InputError: see `SequenceFolder`; also for a split, as a sequence has none.
    """
    refuse_split(Path(path), split)
    return open_one_or_all(Path(path), "sequence", is_sequence_folder, SequenceFolder)


def is_sequence_folder(path: Path) -> bool:
    """Whether a folder has ``images/`` and one of the two text files."""
    return (path / "images").is_dir() and any((path / name).is_file() for name in ("K.txt", "poses.txt"))


def looks_like_sequence(path: Path) -> bool:
    """Whether a path is a sequence folder or a folder of nothing else."""
    return is_sequence_folder(path) or holds_only(path, is_sequence_folder)


def _read_poses(file: Path, count: int) -> list[NDArray[np.float64] | None] | None:
    """T_world_cam of each image; None as a whole where there is no file."""
    if not file.exists():
        return None
    poses = []
    for place, line in read_lines(file):
        numbers = parse_numbers(line, 16, place, "16 numbers, the rows of a 4x4 camera-to-world matrix")
        poses.append(check_transform(numbers.reshape(4, 4), place))
    if len(poses) != count:
        raise InputError(
            f"{file}: {len(poses)} poses for {count} images; expected one line for each image: restore it."
        )
    return poses
