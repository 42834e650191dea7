"""From a video on disk to a trajectory file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from depthnet.cli import main
from depthnet.config import OdometryConfig
from depthnet.data import open_dataset
from depthnet.errors import ConfigError, InputError
from depthnet.io.trajectory import read_trajectory
from depthnet.odometry import estimate_trajectory, run_odometry


def test_the_file_holds_the_path(video: Path, room: Any, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    out = tmp_path / "path.txt"
    result = run_odometry(video, OdometryConfig(out=str(out), threads=1), on_progress=lambda *s: steps.append(s))
    assert steps[-1] == (8, 8)
    found = read_trajectory(out)
    np.testing.assert_array_equal(found.times_s, np.arange(8.0))  # the set has no times
    np.testing.assert_allclose(found.T_world_cam[:, :3, 3], [p[:3, 3] for p in room.path(8)], atol=4e-3)
    scores = result.scores()
    assert scores["rpe_frames"] == 7
    assert scores["ate_m"] < 2e-3
    assert result.gaps == []


def test_ctrl_c_keeps_what_was_tracked(video: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_odometry(video, OdometryConfig(out=str(tmp_path / "p.txt"), threads=1), on_progress=stop)
    assert len(read_trajectory(tmp_path / "p.txt")) == 5
    assert not list(tmp_path.glob("*.part"))


def test_gaps_are_reported(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.zeros((96, 128), np.uint16)).save(video / "depth" / "0003.png")
    assert main(["odometry", str(video), "--out", str(tmp_path / "p.txt"), "--threads", "1"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{tmp_path / 'p.txt'}: 8 frames, 7 tracked, 1 gap, ")
    assert "RPE" in printed.out
    assert "gap, left out of the path: frame 0003: it has depth at less than 1 %" in printed.err
    assert main(["odometry", str(video), "--out", str(tmp_path / "k.txt"), "--format", "kitti"]) == 1
    assert "needs one for every frame" in capsys.readouterr().err
    assert len(read_trajectory(tmp_path / "k.txt", "kitti")) == 3


def test_a_damaged_picture_is_a_gap_and_an_error(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (video / "images" / "0004.png").write_bytes(b"")
    assert main(["odometry", str(video), "--out", str(tmp_path / "p.txt")]) == 1
    printed = capsys.readouterr()
    assert "7 tracked, 1 gap" in printed.out
    assert "0004.png: empty file" in printed.err


def test_a_frozen_recorder_is_told(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part in ("images", "depth"):
        (video / part / "0005.png").write_bytes((video / part / "0004.png").read_bytes())
    assert main(["odometry", str(video), "--out", str(tmp_path / "p.txt")]) == 0
    assert "1 frames repeat the one before" in capsys.readouterr().out


def test_one_video_of_several_must_be_chosen(video: Path, tmp_path: Path) -> None:
    class Two(type(open_dataset(video))):  # type: ignore[misc]
        def sequences(self) -> dict[str, list[int]]:
            return {"a": [0, 1, 2], "b": [3], "c": [4, 5, 6]}

    dataset = Two(video)
    with pytest.raises(InputError, match=r"3 videos \(a, b, c\); choose one with --video"):
        next(estimate_trajectory(dataset))
    with pytest.raises(InputError, match="choose one of a, b, c"):
        next(estimate_trajectory(dataset, "d"))
    with pytest.raises(InputError, match="1 frame; a motion needs two"):
        next(estimate_trajectory(dataset, "b"))
    assert [frame.name for frame in estimate_trajectory(dataset, "c", threads=1)] == dataset.names[4:7]


def test_wrong_options(video: Path) -> None:
    assert main(["odometry"]) == 2
    assert main(["odometry", str(video)]) == 2
    with pytest.raises(ConfigError, match="--threads 0"):
        run_odometry(video, OdometryConfig(out="p.txt", threads=0))


def test_the_path_is_drawn(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_odometry(video, OdometryConfig(out="p.txt", threads=1))
    assert main(["show", "p.txt", "--out", "alone.png"]) == 0
    assert main(["show", "p.txt", "--out", "with.png", "--video", str(video), "--count", "2"]) == 0
    alone, both = Image.open("alone.png"), Image.open("with.png")
    assert both.width > alone.width
    assert both.height > alone.height


def test_the_real_swing_is_followed(shared_data: Path) -> None:
    pytest.importorskip("numba")
    dataset = open_dataset(shared_data / "tum_fr1_rpy")[:12]
    frames = list(estimate_trajectory(dataset, threads=1))
    assert all(frame.tracked.T_world_cam is not None for frame in frames)
    truth = np.linalg.inv(frames[0].T_world_true) @ frames[-1].T_world_true
    error = np.linalg.inv(truth) @ frames[-1].tracked.T_world_cam
    assert np.linalg.norm(error[:3, 3]) < 0.03
    assert np.degrees(np.arccos((np.trace(error[:3, :3]) - 1) / 2)) < 2.0
