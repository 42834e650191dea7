"""The same numbers as evo, the field's tool, on the same files to 1e-6."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from depthnet.data import open_dataset
from depthnet.geometry.se3 import se3_exp
from depthnet.geometry.trajectory import align_path, associate_times, ate, kitti_drift, rpe
from depthnet.io.trajectory import read_trajectory, write_trajectory

pytest.importorskip("evo")
from evo import main_ape, main_rpe
from evo.core import metrics, sync
from evo.core.units import Unit
from evo.tools import file_interface

Poses = NDArray[np.float64]
OPTIONS: dict[str, dict[str, bool]] = {
    "none": {}, "se3": {"align": True}, "sim3": {"align": True, "correct_scale": True},
}  # fmt: skip
UNITS = {"frames": Unit.frames, "m": Unit.meters}


def noisy(path: Poses, seed: int, scale: float = 1.0) -> Poses:
    """A path that drifts, seen from elsewhere, in another unit."""
    rng = np.random.default_rng(seed)
    steps = np.linalg.inv(path[:-1]) @ path[1:] @ se3_exp(rng.normal(size=(len(path) - 1, 6)) * 0.004)
    poses = [se3_exp(rng.normal(size=6))]
    for step in steps:
        poses.append(poses[-1] @ step)
    result = np.array(poses)
    result[:, :3, 3] *= scale
    return result


def random_path(count: int) -> Poses:
    rng = np.random.default_rng(1)
    poses = [np.eye(4)]
    for twist in rng.normal(size=(count - 1, 6)) * 0.06 + np.array([0.02, 0, 0.05, 0, 0.01, 0]):
        poses.append(poses[-1] @ se3_exp(twist))
    return np.array(poses)


def random_case(_: Path) -> tuple[Any, Poses, Any, Poses]:
    times, truth = 1305031102.0 + np.arange(150) / 30, random_path(150)
    jitter = np.random.default_rng(2).uniform(-0.004, 0.004, 150)
    return times + jitter, noisy(truth, 3, 0.4), times, truth


def gappy_case(_: Path) -> tuple[Any, Poses, Any, Poses]:
    times, estimate, true_times, truth = random_case(_)
    keep = np.ones(150, bool)
    keep[20:43] = keep[70:72] = False
    true_keep = np.ones(150, bool)
    true_keep[90:110] = False
    return times[keep], estimate[keep], true_times[true_keep], truth[true_keep]


def tum_case(shared: Path) -> tuple[Any, Poses, Any, Poses]:
    truth = read_trajectory(shared / "tum_fr1_rpy" / "groundtruth.txt")
    assert truth.times_s is not None
    chosen = np.arange(300, 1300, 9)
    estimate = noisy(truth.T_world_cam[chosen], 5)
    return truth.times_s[chosen] + 0.003, estimate, truth.times_s, truth.T_world_cam


def seven_scenes_case(shared: Path) -> tuple[Any, Poses, Any, Poses]:
    data = open_dataset(shared / "7scenes_redkitchen")
    truth = np.array([data.read_pose(index)[0] for index in range(len(data))])
    return np.arange(60) / 30, noisy(truth, 7), np.arange(60) / 30, truth


CASES: dict[str, Callable[[Path], tuple[Any, Poses, Any, Poses]]] = {
    "random": random_case, "gaps": gappy_case, "tum": tum_case, "7scenes": seven_scenes_case,
}  # fmt: skip


@pytest.fixture(params=CASES)
def files(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """Estimate and reference as TUM files."""
    shared = request.getfixturevalue("shared_data") if request.param in ("tum", "7scenes") else tmp_path
    times, estimate, true_times, truth = CASES[request.param](shared)
    write_trajectory(tmp_path / "estimate.txt", times, estimate)
    write_trajectory(tmp_path / "reference.txt", true_times, truth)
    return tmp_path / "estimate.txt", tmp_path / "reference.txt"


def ours(files: tuple[Path, Path]) -> tuple[Poses, Poses]:
    estimate, reference = (read_trajectory(file) for file in files)
    assert estimate.times_s is not None
    assert reference.times_s is not None
    i, j = associate_times(estimate.times_s, reference.times_s, 0.01).T
    return estimate.T_world_cam[i], reference.T_world_cam[j]


def theirs(files: tuple[Path, Path]) -> tuple[Any, Any]:
    estimate, reference = (file_interface.read_tum_trajectory_file(str(file)) for file in files)
    return sync.associate_trajectories(reference, estimate, max_diff=0.01)


def check(errors: Any, stats: dict[str, float]) -> None:
    assert stats["max"] > 0
    for name in ("rmse", "mean", "median", "std", "min", "max"):
        assert asdict(errors)[name] == pytest.approx(stats[name], abs=1e-6), name


def test_evo(files: tuple[Path, Path]) -> None:
    (estimate, reference), (true, found) = ours(files), theirs(files)
    assert len(estimate) == found.num_poses
    for align, options in OPTIONS.items():
        result = main_ape.ape(
            copy.deepcopy(true), copy.deepcopy(found), metrics.PoseRelation.translation_part, **options
        )
        check(ate(estimate, reference, align), result.stats)  # type: ignore[arg-type]
        moved = align_path(estimate, reference, align)  # type: ignore[arg-type]
        for unit, delta in (("frames", 1), ("frames", 30), ("m", 0.5), ("m", 1.0)):
            for all_pairs in (True, False):
                errors = rpe(moved, reference, delta, unit, all_pairs)  # type: ignore[arg-type]
                for relation, mine in (
                    (metrics.PoseRelation.translation_part, errors.translation_m),
                    (metrics.PoseRelation.rotation_angle_deg, errors.rotation_deg),
                ):
                    if mine.count == 0:
                        continue
                    result = main_rpe.rpe(
                        copy.deepcopy(true), copy.deepcopy(found), relation, delta=delta, delta_unit=UNITS[unit],
                        all_pairs=all_pairs, **options,
                    )  # fmt: skip
                    assert len(result.np_arrays["error_array"]) == mine.count, (align, unit, delta, all_pairs)
                    check(mine, result.stats)


def test_kitti_files_are_read_and_scored_alike(tmp_path: Path) -> None:
    truth = random_path(300)
    truth[:, :3, 3] *= 20
    write_trajectory(tmp_path / "truth.txt", None, truth, "kitti")
    write_trajectory(tmp_path / "found.txt", None, noisy(truth, 9), "kitti")
    mine = [read_trajectory(tmp_path / name).T_world_cam for name in ("found.txt", "truth.txt")]
    found, true = (file_interface.read_kitti_poses_file(str(tmp_path / name)) for name in ("found.txt", "truth.txt"))
    result = main_ape.ape(true, found, metrics.PoseRelation.translation_part, align=True)
    check(ate(mine[0], mine[1], "se3"), result.stats)
    assert kitti_drift(mine[0], mine[1]).segments > 0
