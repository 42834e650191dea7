"""Preparation on one core: raw NYU Depth v2 to a tree without in-filling, velodyne scans, and rooms from a seed.

The inputs are made here in the shape of the real ones: files as the Kinect's recorder wrote them, a scan with the rows
and the drop-outs of an HDL-64E.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.benchmark.timing import measure, result
from depthnet.data.kitti.velodyne import project_velodyne
from depthnet.data.synthetic import Walk, build_room, develop, meter, nyu_like_intrinsics, pack_scene, render
from depthnet.prepare.nyu_raw import NyuRawOptions, NyuRawSource
from depthnet.prepare.nyu_raw.files import write_raw_frame
from depthnet.prepare.scene_job import ImageFormat, SceneJob
from depthnet.prepare.tree import build_recipe, open_tree

FRAMES, REPEATS = 6, 5
ROOMS, SYNTHETIC_SIZE = 6, (240, 320)
KITTI_SIZE = (375, 1242)
#: Projection of KITTI's left colour camera, velodyne metres to pixels times z; the digits of a typical day.
KITTI_PROJECTION = np.array([
    [609.7, -721.4, -1.25, -123.0],
    [180.4, 7.65, -719.7, -101.0],
    [0.99995, 0.0001, 0.0105, -0.269],
])  # fmt: skip


def run() -> dict[str, dict[str, Any]]:
    """Seconds per raw frame from the dump's files to the tree's, per velodyne scan and per synthetic picture."""
    return {**_raw_nyu(), **_velodyne(), **_synthetic()}


def _raw_nyu() -> dict[str, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        scene = Path(folder) / "raw" / "study_0001"
        for number in range(FRAMES):
            write_raw_frame(scene, 1.3e9 + number / 10, raw_disparity(number), raw_picture(number), colour_delay_s=0.01)
        jobs = {
            "ours": _job(folder, "ours", NyuRawOptions()),
            "jpg": _job(folder, "jpg", NyuRawOptions(), "jpg"),
            "rival": _job(folder, "rival", NyuRawOptions(mode="toolbox")),
        }
        seconds = measure({name: lambda job=job: _do(job) for name, job in jobs.items()}, REPEATS)  # type: ignore[misc]
    per_frame = {name: value / FRAMES for name, value in seconds.items()}
    return {
        "prepare": result(
            per_frame["ours"], per_frame["rival"], "the published MATLAB steps in NumPy (mode toolbox), same files",
            "s per raw NYU frame, files to files, 1 process", frames_per_s=1 / per_frame["ours"],
            frames_per_s_jpg=1 / per_frame["jpg"],
        )
    }  # fmt: skip


def _job(folder: str, name: str, options: NyuRawOptions, image_format: ImageFormat = "png") -> SceneJob:
    source, out = NyuRawSource(Path(folder) / "raw", options), Path(folder) / name
    with open_tree(out, build_recipe(source, image_format), overwrite=False) as recipe:
        return SceneJob(source, out, image_format, recipe)


def _do(job: SceneJob) -> None:
    (scene,) = job.source.scenes()
    outcome = job.run(scene)
    assert (outcome.error, outcome.frames) == (None, FRAMES)


def raw_disparity(seed: int) -> NDArray[np.uint16]:
    """Counts of a Kinect before a slanted wall with boxes, (480, 640): noise, shadows and holes of 2047."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:480, :640]
    counts = 850.0 + 0.2 * x - 0.1 * y
    for _ in range(8):
        left, top, nearer = rng.integers(0, 560), rng.integers(0, 400), rng.integers(40, 150)
        counts[top : top + 110, left : left + 90] -= nearer
        counts[top : top + 110, left - 8 if left > 8 else 0 : left] = 2047
    counts = np.clip(counts + rng.normal(0.0, 0.6, counts.shape), 450, 1060)
    counts[rng.random(counts.shape) < 0.03] = 2047
    counts[:, 632:] = 2047
    disparity: NDArray[np.uint16] = np.rint(counts).astype(np.uint16)
    return disparity


def raw_picture(seed: int) -> NDArray[np.uint8]:
    """A picture with the noise of a webcam, which is what its compression costs, (480, 640, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(30, 220, (12, 16, 3)).repeat(40, 0).repeat(40, 1)
    return np.clip(coarse + rng.normal(0.0, 4.0, coarse.shape), 0, 255).astype(np.uint8)


def _velodyne() -> dict[str, dict[str, Any]]:
    points = velodyne_scan()
    functions: dict[str, Callable[[], object]] = {
        "ours": lambda: project_velodyne(points, KITTI_PROJECTION, KITTI_SIZE),
        "literature": lambda: project_velodyne(points, KITTI_PROJECTION, KITTI_SIZE, "literature"),
        "rival": lambda: project_plainly(points, KITTI_PROJECTION, KITTI_SIZE),
    }
    seconds = measure(functions, repeats=9)
    return {
        "prepare-velodyne": result(
            seconds["ours"], seconds["rival"], "the same projection in plain NumPy, double pixels settled in a loop",
            f"s per scan of {len(points)} points, 1 core", literature_s=seconds["literature"],
        )
    }  # fmt: skip


def _synthetic() -> dict[str, dict[str, Any]]:
    K = nyu_like_intrinsics(SYNTHETIC_SIZE)
    views = []
    for number in range(ROOMS):
        room = build_room(0, number)
        scene = pack_scene(room.scene)
        views.append((scene, Walk(room, scene, 0, number, K, SYNTHETIC_SIZE).pose(0.0)))

    def take(shadows: bool) -> None:
        for number, (scene, T_world_cam) in enumerate(views):
            rng = np.random.default_rng(number)
            light = render(scene, K, T_world_cam, SYNTHETIC_SIZE, shadows=shadows).light
            develop(light, meter(light, rng), rng)

    seconds = measure({"ours": lambda: take(True), "rival": lambda: take(False)}, repeats=3)
    return {
        "prepare-synthetic": result(
            seconds["ours"] / ROOMS, seconds["rival"] / ROOMS, "the same without shadows",
            "s per 320x240 picture with depth, rooms built before, 1 process",
            frames_per_s=ROOMS / seconds["ours"], frames_per_s_without_shadows=ROOMS / seconds["rival"],
        )
    }  # fmt: skip


def velodyne_scan() -> NDArray[np.float32]:
    """A scan of a street between two walls: 64 rows from +2 to -24.8 degrees, (N, 4), about 115 000 points."""
    rng = np.random.default_rng(0)
    elevation = np.radians(np.linspace(2.0, -24.8, 64))[:, None]
    azimuth = np.radians(np.linspace(-180, 180, 2083, endpoint=False))[None]
    forward, left, up = np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)
    up = up + 0.0 * forward
    with np.errstate(divide="ignore"):
        ground = np.where(up < 0, -1.73 / up, np.inf)
        distance = np.minimum(ground, 8.0 / np.abs(left)) + rng.normal(0.0, 0.02, forward.shape)
    seen = (distance < 80.0) & (rng.random(forward.shape) < 0.95)
    xyz = (np.stack([forward, left, up], -1) * distance[..., None])[seen]
    return np.column_stack([xyz, rng.random(len(xyz))]).astype(np.float32)


def project_plainly(
    points: NDArray[np.float32], projection: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float32]:
    """The z variant of `project_velodyne` as one would write it down: all points, then pixels hit twice one by one."""
    height, width = size
    pixels = projection @ np.column_stack([points[:, :3], np.ones(len(points))]).T
    z = pixels[2]
    with np.errstate(divide="ignore", invalid="ignore"):
        column, row = np.rint(pixels[0] / z), np.rint(pixels[1] / z)
    inside = (z > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row, z = column[inside].astype(int), row[inside].astype(int), z[inside].astype(np.float32)
    depth = np.zeros(size, np.float32)
    depth[row, column] = z
    keys, first, counts = np.unique(row * width + column, return_index=True, return_counts=True)
    for key, place in zip(keys[counts > 1], first[counts > 1], strict=True):
        depth[row[place], column[place]] = z[row * width + column == key].min()
    return depth
