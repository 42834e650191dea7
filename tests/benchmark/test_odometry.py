"""The benchmark of camera tracking: its figures, and what it says where the rival is absent."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from depthnet.benchmark import odometry
from depthnet.cli.benchmark import format_result
from depthnet.data import RawSample


@pytest.fixture(scope="module")
def frames() -> list[RawSample]:
    return odometry._room(4)


def test_an_absent_rival_is_said(frames: list[RawSample], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open3d", None)
    found = odometry.compare("a room", frames)
    assert found["rival"] is found["ratio"] is found["rival_rpe_m"]
    assert found["rival"] is None
    assert found["rival_name"] == "Open3D 0.20 compute_rgbd_odometry"
    assert found["pairs_per_s"] == pytest.approx(1 / found["ours"])
    assert found["ours_rpe_m"] < 0.01
    assert "0 lost" in found["unit"]
    assert "errors over 3 frames" in found["unit"]
    assert "absent, because not installed: Open3D" in format_result("odometry", found)


def test_a_lost_frame_keeps_the_pose_before_it(frames: list[RawSample]) -> None:
    pose = np.diag([1.0, 1.0, 1.0, 1.0])
    pose[0, 3] = 0.5
    answers = iter([pose, None, np.eye(4)])
    run = odometry.Run(lambda frame: next(answers), [np.eye(4)])
    run.take(frames[1:])
    assert run.lost == 1
    assert run.seconds > 0
    np.testing.assert_array_equal(run.poses, [np.eye(4), pose, pose, np.eye(4)])


def test_frames_without_depth_or_truth_are_left_out(
    tmp_path: Path, frames: list[RawSample], monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = RawSample(frames[0].image, None)

    class Video:
        name = "a video"
        names = ("0", "1", "2")

        def sequences(self) -> dict[str, list[int]]:
            return {"": [0, 1, 2]}

        def read_raw(self, index: int) -> RawSample:
            return bare if index == 1 else frames[index]

    monkeypatch.setattr(odometry, "open_dataset", lambda path: Video())
    monkeypatch.setenv(odometry.VARIABLE, str(tmp_path))
    name, left = odometry.load_video()
    assert name == "a video"
    assert left == [frames[0], frames[2]]
