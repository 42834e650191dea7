"""The benchmark of video: flicker worked by hand, and its figures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from depthnet.benchmark import video
from depthnet.data import RawSample
from depthnet.predictor import load_model

K = np.array([[40.0, 0, 31.5], [0, 40.0, 23.5], [0, 0, 1]], np.float32)


def frame(z: float, step: float, x: float = 0.0) -> RawSample:
    """A wall z metres before a camera that is `step` metres along, and x to the right."""
    T_world_cam = np.eye(4)
    T_world_cam[:3, 3] = (x, 0, step)
    return RawSample(np.zeros((48, 64, 3), np.uint8), np.full((48, 64), z, np.float32), K, "", T_world_cam)


def test_a_network_that_follows_the_motion_does_not_flicker() -> None:
    frames = [frame(4.0 - step, step) for step in (0.0, 0.5, 1.0)]
    assert video.flicker([one.depth for one in frames if one.depth is not None], frames) < 1e-6
    scaled = [1.3 * one.depth for one in frames if one.depth is not None]
    assert video.flicker(scaled, frames) < 1e-6, "a wrong scale that stays does not flicker"


def test_flicker_worked_by_hand() -> None:
    frames = [frame(4.0 - step, step) for step in (0.0, 0.5)]
    held = [np.full((48, 64), 4.0, np.float32)] * 2
    assert video.flicker(held, frames) == pytest.approx(np.log(4 / 3.5), rel=1e-5)


def test_points_that_were_hidden_or_outside_do_not_count() -> None:
    target, source = frame(2.0, 0.0, x=1.0), frame(2.0, 0.0)
    depth = np.full((48, 64), 2.0, np.float32)
    wrong = depth.copy()
    wrong[:, 45:] = 9.0  # 1 m to the right are 20 pixels: these columns were outside
    assert video.pair_flicker(wrong, target, depth, source) == pytest.approx(0.0, abs=1e-6)
    assert source.depth is not None
    source.depth[:] = 1.0
    assert video.pair_flicker(depth, target, depth, source) is None, "something nearer hid them all"


def test_seconds_of_the_whole_job(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av")
    monkeypatch.setattr(video, "_TURNS", 1)
    monkeypatch.setattr(video, "SIZE", (48, 64))
    images = [np.full((24, 32, 3), grey, np.uint8) for grey in (0, 100, 200)]
    seconds = video.job_seconds(images, count=3)
    assert set(seconds) == {"video", "video-steady", "network"}
    assert min(seconds.values()) > 0


def test_the_clip_is_played_forth_and_back(tmp_path: Path) -> None:
    pytest.importorskip("av")
    from depthnet.io.video import read_video

    images = [np.full((48, 64, 3), grey, np.uint8) for grey in (0, 100, 200)]
    video._write_clip(tmp_path / "a.mp4", images, 6)
    with read_video(tmp_path / "a.mp4") as clip:
        frames = list(clip)
    assert [round(one.image.mean() / 100) for one in frames] == [0, 1, 2, 1, 0, 1]
    assert frames[1].time_s == Fraction(1001, 30000)


def test_flicker_of_the_real_slice_is_halved_and_delta1_is_no_worse(shared_data: Path) -> None:
    from depthnet.data import open_dataset

    dataset = open_dataset(shared_data / "7scenes_redkitchen")
    frames = [dataset.read_raw(index) for index in range(12)]
    found = video.flicker_figures(load_model(threads=1), "a kitchen", frames)
    assert found["ratio"] > 2
    assert found["delta1"] >= found["rival_delta1"]
    assert "with --steady: delta1" in found["unit"]
