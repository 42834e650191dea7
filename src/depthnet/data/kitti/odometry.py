"""KITTI odometry: 22 sequences, the first 11 with ground-truth poses.

``sequences/NN/{image_2,image_3}/000000.png``, ``calib.txt``, ``times.txt``, optional ``velodyne/000000.bin``, and
``poses/NN.txt``: a line of 12 numbers a frame, [R | t] of T_world_cam0, where the world is the first frame's grey left
camera. Poses are moved to the colour camera. With scans (motion compensated here, unlike those of KITTI raw), depth is
their projection; without, there is none. Grey downloads (image_0, image_1) are read too, as three equal channels.

Splits: ``train`` is 00 to 08, ``test`` 09 and 10 (Zhou et al. 2017); a number such as ``05`` is that sequence; None or
``all`` is every sequence with images.

Source: Geiger, Lenz, Urtasun, Are we ready for Autonomous Driving?, CVPR 2012, and the readme of its development kit.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.data.kitti.calibration import KittiCalibration, read_odometry_calibration
from depthnet.data.kitti.layout import IMAGE_SUFFIXES, numbered_files
from depthnet.data.kitti.velodyne import project_velodyne, read_velodyne
from depthnet.data.samples import DepthDataset, RawSample
from depthnet.errors import InputError
from depthnet.io.images import open_image, read_rgb
from depthnet.io.text import read_lines
from depthnet.io.trajectory import parse_time, read_trajectory

_PARTS = {"train": tuple(f"{n:02d}" for n in range(9)), "test": ("09", "10")}
_COLOUR, _GREY = 2, 0
_log = logging.getLogger(__name__)


class KittiSequence:
    """One sequence: its files, camera, times and poses."""

    def __init__(self, path: Path) -> None:
        """List the files and read the texts; no pixel is read.

        Raises:
            InputError: if a text is missing or damaged, or its lines do not fit the images.
        """
        self.path = path
        self.name = path.resolve().name
        self.camera = _COLOUR if (path / f"image_{_COLOUR}").is_dir() else _GREY
        self.images = numbered_files(path / f"image_{self.camera}", IMAGE_SUFFIXES)
        self.scans = numbered_files(path / "velodyne", (".bin",))
        self.calibration: KittiCalibration = read_odometry_calibration(path / "calib.txt")
        last = max(self.images, default=-1)
        times, poses = path / "times.txt", _pose_file(path)
        self.times_s = _read_times(times, last) if times.is_file() else None
        self.T_world_cam = _read_poses(poses, last, self.calibration.T_cam_rect(self.camera)) if poses else None
        self.calibration.intrinsics(self.camera)
        if self.scans:
            self.calibration.velodyne_projection(self.camera)

    def image_path(self, frame: int) -> Path:
        """File of image ``frame``."""
        return self.path / f"image_{self.camera}" / self.images[frame]


class KittiOdometryDataset(DepthDataset):
    """Frames of the odometry benchmark, named ``00/000000``."""

    format = "kitti-odometry"
    default_protocol = "kitti-eigen"

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        """List the sequences; no pixel is read.

        Args:
            path: the folder that holds ``sequences/``, that folder, or one sequence.
            split: train, test, a sequence such as ``05``, or None for all.

        Raises:
            InputError: if there is no such sequence, or a text of one is missing or damaged.
        """
        self.path = Path(path)
        self.name = self.path.resolve().name
        folders = find_sequences(self.path)
        self.splits = (*(part for part in _PARTS if set(_PARTS[part]) & folders.keys()), *folders)
        chosen = _choose(self.path, folders, split)
        self._sequences = [KittiSequence(folder) for folder in chosen.values()]
        self.left_out = {name: "no velodyne scan" for sequence in self._sequences for name in _without_scan(sequence)}
        self._frames = [
            (sequence, frame)
            for sequence in self._sequences
            for frame in sequence.images
            if _frame_name(sequence, frame) not in self.left_out
        ]
        if self.left_out:
            _log.warning("%s: %d images have no velodyne scan and are left out.", self.path, len(self.left_out))
        if not self._frames:
            raise InputError(f"{self.path}: no image in {', '.join(chosen)}; unpack data_odometry_color.zip here.")
        self.names = [_frame_name(sequence, frame) for sequence, frame in self._frames]

    def sequences(self) -> dict[str, list[int]]:
        """Positions of the frames of each sequence, in order of time."""
        videos: dict[str, list[int]] = {sequence.name: [] for sequence in self._sequences}
        for index, (sequence, _) in enumerate(self._frames):
            videos[sequence.name].append(index)
        return videos

    def read_raw(self, index: int) -> RawSample:
        """Decode the image of frame ``index`` and project its scan, if there is one.

        Raises:
            InputError: if a file is damaged, or the image cannot belong to the calibration.
        """
        sequence, frame = self._frames[index]
        file = sequence.image_path(frame)
        image = read_rgb(file)
        size = image.shape[0], image.shape[1]
        sequence.calibration.check_size(file, size, sequence.camera)
        T_world_cam, time_s = self.read_pose(index)
        return RawSample(
            image=image,
            depth=_depth(sequence, frame, size),
            K=sequence.calibration.intrinsics(sequence.camera),
            name=self.names[index],
            T_world_cam=T_world_cam,
            time_s=time_s,
        )

    def read_depth(self, index: int) -> NDArray[np.float32] | None:
        """Depth of frame ``index`` in metres, (H, W), 0 where unknown; None when there are no scans."""
        sequence, frame = self._frames[index]
        with open_image(sequence.image_path(frame)) as picture:
            size = picture.height, picture.width
        return _depth(sequence, frame, size)

    def read_pose(self, index: int) -> tuple[NDArray[np.float64] | None, float | None]:
        """Pose and time of frame ``index``; no pixel is read."""
        sequence, frame = self._frames[index]
        T_world_cam = None if sequence.T_world_cam is None else sequence.T_world_cam[frame]
        return T_world_cam, None if sequence.times_s is None else float(sequence.times_s[frame])


def find_sequences(path: Path) -> dict[str, Path]:
    """Name -> folder of the sequences under an odometry root, its ``sequences/``, or a sequence; sorted."""
    if _is_sequence(path):
        return {path.resolve().name: path}
    root = path / "sequences" if (path / "sequences").is_dir() else path
    if not root.is_dir():
        return {}
    return {
        folder.name: folder for folder in sorted(root.iterdir()) if folder.name.isdecimal() and _is_sequence(folder)
    }


def looks_like_odometry(path: Path) -> bool:
    """An odometry root, its ``sequences/``, or one sequence."""
    return bool(find_sequences(path))


def _is_sequence(path: Path) -> bool:
    images = any((path / f"image_{camera}").is_dir() for camera in (_COLOUR, _GREY))
    return images and (path / "calib.txt").is_file()


def _choose(path: Path, folders: dict[str, Path], split: str | None) -> dict[str, Path]:
    if not folders:
        raise InputError(f"{path}: no sequence (image_2/ with calib.txt); pass the folder that holds sequences/.")
    if split is None or split == "all":
        return folders
    wanted = _PARTS.get(split, (split,))
    chosen = {name: folders[name] for name in wanted if name in folders}
    if not chosen:
        raise InputError(
            f"{path}: no sequence of split '{split}' ({', '.join(wanted)}); here are {', '.join(folders)}: choose one "
            "of these, train or test."
        )
    if len(chosen) < len(wanted):
        absent = ", ".join(name for name in wanted if name not in chosen)
        _log.warning("%s: sequences %s of split '%s' are not here and are left out.", path, absent, split)
    return chosen


def _frame_name(sequence: KittiSequence, frame: int) -> str:
    return f"{sequence.name}/{frame:06d}"


def _without_scan(sequence: KittiSequence) -> list[str]:
    """Names of the images without scan, when the sequence has scans at all."""
    if not sequence.scans:
        return []
    return [_frame_name(sequence, frame) for frame in sequence.images if frame not in sequence.scans]


def _depth(sequence: KittiSequence, frame: int, size: tuple[int, int]) -> NDArray[np.float32] | None:
    if not sequence.scans:
        return None
    points = read_velodyne(sequence.path / "velodyne" / sequence.scans[frame])
    return project_velodyne(points, sequence.calibration.velodyne_projection(sequence.camera), size)


def _pose_file(sequence: Path) -> Path | None:
    """``poses/NN.txt`` beside ``sequences/``, or ``poses.txt`` in the sequence."""
    beside = sequence.resolve().parent.parent / "poses" / f"{sequence.resolve().name}.txt"
    return next((file for file in (beside, sequence / "poses.txt") if file.is_file()), None)


def _read_times(file: Path, last: int) -> NDArray[np.float64]:
    """Seconds from the first frame, one a line, (N,)."""
    rule = "expected one time a line"
    times = np.array([parse_time(line, place, rule) for place, line in read_lines(file)])
    if (np.diff(times) < 0).any():
        raise InputError(f"{file}: the times go back; expected rising seconds, one line a frame: restore the file.")
    _check_count(file, len(times), last, "times")
    return times


def _read_poses(file: Path, last: int, T_cam_cam0: NDArray[np.float64]) -> NDArray[np.float64]:
    """T_world_cam, (N, 4, 4), of a file of T_world_cam0."""
    T_world_cam0 = read_trajectory(file, "kitti").T_world_cam
    _check_count(file, len(T_world_cam0), last, "poses")
    return np.asarray(T_world_cam0 @ np.linalg.inv(T_cam_cam0))


def _check_count(file: Path, count: int, last: int, what: str) -> None:
    """There may be more lines than images (a sequence cut short), never fewer."""
    if count <= last:
        raise InputError(
            f"{file}: {count} {what}, but there is an image {last:06d}; expected one line a frame: the file is cut "
            "off or of another sequence: restore it."
        )
