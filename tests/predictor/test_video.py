"""Depth of a video: the frames as `predict` gives them, the video that is written, and that the scale holds still."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from depthnet.errors import InputError
from depthnet.io.depth import colourise_depth, read_depth_png
from depthnet.io.video import VideoFrame, read_video
from depthnet.io.video_writer import VideoWriter
from depthnet.predictor import DepthModel
from depthnet.predictor.painter import ColourRange, Painter
from depthnet.predictor.video import iter_depth, load_video_model, predict_video
from depthnet.predictor.video_inputs import VideoInput, check_video_outputs, exact_rate, find_videos
from depthnet.predictor.video_output import VideoOutput

pytest.importorskip("av")

RATE = Fraction(24000, 1001)
SIZE = (48, 64)
# The tiny model's depth is 1 + 4 * grey.
GREYS = (0, 51, 102, 153, 204)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of flat greys, five frames of each, all 24000 / 1001 per second."""
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, SIZE, 1 / RATE, RATE) as writer:
        for number in range(25):
            writer.append(np.full((*SIZE, 3), GREYS[number // 5], np.uint8), number / RATE)
    return path


def frames_of(path: Path) -> list[VideoFrame]:
    with read_video(path) as video:
        return list(video)


@pytest.mark.parametrize("workers", [1, 3])
def test_depth_of_frame_after_frame_is_that_of_predict(model: DepthModel, clip: Path, workers: int) -> None:
    with read_video(clip) as video:
        found = list(iter_depth(model, video, focal_px=60.0, workers=workers))
    assert [one.frame.time_s for one in found] == [number / RATE for number in range(25)]
    for one in found[::6]:
        alone = model.predict(one.frame.image, focal_px=60.0)
        prediction = one.prediction()
        np.testing.assert_array_equal(prediction.depth, alone.depth)
        assert (prediction.focal_px, prediction.focal_source) == (60.0, "--focal-px")


def test_bad_options_are_refused_before_any_work(model: DepthModel, clip: Path) -> None:
    with read_video(clip) as video:
        with pytest.raises(InputError, match="--focal-px"):
            iter_depth(model, video, focal_px=-1.0)
        with pytest.raises(InputError, match="near end first"):
            VideoOutput(video, colour_range=(3.0, 1.0))
        with pytest.raises(InputError, match="--save tiff"):
            VideoOutput(video, formats=("tiff",))
    with pytest.raises(InputError, match="--threads 0"):
        load_video_model(threads=0)


def test_the_depth_video_has_the_times_of_the_video(model: DepthModel, clip: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with read_video(clip) as video:
        output = VideoOutput(video, colour_range=(1.0, 5.0))
        result = predict_video(model, video, output, on_progress=lambda *done: seen.append(done))
    assert (result.error, output.paths) == (None, (clip.parent / "clip_depth.mp4",))
    assert seen == [(number, 25) for number in range(1, 26)]
    for fact in ("clip.mp4: 64 x 48, 25 frames at 23.976 per second", "1.00 to", "training camera", "frames/s"):
        assert fact in result.facts
    frames = frames_of(output.paths[0])
    assert [frame.time_s for frame in frames] == [number / RATE for number in range(25)]
    assert not list(clip.parent.glob("*.part"))
    for number in (2, 12, 22):  # the frame on the left, its depth on the right
        grey, image = GREYS[number // 5], frames[number].image
        colour = colourise_depth(np.full((1, 1), 1 + 4 * grey / 255), 1.0, 5.0)[0, 0]
        np.testing.assert_allclose(image[10:38, 8:56].mean((0, 1)), grey, atol=4)
        np.testing.assert_allclose(image[10:38, 72:120].mean((0, 1)), colour, atol=8)


def test_files_for_each_frame_are_those_of_predict(model: DepthModel, clip: Path, tmp_path: Path) -> None:
    with read_video(clip) as video:
        output = VideoOutput(video, tmp_path / "out", ("png", "npy"))
        result = predict_video(model, video, output, workers=2)
    assert output.paths == (tmp_path / "out" / "clip_frames",)
    assert len(list(output.paths[0].iterdir())) == 50
    for number, frame in list(enumerate(frames_of(clip)))[::8]:
        alone = model.predict(frame.image)
        alone.save(tmp_path / "alone", ("png", "npy"), overwrite=True)
        for suffix in ("png", "npy"):
            ours = output.paths[0] / f"{number:06d}_depth.{suffix}"
            assert ours.read_bytes() == (tmp_path / "alone" / f"image_depth.{suffix}").read_bytes()
    assert read_depth_png(output.paths[0] / "000024_depth.png").mean() == pytest.approx(1 + 4 * 204 / 255, abs=0.02)
    assert result.output.count == 25
    with read_video(clip) as video, pytest.raises(InputError, match="clip_frames: exists already"):
        VideoOutput(video, tmp_path / "out", ("png",))


def test_an_error_of_the_disk_ends_it_with_a_video_that_plays(
    model: DepthModel, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, count = VideoWriter.append, iter(range(100))

    def full(self: VideoWriter, image: NDArray[np.uint8], time_s: Fraction) -> None:
        if next(count) >= 7:
            raise InputError("no space")
        append(self, image, time_s)

    monkeypatch.setattr(VideoWriter, "append", full)
    threads = threading.active_count()
    with read_video(clip) as video, pytest.raises(InputError, match="no space"):
        predict_video(model, video, VideoOutput(video), workers=2)
    assert len(frames_of(clip.parent / "clip_depth.mp4")) == 7
    assert threading.active_count() == threads


def test_ctrl_c_says_what_is_kept(model: DepthModel, clip: Path) -> None:
    def stop(done: int, _: int | None) -> None:
        if done == 9:
            raise KeyboardInterrupt

    with read_video(clip) as video:
        output = VideoOutput(video, formats=("colour", "png"))
        with pytest.raises(KeyboardInterrupt, match=r"frames of .*clip\.mp4 are kept in .*clip_depth\.mp4") as stopped:
            predict_video(model, video, output, on_progress=stop)
    assert 9 <= output.count < 25
    assert f"{output.count} frames" in str(stopped.value)
    assert len(frames_of(clip.parent / "clip_depth.mp4")) == output.count
    assert len(list((clip.parent / "clip_frames").iterdir())) == output.count


def test_steady_frames_differ_less(model: DepthModel, tmp_path: Path) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "still.mp4"
    scene = np.asarray(Image.fromarray(rng.integers(60, 180, (6, 8, 3), dtype=np.uint8)).resize(SIZE[::-1], 3), float)
    with VideoWriter(path, SIZE, 1 / RATE, RATE) as writer:
        for number in range(20):
            frame = scene + rng.normal(0, 4) + rng.normal(0, 4, scene.shape)
            writer.append(np.clip(frame, 0, 255).astype(np.uint8), number / RATE)
    change = {}
    for steady in (False, True):
        with read_video(path) as video:
            logs = np.log([one.depth for one in iter_depth(model, video, steady=steady, workers=2)])
        change[steady] = np.abs(np.diff(logs[4:], axis=0)).mean()
    assert change[True] < 0.5 * change[False]


class TestColours:
    def test_the_range_widens_soon_narrows_slowly_and_never_jumps(self) -> None:
        follow = ColourRange().follow
        near, far = (np.linspace(1, far, 10000, dtype=np.float32).reshape(100, 100) for far in (3, 6))
        ends = [follow(near, Fraction(0))[1]]
        ends += [follow(far, Fraction(number, 30))[1] for number in range(1, 61)]
        widest = ends[-1]
        assert widest == pytest.approx(5.9, rel=0.03), "after two seconds"
        ends += [follow(near, Fraction(number, 30))[1] for number in range(61, 121)]
        assert 0.6 * widest < ends[-1] < 0.9 * widest, "two seconds later"
        assert np.abs(np.diff(np.log(ends))).max() < 0.07

    def test_a_wavering_depth_leaves_the_scale_alone(self) -> None:
        rng, follow = np.random.default_rng(0), ColourRange().follow
        depth = np.linspace(1, 3, 10000, dtype=np.float32).reshape(100, 100)
        ends = [follow(depth * rng.uniform(0.99, 1.01), Fraction(number, 30)) for number in range(60)]
        assert len(set(ends)) < 6
        fixed = ColourRange((0.5, 4.0)).follow
        assert {fixed(depth * number, Fraction(number)) for number in range(1, 5)} == {(0.5, 4.0)}

    @pytest.mark.parametrize(("layout", "panels"), [("side-by-side", 2), ("depth", 1)])
    def test_the_scale_has_its_place_whatever_its_numbers(self, layout: str, panels: int) -> None:
        painter = Painter((200, 100), layout)  # type: ignore[arg-type]
        assert painter.size[0] == 200
        assert 200 * panels / 2 + 40 < painter.size[1] < 200 * panels / 2 + 110
        image = np.full((200, 100, 3), 7, np.uint8)
        for number, scale in enumerate((0.1, 1.0, 10.0, 100.0)):
            depth = np.linspace(scale, 2 * scale, 20000, dtype=np.float32).reshape(200, 100)
            picture = painter.paint(image, depth, Fraction(10 * number)).frame.to_ndarray(format="rgb24")
            assert picture.shape == (200, painter.size[1] + painter.size[1] % 2, 3)
            assert (picture[:, painter.size[1] - 1] > 250).all(), "no letter is cut"
            assert ((picture[:100, :98] < 12).all()) == (layout == "side-by-side")
            assert not np.array_equal(picture[5, panels * 100 - 50], picture[-5, panels * 100 - 50])


class TestInputs:
    def test_videos_by_suffix_and_pictures_by_their_rate(self, photos: Path, tmp_path: Path) -> None:
        for name in ("b.MP4", "a.mkv", "a_depth.mp4"):
            (tmp_path / name).touch()
        pattern, folder = str(tmp_path / "*.[mM]*"), str(photos)
        videos, rest = find_videos([pattern, folder, "x.jpg", "missing.mov"])
        assert [video.path.name for video in videos] == ["a.mkv", "b.MP4", "missing.mov"]
        assert rest == [folder, "x.jpg"]
        videos, rest = find_videos([folder, str(photos / "*.png"), "x.jpg"], fps=29.97)
        assert [len(video.pictures) for video in videos] == [3, 1]
        assert rest == ["x.jpg"]
        assert (videos[0].path, videos[0].rate) == (photos, Fraction(30000, 1001))
        with videos[0].open() as source:
            assert [frame.name for frame in source] == ["a", "b", "c"]

    @pytest.mark.parametrize(
        ("fps", "rate"), [(25, Fraction(25)), (23.976, RATE), (59.94, Fraction(60000, 1001)), (12.5, Fraction(25, 2))]
    )
    def test_rates_of_television(self, fps: float, rate: Fraction) -> None:
        assert exact_rate(fps) == rate

    @pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
    def test_rates_that_cannot_be(self, fps: float) -> None:
        with pytest.raises(InputError, match="--fps"):
            exact_rate(fps)

    @pytest.mark.parametrize(
        ("names", "out", "words"),
        [
            (("a.mp4", "a.mkv"), None, "both write a_depth.mp4"),
            (("x/a.mp4", "y/a.mp4"), "out", "both write a_depth.mp4"),
            (("a.mp4", "a_depth.mp4"), None, "would replace another input"),
        ],
    )
    def test_results_that_meet_are_refused(self, names: Sequence[str], out: str | None, words: str) -> None:
        videos = [VideoInput(Path(name)) for name in names]
        with pytest.raises(InputError, match=words):
            check_video_outputs(videos, out, ("colour",))
        check_video_outputs(videos[:1], out, ("colour",))


@pytest.mark.slow
def test_memory_is_flat(write_tiny_onnx: Callable[..., Path], tmp_path: Path) -> None:
    """The peak of 3000 frames is that of 1000 (the allocator settles before): frames that stay would be 460 MB more."""
    import subprocess
    import sys

    code = (
        "import sys, resource\n"
        "from depthnet.io.video import read_video\n"
        "from depthnet.predictor.video import load_video_model, predict_video\n"
        "from depthnet.predictor.video_output import VideoOutput\n"
        "model, workers = load_video_model(sys.argv[1], threads=2)\n"
        "with read_video(sys.argv[2]) as video:\n"
        "    predict_video(model, video, VideoOutput(video, overwrite=True), steady=True, workers=workers)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    onnx, peaks = write_tiny_onnx(tmp_path / "tiny.onnx"), []
    for count in (1000, 3000):
        path = tmp_path / f"{count}.mp4"
        with VideoWriter(path, (240, 320), 1 / RATE, RATE) as writer:
            for number in range(count):
                writer.append(np.full((240, 320, 3), number % 255, np.uint8), number / RATE)
        words = [sys.executable, "-c", code, str(onnx), str(path)]
        peaks.append(int(subprocess.run(words, capture_output=True, text=True, check=True).stdout) / 1024)
    assert peaks[1] - peaks[0] < 25
