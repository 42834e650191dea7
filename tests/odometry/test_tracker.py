"""A camera followed frame by frame: accuracy on an exact video, and every kind of bad frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from depthnet.errors import InputError, ShapeError
from depthnet.geometry.trajectory import rpe
from depthnet.odometry import DirectTracker
from depthnet.odometry.video import build_camera


def follow(room: Any, poses: list[Any], tracker: DirectTracker | None = None) -> list[Any]:
    tracker = tracker or DirectTracker()
    return [tracker.track(*room.frame(pose), room.K, i / 30) for i, pose in enumerate(poses)]


@pytest.mark.parametrize("step", [1.0, 4.0])
def test_an_exact_video_is_followed(room: Any, step: float) -> None:
    poses = room.path(24, step)
    found = follow(room, poses)
    assert all(one.T_world_cam is not None and one.confidence > 0.2 for one in found)
    np.testing.assert_array_equal(found[0].T_world_cam, np.eye(4))
    errors = rpe(np.array([one.T_world_cam for one in found]), np.array(poses), 10)
    assert errors.translation_m.rmse < 4e-3
    assert errors.rotation_deg.rmse < 0.12
    rotation = found[-1].T_world_cam[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)


def test_an_exposure_that_changes_with_every_frame_loses_nothing(room: Any) -> None:
    poses, tracker = room.path(16), DirectTracker()
    gains = np.random.default_rng(0).uniform(0.6, 1.2, 16)
    for i, (pose, gain) in enumerate(zip(poses, gains)):
        found = tracker.track(*room.frame(pose, gain, 10 * (i % 3)), room.K, i / 30)
        assert found.T_world_cam is not None
        assert np.linalg.norm(found.T_world_cam[:3, 3] - pose[:3, 3]) < 6e-3


def test_a_lost_camera_is_told_and_found_again(room: Any) -> None:
    poses = room.path(14)
    tracker = DirectTracker()
    follow(room, poses[:8], tracker)
    noise = np.random.default_rng(0).integers(0, 256, (*room.size, 3), dtype=np.uint8)
    far = np.random.default_rng(1).uniform(0.5, 8, room.size).astype(np.float32)
    lost = tracker.track(noise, far, room.K, 8 / 30)
    assert lost.T_world_cam is None
    assert lost.confidence == 0.0
    assert "fits no keyframe" in lost.reason
    back = tracker.track(*room.frame(poses[3]), room.K, 9 / 30)
    assert np.linalg.norm(back.T_world_cam[:3, 3] - poses[3][:3, 3]) < 5e-3


def test_frames_without_depth_are_gaps(room: Any) -> None:
    poses = room.path(6)
    tracker = DirectTracker()
    image, depth = room.frame(poses[0])
    assert tracker.track(image, None, room.K, 0.0).reason == "it has no depth"
    assert "less than 1 %" in tracker.track(image, np.zeros_like(depth), room.K, 0.1).reason
    nothing = np.full_like(depth, np.nan)
    assert "less than 1 %" in tracker.track(image, nothing, room.K, 0.2).reason
    first = tracker.track(image, depth, room.K, 0.3)
    np.testing.assert_array_equal(first.T_world_cam, np.eye(4))


def test_a_black_picture_is_followed_by_its_depth_alone(room: Any) -> None:
    poses = room.path(8)
    tracker = DirectTracker()
    follow(room, poses[:6], tracker)
    image, depth = room.frame(poses[6])
    dark = tracker.track(np.zeros_like(image), depth, room.K, 6 / 30)
    if dark.T_world_cam is not None:
        assert np.linalg.norm(dark.T_world_cam[:3, 3] - poses[6][:3, 3]) < 0.02
    after = tracker.track(*room.frame(poses[7]), room.K, 7 / 30)
    assert np.linalg.norm(after.T_world_cam[:3, 3] - poses[7][:3, 3]) < 5e-3


def test_a_frozen_camera_stands_still(room: Any) -> None:
    found = follow(room, [np.eye(4)] * 4)
    for one in found:
        np.testing.assert_allclose(one.T_world_cam, np.eye(4), atol=1e-4)
    assert not any(one.is_keyframe for one in found[1:])


def test_times_that_go_back_are_gaps(room: Any) -> None:
    poses, tracker = room.path(3), DirectTracker()
    tracker.track(*room.frame(poses[0]), room.K, 1.0)
    assert "0.900000 s is not after 1.000000 s" in tracker.track(*room.frame(poses[1]), room.K, 0.9).reason
    assert tracker.track(*room.frame(poses[1]), room.K, 1.1).T_world_cam is not None


@pytest.mark.parametrize(
    "K", [np.zeros((3, 3)), np.diag([5.0, 5.0, 1.0]), np.array([[100.0, 0, 900], [0, 100, 40], [0, 0, 1]])]
)
def test_a_matrix_that_is_no_camera_is_refused(room: Any, K: Any) -> None:
    with pytest.raises(InputError, match="--focal-px"):
        DirectTracker().track(*room.frame(np.eye(4)), K)


def test_frames_of_one_size(room: Any) -> None:
    tracker = DirectTracker()
    image, depth = room.frame(np.eye(4))
    tracker.track(image, depth, room.K)
    with pytest.raises(ShapeError, match="the first was"):
        tracker.track(image[:48], depth[:48], room.K)
    with pytest.raises(ShapeError, match="one size"):
        tracker.track(image, depth[:48], room.K)


def test_a_focal_length_replaces_that_of_the_data(room: Any) -> None:
    from depthnet.data import RawSample

    image, depth = room.frame(np.eye(4))
    K = build_camera(RawSample(image, depth), 80.0)
    np.testing.assert_array_equal(K, [[80, 0, 63.5], [0, 80, 47.5], [0, 0, 1]])
    with pytest.raises(InputError, match="no K"):
        build_camera(RawSample(image, depth), None)
    with pytest.raises(InputError, match="positive"):
        build_camera(RawSample(image, depth), -1.0)
