"""Depth of a video: decoding, the network, painting and encoding run beside one another, in constant memory.

:func:`iter_depth` gives the depth of frame after frame; :func:`predict_video` writes it by a :class:`VideoOutput`.
Several frames are in the network at once, each on one core: that is faster than one frame on all cores.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from depthnet.cores import usable_cores
from depthnet.errors import InputError
from depthnet.io.video import FrameSource, VideoFrame
from depthnet.predictor.model import DepthModel, load_model
from depthnet.predictor.steady import Steadier, grid_grey
from depthnet.predictor.video_output import DepthFrame, VideoOutput

# Frames that wait for a free network, and pictures that wait for the encoder.
_AHEAD = 2

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True)
class VideoResult:
    """What became of one video."""

    source: FrameSource
    """The video."""
    output: VideoOutput
    """What was written of it."""
    seconds: float
    """Time of it all."""

    @property
    def error(self) -> InputError | None:
        """What could not be read of the video, in one line; None when it was read as a whole."""
        problems = self.source.problems
        if not problems:
            return None
        path, count, stated = self.source.path, self.output.count, self.source.count
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        of_all = f" of {stated}" if stated and stated > count else ""
        return InputError(
            f"{path}: damaged or truncated ({problems[0]}{more}); {count}{of_all} frames were read and are kept; "
            "copy or export it again."
        )

    @property
    def facts(self) -> str:
        """The result in one line."""
        (height, width), (near, far), first = self.source.size, self.output.depth_range, self.output.first
        focal = "" if first is None else f"focal length {first.focal_px:.1f} px from {first.focal_source}, "
        return (
            f"{self.source.path}: {width} x {height}, {self.output.count} frames at {float(self.source.rate):.6g} per "
            f"second, {near:.2f} to {far:.2f} m, {focal}{self.output.count / self.seconds:.1f} frames/s"
        )


def load_video_model(
    name: str | Path = "mobile", device: str | None = None, threads: int | None = None
) -> tuple[DepthModel, int]:
    """Load a model for video, and say how many frames shall be in it at once.

    Args:
        name: as for :func:`load_model`.
        device: as for :func:`load_model`.
        threads: CPU threads in all; by default all cores this process may use.

    Raises:
        InputError: as :func:`load_model`.
        MissingTierError: as :func:`load_model`.
    """
    if threads is not None and threads < 1:
        raise InputError(f"--threads {threads}: give 1 or more.")
    model = load_model(name, device, threads=1)
    return model, (threads or usable_cores()) if model.runtime.on_cpu else _AHEAD


def iter_depth(
    model: DepthModel,
    source: FrameSource,
    focal_px: float | None = None,
    fov_deg: float | None = None,
    steady: bool = False,
    workers: int = 1,
) -> Iterator[DepthFrame]:
    """Depth of the frames of a video, in order, as they are asked for.

    Args:
        model: the model, see :func:`load_video_model`.
        source: the frames, see :func:`depthnet.io.video.read_video`.
        focal_px: focal length in pixels of the upright frames.
        fov_deg: their horizontal field of view in degrees, instead.
        steady: reduce the flicker, see :mod:`depthnet.predictor.steady`.
        workers: frames that are in the network at once.

    Raises:
        InputError: if a focal length or angle is out of range, or the model gives no metres.
    """
    model.choose_focal(source.size, focal_px, fov_deg, None)  # refuse before any work
    steadier = Steadier()

    def predict(frame: VideoFrame) -> tuple[DepthFrame, NDArray[np.float32] | None]:
        focal, focal_source = model.choose_focal(source.size, focal_px, fov_deg, frame.focal_px)
        depth = model.depth_at_network_size(frame.image, focal)
        grey = grid_grey(frame.image, depth.shape) if steady else None
        return DepthFrame(frame, depth, focal, focal_source), grey

    def frames() -> Iterator[DepthFrame]:
        for found, grey in _in_order(predict, source, workers, workers + _AHEAD):
            yield found if grey is None else replace(found, depth=steadier.steady(grey, found.depth))

    return frames()


def predict_video(
    model: DepthModel,
    source: FrameSource,
    output: VideoOutput,
    focal_px: float | None = None,
    fov_deg: float | None = None,
    steady: bool = False,
    workers: int = 1,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> VideoResult:
    """Write the depth of a video in constant memory: a video with the same times, or files for each frame, or both.

    Args:
        model: the model, see :func:`load_video_model`.
        source: the frames, see :func:`depthnet.io.video.read_video`.
        output: what to write, and where; it is closed at the end, however that comes.
        focal_px: focal length in pixels of the upright frames.
        fov_deg: their horizontal field of view in degrees, instead.
        steady: reduce the flicker, see :mod:`depthnet.predictor.steady`.
        workers: frames that are in the network at once.
        on_progress: called with frames done and frames in all (None where nothing tells), in this thread.

    Returns:
        What was written; ``error`` is set where a part of the video could not be read.

    Raises:
        InputError: as :func:`iter_depth`, or if the disk refuses a file.
        KeyboardInterrupt: when the user stops it; its text says what is kept.
    """
    start = time.perf_counter()
    try:
        with output:
            found = iter_depth(model, source, focal_px, fov_deg, steady, workers)
            for done in _in_order(output.write, found, 1, _AHEAD):
                if on_progress is not None:
                    on_progress(done, source.count)
    except KeyboardInterrupt as stop:
        kept = ", ".join(str(path) for path in output.paths)
        raise KeyboardInterrupt(f"{output.count} frames of {source.path} are kept in {kept}") from stop
    return VideoResult(source, output, time.perf_counter() - start)


def _in_order(function: Callable[[Given], Made], items: Iterable[Given], workers: int, ahead: int) -> Iterator[Made]:
    """Results in the order of the items, which are taken while up to ``ahead`` earlier ones are at work or wait."""
    pool, waiting = ThreadPoolExecutor(workers), deque[Future[Made]]()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
