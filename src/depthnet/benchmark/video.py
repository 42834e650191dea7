"""Depth of a video: the speed of the whole job against the network alone, and how much --steady takes off the flicker.

Speed: a 640x480 clip, from file to file with decoding, resizing, painting, the scale and encoding, against the bare
network in ONNX Runtime on all cores, frame after frame with its input ready. A ratio of 0.9 is 90 % of its frames per
second.

Flicker is measured where the motion is known, from the depth sensor and the ground truth of the camera: a point that is
seen in frame t and was seen in frame t - 1 has depth z there, and z' before. A network that does not flicker gives
depths whose logarithms differ by ln z - ln z', too. The flicker is the mean of how far they are from that, over the
points of a pair and over the pairs. The motion that the filter itself estimates plays no part in it.

The video is the folder in the environment variable DEPTHNET_VIDEO, any layout with depth and ground truth; without it,
a room made from a seed.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.benchmark.odometry import load_video
from depthnet.benchmark.timing import measure, result
from depthnet.cores import usable_cores
from depthnet.data import RawSample
from depthnet.geometry.projection import rigid_flow
from depthnet.geometry.se3 import invert_transform
from depthnet.io.video import read_video
from depthnet.io.video_writer import VideoWriter
from depthnet.metrics import depth_metrics
from depthnet.predictor import DepthModel, load_model
from depthnet.predictor.resize import network_input, network_size, resize_depth
from depthnet.predictor.steady import Steadier, grid_grey, sample
from depthnet.predictor.video import load_video_model, predict_video
from depthnet.predictor.video_output import VideoOutput

SIZE = (480, 640)
RATE = Fraction(30000, 1001)
_COUNT, _TURNS = 120, 3
# A point was seen in the frame before when the sensor's depth there is so near to its own.
_SAME_SURFACE = 0.05

Map = NDArray[np.float32]


def run() -> dict[str, dict[str, Any]]:
    """Seconds per frame, with and without --steady, and the flicker.

    Raises:
        InputError: if the video cannot be used.
        MissingTierError: if PyAV is not installed.
    """
    name, frames = load_video()
    seconds = job_seconds([frame.image for frame in frames])
    rival = f"mobile alone in ONNX Runtime on {usable_cores()} cores"
    unit = f"s per frame of a {SIZE[1]}x{SIZE[0]} clip, file to file"
    return {
        key: result(seconds[key], seconds["network"], rival, unit + words, frames_per_s=1 / seconds[key])
        for key, words in (("video", ""), ("video-steady", ", with --steady"))
    } | {"video-flicker": flicker_figures(load_model(), name, frames)}


def job_seconds(images: list[NDArray[np.uint8]], count: int = _COUNT) -> dict[str, float]:
    """Wall seconds per frame: of the job, of the job with --steady, and of the bare network.

    Args:
        images: the clip, which is played forth and back until it is long enough.
        count: frames.
    """
    model, (video_model, workers) = load_model(), load_video_model()
    ready = network_input(np.zeros((*SIZE, 3), np.uint8), network_size(*SIZE, model.info.input_size))
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        _write_clip(clip, images, count)

        def job(steady: bool) -> None:
            with read_video(clip) as video:
                output = VideoOutput(video, Path(folder) / "out", overwrite=True)
                predict_video(video_model, video, output, steady=steady, workers=workers)

        def network() -> None:
            for _ in range(count):
                model.runtime.run(ready)

        functions = {"video": lambda: job(False), "network": network, "video-steady": lambda: job(True)}
        return {key: seconds / count for key, seconds in measure(functions, _TURNS).items()}


def flicker_figures(model: DepthModel, name: str, frames: list[RawSample]) -> dict[str, Any]:
    """Flicker and accuracy of each frame alone and with --steady, one entry of the benchmark's JSON.

    Args:
        model: the model.
        name: of the video, for the words.
        frames: with depth, K and ground truth.
    """
    steadier, alone, steady = Steadier(), [], []
    for frame in frames:
        assert frame.K is not None
        depth = model.depth_at_network_size(frame.image, float(frame.K[0, 0]))
        steadied = steadier.steady(grid_grey(frame.image, depth.shape), depth)
        alone.append(resize_depth(depth, frame.size))
        steady.append(resize_depth(steadied, frame.size))
    before, after = (_accuracy(maps, frames) for maps in (alone, steady))
    unit = (
        f"mean difference of ln depth along the true motion in {name}, {len(frames)} frames ("
        + "; ".join(
            f"{words}: delta1 {scores['delta1']:.4f}, abs_rel {scores['abs_rel']:.4f}"
            for words, scores in (("with --steady", after), ("without", before))
        )
        + ")"
    )
    return result(
        flicker(steady, frames), flicker(alone, frames), "each frame alone", unit,
        delta1=after["delta1"], rival_delta1=before["delta1"],
        abs_rel=after["abs_rel"], rival_abs_rel=before["abs_rel"],
    )  # fmt: skip


def flicker(maps: list[Map], frames: list[RawSample]) -> float:
    """How far the depth of neighbouring frames differs from what the true motion says, the mean of |ln|.

    Args:
        maps: predicted depth in metres, (H, W) each.
        frames: of that size, with sensor depth, K and ground truth.
    """
    errors = [
        error
        for (before, source), (now, target) in pairwise(zip(maps, frames, strict=True))
        if (error := pair_flicker(now, target, before, source)) is not None
    ]
    return float(np.mean(errors))


def pair_flicker(now: Map, target: RawSample, before: Map, source: RawSample) -> float | None:
    """The flicker between a frame and the one before it; None where they share no known point.

    Args:
        now: predicted depth of the frame in metres, (H, W).
        target: the frame.
        before: predicted depth of the one before.
        source: the one before.
    """
    assert target.depth is not None
    assert source.depth is not None
    assert target.K is not None
    assert target.T_world_cam is not None
    assert source.T_world_cam is not None
    height, width = target.size
    T_src_tgt = invert_transform(source.T_world_cam) @ target.T_world_cam
    flow, known, points = rigid_flow(target.depth[None, None], target.K[None], T_src_tgt[None].astype(np.float32))
    y, x = np.mgrid[:height, :width]
    place = (np.stack([x, y]) + flow[0]).astype(np.float32)
    inside = known[0, 0] & (place >= 0).all(axis=0) & (place[0] <= width - 1) & (place[1] <= height - 1)
    place, z, z_before = place[:, inside], target.depth[inside], points[0, 2][inside]
    column, row = np.rint(place).astype(np.intp)
    seen = np.abs(source.depth[row, column] / z_before - 1) < _SAME_SURFACE
    if not seen.any():
        return None
    change = np.log(now[inside]) - sample(np.log(before)[None], place)[0]
    return float(np.abs(change - np.log(z / z_before))[seen].mean())


def _accuracy(maps: list[Map], frames: list[RawSample]) -> dict[str, float]:
    """Mean over the frames of the metrics without any protocol."""
    scores = [
        depth_metrics(one, frame.depth, frame.depth > 0)
        for one, frame in zip(maps, frames, strict=True)
        if frame.depth is not None and (frame.depth > 0).any()
    ]
    return {key: float(np.mean([one[key] for one in scores])) for key in scores[0]}


def _write_clip(path: Path, images: list[NDArray[np.uint8]], count: int) -> None:
    there_and_back = [*images, *images[-2:0:-1]]
    with VideoWriter(path, SIZE, 1 / RATE, RATE) as writer:
        for number in range(count):
            picture = Image.fromarray(there_and_back[number % len(there_and_back)])
            writer.append(np.asarray(picture.resize(SIZE[::-1], Image.Resampling.BICUBIC)), number / RATE)
