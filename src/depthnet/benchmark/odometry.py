"""Camera tracking: ours against Open3D's `compute_rgbd_odometry`, the same frames in the same process, in turn.

The rival runs as its documentation does: hybrid term, iterations 20, 10 and 5, each frame against the one before, at
640x480 and at 320x240 (where the video is that large), and its better result counts, by translation error. Each turn
tracks one stretch of the video by one program, so that noise of the machine hits all alike.

The video is the folder in the environment variable DEPTHNET_VIDEO, any layout with depth and ground truth; without it,
a room made from a seed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.benchmark.timing import result
from depthnet.cores import usable_cores
from depthnet.data import RawSample, open_dataset
from depthnet.geometry.camera import scale_intrinsics
from depthnet.geometry.trajectory import rpe
from depthnet.odometry import DirectTracker
from depthnet.odometry.video import choose_video

#: Frames between the two of a pair whose relative error is told.
APART = 30
#: Sizes at which the rival runs.
RIVAL_SIZES = ((480, 640), (240, 320))
VARIABLE = "DEPTHNET_VIDEO"
_TURNS = 8
_MOST_DEPTH = 8.0

Poses = NDArray[np.float64]
Track = Callable[[RawSample], Poses | None]


@dataclass
class Run:
    """One program on its way through the video."""

    track: Track
    poses: list[Poses]
    seconds: float = 0.0
    lost: int = 0

    def take(self, frames: list[RawSample]) -> None:
        """Track a stretch; a lost frame keeps the pose before it, so that it counts in the error."""
        start = time.perf_counter()
        for frame in frames:
            pose = self.track(frame)
            self.lost += pose is None
            self.poses.append(self.poses[-1] if pose is None else pose)
        self.seconds += time.perf_counter() - start


def run() -> dict[str, dict[str, Any]]:
    """Seconds per pair, with the relative errors of both.

    Raises:
        InputError: if the video cannot be used.
    """
    name, frames = load_video()
    return {"odometry": compare(name, frames)}


def compare(name: str, frames: list[RawSample]) -> dict[str, Any]:
    """Track the same frames by ours and by the rival.

    Args:
        name: of the video, for the words.
        frames: with depth, K and ground truth.
    """
    _track_ours(frames[:3])  # compiles the loops
    runs = {"ours": Run(_ours(), [])}
    rival = _open3d()
    if rival is not None:
        sizes = [size for size in RIVAL_SIZES if size[0] <= frames[0].size[0]] or [frames[0].size]
        runs |= {f"Open3D {size[1]}x{size[0]}": Run(partial(_RivalTracker(rival, size).track), []) for size in sizes}
    for one in runs.values():
        one.poses.append(np.eye(4))
        one.track(frames[0])
    for stretch in np.array_split(np.arange(1, len(frames)), min(_TURNS, len(frames) - 1)):
        for one in runs.values():
            one.take([frames[i] for i in stretch])
    return _words(name, frames, runs)


def load_video() -> tuple[str, list[RawSample]]:
    """The video of the environment variable, or a room."""
    path = os.environ.get(VARIABLE)
    if not path:
        return "a synthetic room", _room(90)
    dataset = open_dataset(path)
    frames = [dataset.read_raw(i) for i in choose_video(dataset, None)]
    return dataset.name, [frame for frame in frames if frame.depth is not None and frame.T_world_cam is not None]


def _room(count: int) -> list[RawSample]:
    from depthnet.prepare.source import PreparedFrame
    from depthnet.prepare.synthetic import SyntheticOptions, SyntheticSource

    source = SyntheticSource(SyntheticOptions(rooms=1, frames=count, step_s=1 / 15, shadows=False))
    frames = [one for one in source.frames("room_000000") if isinstance(one, PreparedFrame)]
    return [
        RawSample(one.image, one.depth, np.asarray(one.K, np.float32), one.name, one.T_world_cam, one.time_s)
        for one in frames
    ]


def _ours() -> Track:
    tracker = DirectTracker(usable_cores())
    return lambda frame: tracker.track(frame.image, frame.depth, _camera(frame), frame.time_s).T_world_cam


def _track_ours(frames: list[RawSample]) -> None:
    track = _ours()
    for frame in frames:
        track(frame)


def _camera(frame: RawSample) -> NDArray[np.float64]:
    return np.asarray(frame.K, np.float64)


def _open3d() -> Any | None:
    try:
        import open3d
    except (ImportError, OSError):  # OSError: a library of the system that it needs is missing
        return None
    open3d.utility.set_verbosity_level(open3d.utility.VerbosityLevel.Error)
    return open3d


class _RivalTracker:
    """Open3D's RGB-D odometry, each frame against the one before."""

    def __init__(self, open3d: Any, size: tuple[int, int]) -> None:
        self.open3d, self.size = open3d, size
        self.before: Any = None
        self.pose: Poses = np.eye(4)
        part = open3d.pipelines.odometry
        self.term = part.RGBDOdometryJacobianFromHybridTerm()
        steps = open3d.utility.IntVector([20, 10, 5])
        self.option = part.OdometryOption(iteration_number_per_pyramid_level=steps)

    def track(self, frame: RawSample) -> Poses | None:
        """The pose of the next frame, None where the alignment fails."""
        o3d, (height, width) = self.open3d, self.size
        pictures = (np.ascontiguousarray(one) for one in self._resized(frame))
        picture = o3d.geometry.RGBDImage.create_from_color_and_depth(
            *(o3d.geometry.Image(one) for one in pictures), depth_scale=1.0, depth_trunc=_MOST_DEPTH,
            convert_rgb_to_intensity=True,
        )  # fmt: skip
        K = scale_intrinsics(_camera(frame), height / frame.size[0], width / frame.size[1])
        camera = o3d.camera.PinholeCameraIntrinsic(width, height, K[0, 0], K[1, 1], K[0, 2], K[1, 2])
        before, self.before = self.before, picture
        if before is None:
            return self.pose
        success, motion, _ = o3d.pipelines.odometry.compute_rgbd_odometry(
            picture, before, camera, np.eye(4), self.term, self.option
        )
        self.pose = self.pose @ motion if success else self.pose
        return self.pose if success else None

    def _resized(self, frame: RawSample) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        assert frame.depth is not None
        if frame.size == self.size:
            return frame.image, frame.depth
        size = self.size[::-1]
        image = np.asarray(Image.fromarray(frame.image).resize(size, Image.Resampling.BOX))
        return image, np.asarray(Image.fromarray(frame.depth).resize(size, Image.Resampling.NEAREST))


def _words(name: str, frames: list[RawSample], runs: dict[str, Run]) -> dict[str, Any]:
    truth = np.array([frame.T_world_cam for frame in frames])
    apart, pairs = min(APART, len(frames) - 1), len(frames) - 1
    errors = {key: rpe(np.array(one.poses), truth, apart) for key, one in runs.items()}
    said = {
        key: f"{found.translation_m.rmse:.4f} m and {found.rotation_deg.rmse:.3f} degrees, {runs[key].lost} lost"
        for key, found in errors.items()
    }
    best = min((key for key in runs if key != "ours"), key=lambda key: errors[key].translation_m.rmse, default=None)
    height, width = frames[0].size
    rival = None if best is None else runs[best].seconds / pairs
    unit = f"s per pair of {name} ({len(frames)} frames, {width}x{height}); errors over {apart} frames: " + "; ".join(
        f"{key} {words}" for key, words in said.items()
    )
    return result(
        runs["ours"].seconds / pairs, rival, best or "Open3D 0.20 compute_rgbd_odometry", unit,
        ours_rpe_m=errors["ours"].translation_m.rmse, ours_rpe_deg=errors["ours"].rotation_deg.rmse,
        rival_rpe_m=None if best is None else errors[best].translation_m.rmse,
        rival_rpe_deg=None if best is None else errors[best].rotation_deg.rmse,
        pairs_per_s=pairs / runs["ours"].seconds,
    )  # fmt: skip
