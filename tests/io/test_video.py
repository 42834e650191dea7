"""Videos read and written: exact times, upright pixels, and what is left of a file that is damaged or not finished."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthnet.errors import InputError
from depthnet.io.images import RGB
from depthnet.io.video import ImageSequence, natural_order, read_video
from depthnet.io.video_writer import VideoWriter

av = pytest.importorskip("av")

NTSC = Fraction(24000, 1001)
QUADRANTS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))


def flat(number: int, size: tuple[int, int] = (48, 64)) -> RGB:
    """A grey picture that tells its number."""
    return np.full((*size, 3), 20 + 10 * number, np.uint8)


def quadrants(size: tuple[int, int] = (48, 64)) -> RGB:
    """Red, green / blue, white: tells every turn and mirror."""
    coarse = np.array(QUADRANTS, np.uint8).reshape(2, 2, 3)
    return np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.NEAREST))


def write(path: Path, times: Sequence[Fraction], time_base: Fraction, rate: Fraction) -> Path:
    with VideoWriter(path, (48, 64), time_base, rate) as writer:
        for number, time_s in enumerate(times):
            writer.append(flat(number), time_s)
    return path


def noise(path: Path, count: int) -> Path:
    """A video whose every frame needs kilobytes."""
    rng = np.random.default_rng(0)
    with VideoWriter(path, (48, 64), Fraction(1, 25), Fraction(25)) as writer:
        for number in range(count):
            writer.append(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8), Fraction(number, 25))
    return path


def remux(source: Path, target: Path, **options: str) -> Path:
    """The same packets in another container, or with other options of the container."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=options) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return target


@pytest.mark.parametrize(
    ("times", "time_base", "rate"),
    [
        ([Fraction(1001 * n, 24000) for n in range(10)], Fraction(1, 24000), NTSC),
        ([Fraction(n, 25) for n in range(10)], Fraction(1, 25), Fraction(25)),
        ([Fraction(n, 90000) for n in (0, 3000, 7001, 7002, 18000, 99000)], Fraction(1, 90000), Fraction(30)),
        ([Fraction(0)], Fraction(1, 1000), Fraction(30)),
    ],
    ids=["24000/1001", "25", "variable", "one frame"],
)
def test_times_come_back_exactly(tmp_path: Path, times: list[Fraction], time_base: Fraction, rate: Fraction) -> None:
    with read_video(write(tmp_path / "a.mp4", times, time_base, rate)) as video:
        frames = list(video)
    assert [frame.time_s for frame in frames] == times
    assert (video.count, video.problems) == (len(times), [])
    assert [frame.name for frame in frames] == [f"{number:06d}" for number in range(len(times))]
    assert all(abs(int(frame.image.mean()) - int(flat(number).mean())) <= 2 for number, frame in enumerate(frames))
    if rate in (NTSC, 25):
        assert video.rate == rate


def test_times_of_matroska_are_its_milliseconds(tmp_path: Path) -> None:
    times = [Fraction(1001 * n, 24000) for n in range(10)]
    with read_video(remux(write(tmp_path / "a.mp4", times, 1 / NTSC, NTSC), tmp_path / "a.mkv")) as video:
        found = [frame.time_s for frame in video]
    assert video.time_base == Fraction(1, 1000)
    assert found == [Fraction(round(1000 * time_s), 1000) for time_s in times]


def test_colours_come_back(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", (48, 64), Fraction(1, 25), Fraction(25)) as writer:
        writer.append(quadrants(), Fraction(0))
    with av.open(str(tmp_path / "a.mp4")) as file:
        assert int(file.streams.video[0].codec_context.colorspace) == 1, "BT.709, and says so"
    with read_video(tmp_path / "a.mp4") as video:
        (frame,) = video
    for corner, colour in zip(((0, 0), (0, -1), (-1, 0), (-1, -1)), QUADRANTS):
        np.testing.assert_allclose(frame.image[corner].astype(int), colour, atol=6)


@pytest.mark.parametrize("size", [(47, 63), (48, 63), (47, 64), (1, 1)])
def test_odd_sides_are_made_even_by_showing_the_last_pixels_twice(tmp_path: Path, size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    image[-1], image[:, -1] = 200, 200
    with VideoWriter(tmp_path / "a.mp4", size, Fraction(1, 25), Fraction(25)) as writer:
        writer.append(image, Fraction(0))
    with read_video(tmp_path / "a.mp4") as video:
        (frame,) = video
    assert video.size == tuple(side + side % 2 for side in size)
    assert frame.image[-1, -1].min() > 180


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_pictures_are_upright(tmp_path: Path, turns: int) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.set_display_rotation(90 * turns)  # counterclockwise
        picture = av.VideoFrame.from_ndarray(quadrants(), format="rgb24")
        file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    with read_video(tmp_path / "a.mp4") as video:
        (frame,) = video
    wanted = np.rot90(quadrants(), turns)
    assert video.size == wanted.shape[:2]
    assert np.abs(frame.image.astype(int) - wanted).mean() < 12


def test_pixels_that_are_not_square_are_widened(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        file.mux(stream.encode(av.VideoFrame.from_ndarray(quadrants(), format="rgb24")))
        file.mux(stream.encode(None))
    with read_video(tmp_path / "a.mp4") as video:
        assert video.size == (48, 96)


def test_a_video_that_is_cut_off_gives_what_is_there(tmp_path: Path) -> None:
    whole = remux(noise(tmp_path / "a.mp4", 60), tmp_path / "front.mp4", movflags="faststart")
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with read_video(tmp_path / "cut.mp4") as video:
        frames = list(video)
    assert 20 < len(frames) < 40
    assert video.problems
    assert video.count == 60


def test_a_video_that_ends_early_without_a_word_is_noticed(tmp_path: Path) -> None:
    whole = remux(noise(tmp_path / "a.mp4", 60), tmp_path / "a.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    with read_video(tmp_path / "cut.mkv") as video:
        frames = list(video)
    assert 20 < len(frames) < 40
    assert video.problems


def test_damage_in_the_middle_costs_few_frames(tmp_path: Path) -> None:
    blob = bytearray(noise(tmp_path / "a.mp4", 120).read_bytes())
    middle = len(blob) // 2
    blob[middle : middle + 6000] = b"\x55" * 6000
    (tmp_path / "bad.mp4").write_bytes(blob)
    with read_video(tmp_path / "bad.mp4") as video:
        times = [frame.time_s for frame in video]
    assert len(times) > 90
    assert video.problems
    assert times == sorted(set(times)), "each at its own time"


def make_sound(path: Path) -> None:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        file.mux(stream.encode(sound))
        file.mux(stream.encode(None))


def test_what_is_no_video_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.mp4").write_text("no video " * 100)
    (tmp_path / "empty.mp4").touch()
    make_sound(tmp_path / "sound.mp4")
    whole = noise(tmp_path / "whole.mp4", 3)
    (tmp_path / "no_index.mp4").write_bytes(whole.read_bytes()[:2000])
    for name, words in (
        ("missing.mp4", "No such file"),
        ("text.mp4", "not a video"),
        ("empty.mp4", "empty file"),
        ("sound.mp4", "no video in it, but audio"),
        (".", "directory"),
    ):
        with pytest.raises(InputError, match=words) as error:
            read_video(tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"cut off|no frame"):
        read_video(tmp_path / "no_index.mp4")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 48 * 64 - 1)
    with pytest.raises(InputError, match="64 x 48 pixels are more than"):
        read_video(whole)


def test_a_playlist_fetches_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(InputError):
        read_video(tmp_path / "a.ts")


def test_a_part_that_was_never_finalised_plays(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4", (48, 64), Fraction(1, 25), Fraction(25))
    for number in range(130):
        writer.append(flat(number % 20), Fraction(number, 25))
    shutil.copy(writer.part, tmp_path / "killed.mp4")
    with read_video(tmp_path / "killed.mp4") as video:
        times = [frame.time_s for frame in video]
    assert len(times) >= 75, "all but the last two seconds"
    assert times == [Fraction(number, 25) for number in range(len(times))]
    writer.close()
    writer.close()
    assert not writer.part.exists()
    with read_video(tmp_path / "a.mp4") as video:
        assert len(list(video)) == 130


def test_the_writer_keeps_what_it_has_on_an_error_and_leaves_nothing_of_nothing(tmp_path: Path) -> None:
    def stopped() -> None:
        with VideoWriter(tmp_path / "a.mp4", (48, 64), 1 / NTSC, NTSC) as writer:
            writer.append(flat(0), Fraction(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    with read_video(tmp_path / "a.mp4") as video:
        assert len(list(video)) == 1
    with VideoWriter(tmp_path / "none.mp4", (48, 64), 1 / NTSC, NTSC):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_the_writer_refuses_in_one_line(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [Fraction(0)], 1 / NTSC, NTSC)
    with pytest.raises(InputError, match="exists already"):
        VideoWriter(tmp_path / "a.mp4", (48, 64), 1 / NTSC, NTSC, overwrite=False)
    with pytest.raises(InputError, match="cannot be written"):
        VideoWriter(tmp_path / "a.mp4" / "b.mp4", (48, 64), 1 / NTSC, NTSC)
    with pytest.raises(InputError, match="40000 x 48 can be encoded"):
        VideoWriter(tmp_path / "wide.mp4", (48, 40000), 1 / NTSC, NTSC)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_pictures_are_frames_at_the_rate_that_is_given(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        Image.fromarray(flat(number)).save(tmp_path / f"frame_{number}.png")
    files = sorted(tmp_path.iterdir(), key=natural_order)
    with ImageSequence(tmp_path, files, NTSC) as video:
        frames = list(video)
    assert [frame.name for frame in frames] == ["frame_1", "frame_2", "frame_10"]
    assert [frame.time_s for frame in frames] == [0, 1 / NTSC, 2 / NTSC]
    assert (video.size, video.count, video.problems) == ((48, 64), 3, [])


def test_pictures_that_do_not_fit_leave_a_gap(tmp_path: Path) -> None:
    for number in range(4):
        Image.fromarray(flat(number, (48, 64) if number != 2 else (20, 20))).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").write_bytes(b"damaged")
    video = ImageSequence(tmp_path, sorted(tmp_path.iterdir()), Fraction(25))
    assert [frame.time_s for frame in video] == [0, Fraction(3, 25)]
    assert ["1.png" in video.problems[0], "20 x 20" in video.problems[1]] == [True, True]
    with pytest.raises(InputError, match="none of its 1 pictures"):
        ImageSequence(tmp_path, [tmp_path / "1.png"], Fraction(25))
    with pytest.raises(InputError, match="--fps 0"):
        ImageSequence(tmp_path, [tmp_path / "0.png"], Fraction(0))
