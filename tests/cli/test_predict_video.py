"""`depthnet predict` on videos and series of pictures."""

from __future__ import annotations

import builtins
import signal
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from depthnet.io.video import read_video
from depthnet.io.video_writer import VideoWriter
from depthnet.predictor.video_output import DepthFrame, VideoOutput

pytest.importorskip("av")

Shell = Callable[..., Any]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of 40 frames of noise."""
    rng, path = np.random.default_rng(0), tmp_path / "clip.mp4"
    with VideoWriter(path, (48, 64), Fraction(1, 25), Fraction(25)) as writer:
        for number in range(40):
            writer.append(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8), Fraction(number, 25))
    return path


def count_frames(path: Path) -> int:
    with read_video(path) as video:
        return len(list(video))


def test_a_video_gives_a_video_and_one_line(depthnet: Shell, tiny_model: Path, clip: Path) -> None:
    outcome = depthnet("predict", clip, "--model", tiny_model, "--steady", "--threads", 2, "--fov-deg", 60)
    assert outcome.code == 0, outcome.err
    assert [path.name for path in sorted(clip.parent.iterdir())] == ["clip.mp4", "clip_depth.mp4"]
    assert count_frames(clip.parent / "clip_depth.mp4") == 40
    (line,) = outcome.out.splitlines()
    for fact in ("clip.mp4: 64 x 48, 40 frames at 25 per second", " m, ", "--fov-deg", "frames/s"):
        assert fact in line
    assert "clip.mp4: 40 images in" in outcome.err
    refused = depthnet("predict", clip, "--model", tiny_model)
    assert (refused.code, "clip_depth.mp4: exists already" in refused.err) == (1, True)
    again = depthnet("predict", clip, "--model", tiny_model, "--overwrite", "--video", "depth")
    assert again.code == 0


def test_files_for_each_frame_and_the_depth_alone(
    depthnet: Shell, tiny_model: Path, clip: Path, tmp_path: Path
) -> None:
    words = ("--save", "png,colour", "--video", "depth", "--colour-range", 1, 2, "--out", tmp_path / "o")
    assert depthnet("predict", clip, "--model", tiny_model, *words).code == 0
    assert len(list((tmp_path / "o" / "clip_frames").glob("0000??_depth.png"))) == 40
    with read_video(tmp_path / "o" / "clip_depth.mp4") as video:
        assert video.size[1] < 2 * 64 + 40


def test_a_series_of_pictures_is_a_video_at_a_rate(depthnet: Shell, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    for number in range(12):
        Image.new("RGB", (64, 48), (20 * number,) * 3).save(tmp_path / "series" / f"{number}.png")
    assert depthnet("predict", "series", "--fps", 23.976, "--model", tiny_model).code == 0
    with read_video(tmp_path / "series_depth.mp4") as video:
        frames = list(video)
    assert [frame.time_s for frame in frames] == [Fraction(1001 * number, 24000) for number in range(12)]
    lightness = [frame.image[:40, :60].mean() for frame in frames]
    assert lightness == sorted(lightness), "2.png before 10.png"
    assert depthnet("predict", "series", "--model", tiny_model).code == 0
    assert len(list((tmp_path / "series").glob("*_depth.png"))) == 12, "without a rate they are photos"


def test_a_bad_video_is_one_line_and_the_others_go_on(
    depthnet: Shell, tiny_model: Path, clip: Path, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.mp4").write_text("no video")
    blob = bytearray(clip.read_bytes())
    blob[len(blob) // 2 : len(blob) // 2 + 4000] = b"\x55" * 4000
    (tmp_path / "hurt.mp4").write_bytes(blob)
    names = (tmp_path / "bad.mp4", tmp_path / "hurt.mp4", clip, photos / "a.png")
    outcome = depthnet("predict", *names, "--model", tiny_model, "--out", tmp_path / "o")
    assert outcome.code == 1
    errors = [line for line in outcome.err.splitlines() if line.startswith("depthnet: error: ")]
    assert ["bad.mp4: not a video" in errors[0], "hurt.mp4: damaged" in errors[1], len(errors)] == [True, True, 2]
    assert len(outcome.out.splitlines()) == 3, "the hurt one, the whole one and the photo"
    assert count_frames(tmp_path / "o" / "clip_depth.mp4") == 40
    assert count_frames(tmp_path / "o" / "hurt_depth.mp4") > 20
    assert (tmp_path / "o" / "a_depth.png").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_in_the_middle_leaves_a_video_that_plays(
    depthnet: Shell, tiny_model: Path, clip: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    write = VideoOutput.write

    def stop(self: VideoOutput, one: DepthFrame) -> int:
        if self.count == 10:
            signal.raise_signal(number)
        return write(self, one)

    monkeypatch.setattr(VideoOutput, "write", stop)
    outcome = depthnet("predict", clip, "--model", tiny_model)
    assert outcome.code == code
    assert 10 <= count_frames(clip.parent / "clip_depth.mp4") < 40
    assert not list(clip.parent.glob("*.part"))
    if number == signal.SIGINT:
        assert "interrupted; " in outcome.err
        assert "are kept in" in outcome.err


def test_wrong_usage(depthnet: Shell, photos: Path) -> None:
    for words in (("--steady",), ("--colour-range", 1, 2)):
        outcome = depthnet("predict", photos / "a.png", *words)
        assert (outcome.code, "are for videos" in outcome.err) == (2, True)
    assert depthnet("predict", "clip.mp4", "--video", "both").code == 2


def test_without_pyav_the_line_of_its_tier(
    depthnet: Shell, tiny_model: Path, clip: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "av":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    outcome = depthnet("predict", clip, "--model", tiny_model)
    assert outcome.code == 1
    assert 'pip install "depthnet[video]"' in outcome.err
    series = ("predict", photos, "--fps", 25, "--model", tiny_model)
    outcome = depthnet(*series)
    assert (outcome.code, 'pip install "depthnet[video]"' in outcome.err) == (1, True)
    assert depthnet(*series, "--save", "png").code == 1, "pictures of three sizes"
    assert [path.name for path in (tmp_path / "photos_frames").iterdir()] == ["a_depth.png"], "needs no PyAV"
