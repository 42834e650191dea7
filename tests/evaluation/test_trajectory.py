"""Trajectories against files and data sets: matching, what cannot be matched, and the numbers that are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import depthnet.evaluation.trajectory as scoring
from depthnet.config import TrajectoryConfig
from depthnet.errors import InputError
from depthnet.evaluation.trajectory import format_scores, read_truth, score_trajectory
from depthnet.geometry.se3 import se3_exp
from depthnet.geometry.trajectory import ate, rpe
from depthnet.io.trajectory import read_trajectory, write_trajectory

RNG = np.random.default_rng(8)
TIMES = np.arange(60) / 20
TRUTH = se3_exp(np.cumsum(RNG.normal(size=(60, 6)) * 0.03 + np.array([0.05, 0, 0, 0, 0, 0]), axis=0))
NOISY = TRUTH @ se3_exp(RNG.normal(size=(60, 6)) * 0.01)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Every second frame of an estimate, and the truth."""
    write_trajectory(tmp_path / "estimate.txt", TIMES[::2] + 0.004, NOISY[::2])
    write_trajectory(tmp_path / "truth.txt", TIMES, TRUTH)
    return tmp_path / "estimate.txt", tmp_path / "truth.txt"


class Frames(list[tuple[Any, Any]]):
    """A data set of poses and times alone."""

    videos = 1

    def sequences(self) -> dict[str, list[int]]:
        return {f"v{n}": [] for n in range(self.videos)}

    def read_pose(self, index: int) -> tuple[Any, Any]:
        return self[index]


def test_scores_are_those_of_the_matched_frames(files: tuple[Path, Path]) -> None:
    scores = score_trajectory(*files, TrajectoryConfig())
    assert (scores.matched, scores.counts, scores.skipped) == (30, (30, 60), (0, 0))
    assert scores.ate.rmse == pytest.approx(ate(NOISY[::2], TRUTH[::2], "se3").rmse, abs=1e-7)
    assert set(scores.rpe) == {(1.0, "frames"), (1.0, "s"), (1.0, "m")}
    expected = rpe(NOISY[::2], TRUTH[::2], 1, "s", times_s=TIMES[::2])
    assert scores.rpe[1.0, "s"].rotation_deg.rmse == pytest.approx(expected.rotation_deg.rmse, abs=1e-6)
    assert scores.seconds == pytest.approx(2.9)
    assert scores.kitti.segments == 0


def test_the_text_has_units_and_the_json_is_whole(files: tuple[Path, Path], tmp_path: Path) -> None:
    scores = score_trajectory(*files, TrajectoryConfig(align="sim3", delta=2, pairs="consecutive"))
    text = format_scores(scores)
    assert "30 of 30 poses matched to 60" in text.splitlines()[0]
    assert text.splitlines()[0].endswith("in 2.90 s, align sim3")
    for label in ("ATE, m", "RPE per 2 frames, m", "RPE per 2 frames, deg", "RPE per 2 s, m", "rmse", "median"):
        assert label in text
    assert "KITTI" not in text
    scores.write_json(tmp_path / "scores.json")
    plain = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert plain["ate_m"]["rmse"] == scores.ate.rmse
    assert [(one["delta"], one["unit"]) for one in plain["rpe"]] == [(2.0, "frames"), (2.0, "s"), (2.0, "m")]
    assert plain["kitti"]["t_rel_percent"] is None


def test_a_long_path_has_kittis_drift(tmp_path: Path) -> None:
    long = TRUTH.copy()
    long[:, 0, 3] = np.arange(60) * 5.0
    long[:, 1, 3] = np.arange(60) % 7
    found = long.copy()
    found[:, :3, 3] *= 1.02
    write_trajectory(tmp_path / "a.txt", None, found, "kitti")
    write_trajectory(tmp_path / "b.txt", None, long, "kitti")
    scores = score_trajectory(tmp_path / "a.txt", tmp_path / "b.txt", TrajectoryConfig(align="none"))
    assert 1.5 < scores.kitti.t_rel_percent < 2.5
    assert f"KITTI drift: t_rel {scores.kitti.t_rel_percent:.4f} %, r_rel " in format_scores(scores)
    assert scores.seconds is None
    assert set(scores.rpe) == {(1.0, "frames"), (1.0, "m")}


def test_a_part_of_a_frame_leaves_frames_out(files: tuple[Path, Path]) -> None:
    scores = score_trajectory(*files, TrajectoryConfig(delta=0.5))
    assert set(scores.rpe) == {(0.5, "s"), (0.5, "m")}
    assert "RPE per 50 s: no two frames are so far apart" in format_scores(
        score_trajectory(*files, TrajectoryConfig(delta=50, delta_unit=("s",)))
    )


def test_rows_without_a_pose_are_told(files: tuple[Path, Path]) -> None:
    with files[0].open("a", encoding="ascii") as file:
        file.write("99 nan nan nan nan nan nan nan\n")
    text = format_scores(score_trajectory(*files, TrajectoryConfig()))
    assert f"{files[0]}: 1 rows without a pose are left out" in text


def test_what_cannot_be_matched_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    write_trajectory(tmp_path / "later.txt", TIMES + 100, TRUTH)
    with pytest.raises(InputError, match=r"no pose within 0\.01 s .* run from 0\.004 to 2\.904 s, the others from 100"):
        score_trajectory(files[0], tmp_path / "later.txt", TrajectoryConfig())
    write_trajectory(tmp_path / "kitti.txt", None, TRUTH[:7], "kitti")
    with pytest.raises(InputError, match=r"30 poses for 7 of .*kitti\.txt has no times, so they must be as many"):
        score_trajectory(files[0], tmp_path / "kitti.txt", TrajectoryConfig())


def test_a_frozen_camera_is_said_and_can_be_scored_without_alignment(tmp_path: Path) -> None:
    still = np.tile(np.eye(4), (60, 1, 1))
    write_trajectory(tmp_path / "still.txt", TIMES, still)
    write_trajectory(tmp_path / "truth.txt", TIMES, TRUTH)
    with pytest.raises(InputError, match=r"one place or on one line.*--align none"):
        score_trajectory(tmp_path / "still.txt", tmp_path / "truth.txt", TrajectoryConfig())
    scores = score_trajectory(tmp_path / "still.txt", tmp_path / "truth.txt", TrajectoryConfig(align="none"))
    assert scores.ate.rmse > 0.1


def test_frames_of_a_data_set_without_a_pose_are_left_out(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poses = [None if n == 4 else pose for n, pose in enumerate(TRUTH)]
    frames = Frames(zip(poses, TIMES))
    monkeypatch.setattr(scoring, "open_dataset", lambda *_: frames)
    scores = score_trajectory(files[0], tmp_path, TrajectoryConfig())
    assert (scores.matched, scores.counts, scores.skipped) == (29, (30, 59), (0, 1))
    # Without times the frames are matched by their place, and the unknown one is left out then.
    frames = Frames((pose, None) for pose in poses)
    write_trajectory(tmp_path / "all.txt", TIMES, NOISY)
    assert score_trajectory(tmp_path / "all.txt", tmp_path, TrajectoryConfig()).matched == 59
    frames = Frames((None, None) for _ in range(3))
    with pytest.raises(InputError, match=r"none of its 3 frames has a pose"):
        read_truth(tmp_path)
    frames.videos = 2
    with pytest.raises(InputError, match=r"2 sequences \(v0, v1 \.\.\.\); pass one of them"):
        read_truth(tmp_path)


def test_the_truth_of_real_data_sets(shared_data: Path) -> None:
    tum = read_truth(shared_data / "tum_fr1_rpy")
    assert (len(tum), tum.times_s is None) == (90, False)
    file = read_trajectory(shared_data / "tum_fr1_rpy" / "groundtruth.txt")
    assert len(file) > 2000
    scenes = read_truth(shared_data / "7scenes_redkitchen" / "seq-01")
    assert (len(scenes), scenes.times_s) == (60, None)
