"""From a video to the path of its camera, in Python as frames come, and as a job that writes a trajectory file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.config import OdometryConfig
from depthnet.cores import usable_cores
from depthnet.data.samples import DepthDataset
from depthnet.errors import ConfigError, InputError
from depthnet.geometry.trajectory import ate, rpe
from depthnet.io.trajectory import TrajectoryWriter
from depthnet.odometry.learned import LearnedTracker
from depthnet.odometry.tracker import DirectTracker, TrackedFrame
from depthnet.odometry.video import PredictDepth, ReadFrame, choose_video, read_video

#: Relative errors are told over so many frames: a second of most cameras.
RPE_FRAMES = 30

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class VideoFrame:
    """A frame of a video and its pose."""

    name: str
    """Name within the data set."""
    tracked: TrackedFrame
    """Its pose, or why there is none."""
    T_world_true: Matrix | None
    """Ground truth, camera to world of the data set, (4, 4); for scores alone."""
    repeats: bool
    """Whether picture and depth are those of the frame before, to the last bit."""
    error: str = ""
    """Why it cannot be read."""


@dataclass
class OdometryResult:
    """What became of a video."""

    path: Path
    """The trajectory file."""
    frames: list[VideoFrame] = field(default_factory=list)
    seconds: float = 0.0
    """Wall time, reading included, compiling not."""

    @property
    def tracked(self) -> list[VideoFrame]:
        """The frames that have a pose."""
        return [frame for frame in self.frames if frame.tracked.T_world_cam is not None]

    @property
    def gaps(self) -> list[list[VideoFrame]]:
        """Runs of frames without a pose."""
        runs: list[list[VideoFrame]] = []
        open_run = False
        for frame in self.frames:
            lost = frame.tracked.T_world_cam is None
            if lost and not open_run:
                runs.append([])
            if lost:
                runs[-1].append(frame)
            open_run = lost
        return runs

    def scores(self) -> dict[str, float]:
        """Errors against the ground truth, of the frames that have both; empty where there are fewer than two.

        ate_m: root mean square of positions after a rigid alignment; missing where the path determines none.
        rpe_m, rpe_deg: root mean square over all pairs ``rpe_frames`` apart.
        """
        both = [frame for frame in self.tracked if frame.T_world_true is not None]
        if len(both) < 2:
            return {}
        estimate = np.array([frame.tracked.T_world_cam for frame in both])
        truth = np.array([frame.T_world_true for frame in both])
        apart = min(RPE_FRAMES, len(both) - 1)
        relative = rpe(estimate, truth, apart)
        found = {
            "rpe_m": relative.translation_m.rmse,
            "rpe_deg": relative.rotation_deg.rmse,
            "rpe_frames": float(apart),
        }
        try:
            return {"ate_m": ate(estimate, truth).rmse, **found}
        except InputError:  # a camera that stands still, or moves on one line
            return found


def estimate_trajectory(
    dataset: DepthDataset,
    video: str | None = None,
    depth: str = "sensor",
    focal_px: float | None = None,
    device: str | None = None,
    threads: int | None = None,
    pose_model: str | None = None,
) -> Iterator[VideoFrame]:
    """Follow the camera through a video.

    Args:
        dataset: any data set of video.
        video: name of the video, where the data set has several.
        depth: sensor for the data set's depth, or a model that predicts it from each picture.
        focal_px: focal length in pixels of the pictures, in place of the data set's K.
        device: where the model runs.
        threads: threads of the tracker, and of the model; by default all cores. Results do not depend on it.
        pose_model: follow the camera by this pose network instead, without any depth.

    Yields:
        Each frame as soon as it is tracked; the first one with depth is the world.

    Raises:
        InputError: if the video is shorter than two frames, has no K, or its frames differ in size.
        MissingTierError: if Numba is not installed.
    """
    positions = choose_video(dataset, video)
    count = threads or usable_cores()
    predict: PredictDepth | None
    tracker: DirectTracker | LearnedTracker
    if pose_model is not None:
        predict, tracker = None, _load_learned(pose_model, device, count)
    else:
        predict = None if depth == "sensor" else _load_prediction(depth, device, count)
        tracker = DirectTracker(count, free_scale=depth != "sensor")
    before: ReadFrame | None = None
    for number, frame in enumerate(read_video(dataset, positions, focal_px, predict)):
        if frame.raw is None:
            lost = tracker.skip(frame.error)
            yield VideoFrame(frame.name, lost, None, repeats=False, error=frame.error)
            continue
        raw = frame.raw
        time_s = float(number) if raw.time_s is None else float(raw.time_s)
        tracked = tracker.track(raw.image, raw.depth, frame.K, time_s)
        repeats = before is not None and _same(before, frame)
        yield VideoFrame(frame.name, tracked, raw.T_world_cam, repeats)
        before = frame


def run_odometry(
    path: str | Path,
    config: OdometryConfig,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> OdometryResult:
    """Follow the camera through a video and write its path as it is found.

    Args:
        path: data of any layout with video.
        config: how, and where to write.
        overwrite: replace the trajectory file when it exists.
        on_progress: called with frames done and frames in all.

    Returns:
        All frames with their poses. The file holds those that have one; on an error or Ctrl-C it holds what was found.

    Raises:
        InputError: if the data cannot be used, the file cannot be written, or, for kitti, a frame has no pose.
        ConfigError: if an option is wrong.
    """
    from depthnet.data import open_dataset

    if not config.out:
        raise ConfigError("odometry needs --out trajectory.txt.")
    if config.threads is not None and config.threads < 1:
        raise ConfigError(f"--threads {config.threads}: expected 1 or more.")
    if (config.method == "learned") != (config.model is not None):
        raise ConfigError("--method learned and --model M (a pose model) go together; pass both or neither.")
    if config.method == "learned" and config.depth != "sensor":
        raise ConfigError(f"--depth {config.depth}: --method learned needs no depth; leave it out.")
    dataset = open_dataset(path, config.split, config.data_format)
    total = len(choose_video(dataset, config.video))
    frames = estimate_trajectory(
        dataset, config.video, config.depth, config.focal_px, config.device, config.threads, config.model
    )
    result = OdometryResult(Path(config.out))
    with TrajectoryWriter(config.out, config.format, overwrite) as writer:
        start = time.perf_counter()
        for frame in frames:
            result.frames.append(frame)
            pose = frame.tracked.T_world_cam
            if pose is not None:
                writer.append(frame.tracked.time_s, pose)
            elif config.format == "kitti":
                raise InputError(
                    f"{frame.name}: no pose ({frame.tracked.reason}), and a kitti file needs one for every frame; the "
                    f"{writer.count} frames before it are in {config.out}: use --format tum."
                )
            if len(result.frames) == 2:  # the loops are compiled by now
                start = time.perf_counter()
            result.seconds = time.perf_counter() - start
            if on_progress is not None:
                on_progress(len(result.frames), total)
    return result


def _load_learned(model: str, device: str | None, threads: int) -> LearnedTracker:
    from depthnet.predictor.pose import load_pose_model

    return LearnedTracker(load_pose_model(model, device, threads))


def _load_prediction(model: str, device: str | None, threads: int) -> PredictDepth:
    from depthnet.predictor import load_model

    loaded = load_model(model, device, threads)

    def predict(image: NDArray[Any], focal_px: float) -> NDArray[np.float32]:
        return loaded.depth(image, focal_px)

    return predict


def _same(before: ReadFrame, frame: ReadFrame) -> bool:
    if before.raw is None or frame.raw is None:
        return False
    one, other = before.raw.depth, frame.raw.depth
    depth = one is other if one is None or other is None else np.array_equal(one, other)
    return depth and np.array_equal(before.raw.image, frame.raw.image)
