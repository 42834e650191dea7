"""Odometry by a pose network: motions put together, gaps, and the command's job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "training"))
from video_scenes import write_video

from depthnet.checkpoint import ModelInfo, save_network
from depthnet.config import OdometryConfig
from depthnet.data import open_dataset
from depthnet.errors import ConfigError, InputError
from depthnet.geometry.frame_pairs import path_length
from depthnet.geometry.se3 import invert_transform, se3_exp, se3_log
from depthnet.geometry.trajectory import rpe
from depthnet.odometry import run_odometry
from depthnet.odometry.learned import LearnedTracker
from depthnet.predictor.pose import PoseModel

INFO = ModelInfo("pose", "pose-early", {}, (32, 48), 40.0, 0.1, 10.0, task="pose")
SIZE = (32, 48)


def knowing_model(poses: list[Any], bias: float = 0.0, noise: float = 0.0) -> PoseModel:
    """Tells a frame by its brightness, and gives the true motion plus the same error forwards and backwards, and noise
    of its own each time."""
    rng = np.random.default_rng(1)

    def run(image_tgt: Any, image_src: Any) -> Any:
        tgt, src = (poses[round(float(image.mean()) * 255)] for image in (image_tgt, image_src))
        return (se3_log(invert_transform(tgt) @ src) + bias + rng.normal(0, noise, 6))[None]

    return PoseModel(INFO, run)


def frame(number: int) -> Any:
    return np.full((*SIZE, 3), number, np.uint8)


@pytest.mark.parametrize("bias", [0.0, 0.01])
def test_motions_are_put_together(bias: float) -> None:
    rng = np.random.default_rng(0)
    poses = [np.eye(4)]
    for _ in range(5):
        poses.append(poses[-1] @ se3_exp(rng.uniform(-0.1, 0.1, 6)))
    tracker = LearnedTracker(knowing_model(poses, bias))
    found = []
    for number in range(6):
        found.append(tracker.skip("damaged") if number == 2 else tracker.track(frame(number), None, np.eye(3)))
    assert found[2].T_world_cam is None
    assert found[3].keyframe == 1, "compared with the last frame that could be read"
    for number in (0, 1, 3, 4, 5):
        pose = found[number].T_world_cam
        assert pose is not None
        np.testing.assert_allclose(pose, poses[number], atol=1e-6)
    confidence = found[4].confidence
    assert confidence == pytest.approx(1.0) if bias == 0 else confidence < 0.95


def test_a_long_path_drifts_as_its_steps_err_and_no_faster() -> None:
    """Each step has the error of the mean of two answers; independent ones add up by their squares."""
    rng = np.random.default_rng(0)
    usual, poses = np.array([0.0, 0.0, 0.02, 0.0, 0.01, 0.0]), [np.eye(4)]
    for _ in range(249):
        poses.append(poses[-1] @ se3_exp(usual + rng.uniform(-0.02, 0.02, 6)))
    noise = 1e-3
    tracker = LearnedTracker(knowing_model(poses, noise=noise))
    found = np.array([tracker.track(frame(number), None, np.eye(3)).T_world_cam for number in range(250)])
    step = noise * np.sqrt(3 / 2)  # three components, each the mean of two
    near, far = rpe(found, np.array(poses), 1), rpe(found, np.array(poses), 100)
    assert near.rotation_deg.rmse == pytest.approx(np.degrees(step), rel=0.1)
    assert near.translation_m.rmse == pytest.approx(step, rel=0.1)
    assert far.rotation_deg.rmse == pytest.approx(np.degrees(step) * 10, rel=0.3)
    # Turned by what has gone wrong before, each step also leads astray: more than the steps' own errors, less than
    # the whole way times the angle at its end.
    way = path_length(np.array(poses[:101]))
    assert 10 * step < far.translation_m.rmse < 10 * step + way * np.radians(far.rotation_deg.rmse)


def test_frames_of_two_sizes_are_refused() -> None:
    tracker = LearnedTracker(knowing_model([np.eye(4)] * 2))
    tracker.track(frame(0), None, np.eye(3))
    with pytest.raises(InputError, match="resize them"):
        tracker.track(frame(1)[1:], None, np.eye(3))


def test_the_job_writes_a_path_without_depth(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from depthnet.networks import build_pose_network

    video = write_video(tmp_path / "video", frames=4, depth=False)
    save_network(tmp_path / "pose.safetensors", build_pose_network("pose-early"), INFO)
    config = OdometryConfig(out=str(tmp_path / "path.txt"), method="learned", model=str(tmp_path / "pose.safetensors"))
    result = run_odometry(video, config)
    assert len(result.tracked) == len(open_dataset(video)) == 4
    assert len((tmp_path / "path.txt").read_text().strip().splitlines()) >= 4
    for wrong, line in (
        (OdometryConfig(out="p.txt", method="learned"), "go together"),
        (OdometryConfig(out="p.txt", model="m.onnx"), "go together"),
        (OdometryConfig(out="p.txt", method="learned", model="m.onnx", depth="mobile"), "needs no depth"),
    ):
        with pytest.raises(ConfigError, match=line):
            run_odometry(video, wrong)
