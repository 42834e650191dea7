"""TUM RGB-D: ``rgb.txt``, ``depth.txt`` and ``groundtruth.txt`` beside the pictures that they list.

Lists hold ``timestamp path``, the ground truth ``timestamp tx ty tz qx qy qz qw``, camera to world, w last; lines that
start with ``#`` are comments. Depth is 16-bit PNG, 5000 per metre, 0 unknown, registered to colour.

Which frames are samples: each colour frame that has a depth map, in order of time, named by its stamp. Colour is
paired with depth as the benchmark's `associate.py` does it, and with the ground truth in the same way (the nearest
pose, not an interpolated one: it is what the benchmark's own tools compare with). A colour frame without a depth map is
left out and reported in ``left_out``; one without a pose stays, with ``T_world_cam`` None. Without ``depth.txt`` (a
sequence that was taken by a plain camera) every colour frame is a sample without depth; without ``groundtruth.txt``
none has a pose. Of two poses of one stamp the last counts, as in the benchmark's tools, which also skip poses with NaN
or a quaternion of zeros.

Source: Sturm et al., A Benchmark for the Evaluation of RGB-D SLAM Systems, IROS 2012, and the benchmark's tools.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.data.rgbd.video import holds_only, open_one_or_all, refuse_split
from depthnet.data.samples import DepthDataset, RawSample, build_intrinsics, check_same_size
from depthnet.errors import InputError
from depthnet.geometry.camera import scale_intrinsics
from depthnet.geometry.trajectory import MAX_DIFFERENCE_S, associate_times
from depthnet.io.depth import read_depth_png
from depthnet.io.images import read_rgb
from depthnet.io.text import read_lines
from depthnet.io.trajectory import parse_time, read_tum_rows, sort_by_time

#: The benchmark's default camera (ROS) at 640x480: fx fy cx cy, integer pixel centres from 0.
TUM_CAMERA = (525.0, 525.0, 319.5, 239.5)
TUM_SIZE = (480, 640)
UNITS_PER_METRE = 5000.0


class TumSequence(DepthDataset):
    """One sequence; pictures are read when asked for."""

    format = "tum"

    def __init__(self, path: str | Path, camera: tuple[float, float, float, float] = TUM_CAMERA) -> None:
        """Read the lists and pair their stamps; no pixel is read.

        Args:
            path: folder with ``rgb.txt``.
            camera: fx fy cx cy at 640x480; it is scaled to the size of the pictures. Pictures that are not 4:3 were
                not taken by it: their K is None.

        Raises:
            InputError: if a list is missing or damaged, names a file that is not there or two files for one stamp, or
                no colour stamp meets one of depth or of the ground truth.
        """
        self.path = Path(path)
        self.name = self.path.resolve().name
        self._camera = camera
        colours = _read_list(self.path, "rgb.txt")
        depths = _read_list(self.path, "depth.txt") if _has_depth(self.path) else None
        stamps = np.array(sorted(colours))
        self.left_out: dict[str, str] = {}
        self._depths: list[Path] | None = None
        if depths is not None:
            stamps = self._pair_depth(stamps, colours, depths)
        self._times = stamps.tolist()
        self.names = [colours[stamp][0] for stamp in self._times]
        self._images = [self.path / colours[stamp][1] for stamp in self._times]
        self._poses = self._pair_poses(stamps)

    def read_raw(self, index: int) -> RawSample:
        """Decode frame ``index``.

        Raises:
            InputError: if a picture is damaged, depth is not 16-bit, or the two differ in size.
        """
        image, depth = read_rgb(self._images[index]), self.read_depth(index)
        if depth is not None and self._depths is not None:
            check_same_size(image, depth, self._depths[index])
        return RawSample(
            image=image,
            depth=depth,
            K=self._intrinsics(image.shape[0], image.shape[1]),
            name=self.names[index],
            T_world_cam=self._poses.get(index),
            time_s=self._times[index],
        )

    def read_depth(self, index: int) -> NDArray[np.float32] | None:
        """Decode the depth map of frame ``index`` alone; None when the sequence has no depth."""
        return None if self._depths is None else read_depth_png(self._depths[index], UNITS_PER_METRE)

    def read_pose(self, index: int) -> tuple[NDArray[np.float64] | None, float | None]:
        """Pose and time of frame ``index``; no pixel is read."""
        return self._poses.get(index), self._times[index]

    def _intrinsics(self, height: int, width: int) -> NDArray[np.float32] | None:
        scale_y, scale_x = height / TUM_SIZE[0], width / TUM_SIZE[1]
        # A size may be a pixel off an exact fraction.
        if abs(scale_x / scale_y - 1.0) > 1.5 / min(height, width):
            return None
        return np.asarray(scale_intrinsics(build_intrinsics(*self._camera), scale_y, scale_x), dtype=np.float32)

    def _pair_depth(
        self, stamps: NDArray[np.float64], colours: dict[float, tuple[str, str]], depths: dict[float, tuple[str, str]]
    ) -> NDArray[np.float64]:
        """The colour stamps that have a depth map; remembers its file, and the names of the others."""
        depth_stamps = np.array(sorted(depths))
        pairs = associate_times(stamps, depth_stamps)
        _refuse_no_pair(self.path / "depth.txt", stamps, depth_stamps, len(pairs), "a depth map")
        reason = f"no depth map within {MAX_DIFFERENCE_S:g} s in depth.txt"
        self.left_out = {colours[stamp][0]: reason for stamp in np.delete(stamps, pairs[:, 0]).tolist()}
        self._depths = [self.path / depths[stamp][1] for stamp in depth_stamps[pairs[:, 1]].tolist()]
        return stamps[pairs[:, 0]]

    def _pair_poses(self, stamps: NDArray[np.float64]) -> dict[int, NDArray[np.float64]]:
        """T_world_cam by position, of the frames that have one."""
        file = self.path / "groundtruth.txt"
        if not file.exists():
            return {}
        truth = sort_by_time(read_tum_rows(file))
        times = np.asarray(truth.times_s)
        pairs = associate_times(stamps, times)
        if len(pairs) == 0 and len(times):
            every = np.sort(np.concatenate([times, truth.skipped_s]))
            _refuse_no_pair(file, stamps, every, len(associate_times(stamps, every)), "a pose")
        return {int(i): truth.T_world_cam[j] for i, j in pairs}


def open_tum(path: str | Path, split: str | None = None) -> DepthDataset:
    """Open a sequence, or a folder whose sub-folders are sequences.

    Raises:
        InputError: see `TumSequence`; also for a split, as a sequence has none.
    """
    refuse_split(Path(path), split)
    return open_one_or_all(Path(path), "tum", is_tum_sequence, TumSequence)


def is_tum_sequence(path: Path) -> bool:
    """Whether a folder has the lists of a sequence."""
    return (path / "depth.txt").is_file() or ((path / "rgb.txt").is_file() and (path / "rgb").is_dir())


def looks_like_tum(path: Path) -> bool:
    """Whether a path is a sequence or a folder of nothing else."""
    return is_tum_sequence(path) or holds_only(path, is_tum_sequence)


def _has_depth(path: Path) -> bool:
    if (path / "depth.txt").exists():
        return True
    if (path / "depth").is_dir():
        raise InputError(f"{path}: a folder depth/ but no depth.txt; expected its list 'timestamp path': restore it.")
    return False


def _read_list(path: Path, name: str) -> dict[float, tuple[str, str]]:
    """Stamp → its text and the listed path."""
    rule = "expected 'timestamp path', for example '1305031102.175304 rgb/1305031102.175304.png'"
    listed: dict[float, tuple[str, str]] = {}
    for place, line in read_lines(path / name):
        text, _, file = line.partition(" ")
        file = file.strip()
        stamp = parse_time(text, place, rule)
        if not file:
            raise InputError(f"{place}: '{line[:60]}' names no file; {rule}; correct the list.")
        if stamp in listed and listed[stamp][1] != file:
            raise InputError(
                f"{place}: '{file}' has the stamp {text} of '{listed[stamp][1]}'; a stamp has one file: remove a line."
            )
        listed.setdefault(stamp, (text, file))
    if not listed:
        raise InputError(f"{path / name}: lists no file; {rule}, one a line: restore the list.")
    absent = [file for _, file in listed.values() if not (path / file).is_file()]
    if absent:
        raise InputError(
            f"{path / name}: '{absent[0]}' is not there ({len(absent)} of {len(listed)} files are missing); copy them "
            "or remove their lines."
        )
    return listed


def _refuse_no_pair(
    file: Path, stamps: NDArray[np.float64], others: NDArray[np.float64], pairs: int, what: str
) -> None:
    if pairs == 0:
        raise InputError(
            f"{file}: no colour frame has {what} within {MAX_DIFFERENCE_S:g} s: colour runs from {stamps[0]:.3f} to "
            f"{stamps[-1]:.3f} s, this file from {others[0]:.3f} to {others[-1]:.3f} s; the files are of two "
            "recordings or clocks: bring them together."
        )
