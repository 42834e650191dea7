from __future__ import annotations

import pickle
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depthnet.errors import ConfigError, InputError
from depthnet.prepare.nyu_raw import FAULTY_FRAMES, NyuRawOptions, NyuRawSource
from depthnet.prepare.nyu_raw.calibration import COLOUR_CAMERA, VALID_REGION
from depthnet.prepare.nyu_raw.files import Accelerometer, write_raw_frame
from depthnet.prepare.nyu_raw.registration import register_disparity
from depthnet.prepare.nyu_raw.toolbox import project_depth_map
from depthnet.prepare.nyu_raw.undistortion import undistort_image
from depthnet.prepare.source import DroppedFrame, PreparedFrame

START = 1300000000.0


def disparity_of(number: int) -> np.ndarray[Any, Any]:
    """A wall at 800 + number counts with a hole."""
    disparity = np.full((480, 640), 800 + number, np.uint16)
    disparity[100:150, 200:300] = 2047
    return disparity


def image_of(number: int) -> np.ndarray[Any, Any]:
    image = np.zeros((480, 640, 3), np.uint8)
    image[...] = np.arange(640)[None, :, None] % 200
    image[..., 1] = number
    return image


@pytest.fixture
def make_scene(tmp_path: Path) -> Callable[..., Path]:
    """Write a scene of the raw dump under tmp_path/dump: 10 frames a second, colour 10 ms after depth."""

    def make(name: str = "attic_0001", count: int = 3) -> Path:
        folder = tmp_path / "dump" / name
        for number in range(count):
            write_raw_frame(
                folder, START + number / 10, disparity_of(number), image_of(number), (number, 819, 0, 0), 0.01
            )
        return folder

    return make


def frames(source: NyuRawSource, scene: str = "attic_0001") -> tuple[list[PreparedFrame], list[DroppedFrame]]:
    everything = list(source.frames(scene))
    return (
        [frame for frame in everything if isinstance(frame, PreparedFrame)],
        [frame for frame in everything if isinstance(frame, DroppedFrame)],
    )


def test_frames_of_a_scene(make_scene: Callable[..., Path]) -> None:
    source = NyuRawSource(make_scene().parent)
    assert source.scenes() == ["attic_0001"]
    assert source.count_frames("attic_0001") == 3
    good, dropped = frames(source)
    assert not dropped
    assert [frame.name for frame in good] == ["00000", "00001", "00002"]
    for number, frame in enumerate(good):
        assert np.array_equal(frame.depth, register_disparity(disparity_of(number)))
        assert np.array_equal(frame.image, undistort_image(image_of(number), COLOUR_CAMERA))
        assert frame.depth.dtype == np.float32
        assert np.array_equal(frame.K, COLOUR_CAMERA.K)
        assert frame.time_s == pytest.approx(START + number / 10 + 0.01)
        assert frame.T_world_cam is None


def test_toolbox_mode(make_scene: Callable[..., Path]) -> None:
    good, _ = frames(NyuRawSource(make_scene(), NyuRawOptions(mode="toolbox")))
    depth, image = project_depth_map(disparity_of(1), image_of(1))
    assert np.array_equal(good[1].depth, depth.astype(np.float32))
    assert np.array_equal(good[1].image, image)


def test_the_crop_moves_the_principal_point(make_scene: Callable[..., Path]) -> None:
    folder = make_scene(count=1)
    whole, cropped = (frames(NyuRawSource(folder, NyuRawOptions(crop=crop)))[0][0] for crop in (False, True))
    assert cropped.depth.shape == (427, 561)
    assert np.array_equal(cropped.depth, whole.depth[VALID_REGION])
    assert np.array_equal(cropped.image, whole.image[VALID_REGION])
    moved = whole.K - cropped.K
    assert np.abs(moved - [[0, 0, 40], [0, 0, 44], [0, 0, 0]]).max() < 1e-9
    assert (cropped.depth > 0).mean() > 0.9


def test_zipped_and_extracted_scenes_give_the_same(make_scene: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_scene()
    with zipfile.ZipFile(tmp_path / "misc_part1.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.iterdir():
            archive.write(file, f"{folder.name}/{file.name}")
    (one, _), (other, _) = frames(NyuRawSource(folder)), frames(NyuRawSource(tmp_path / "misc_part1.zip"))
    assert len(one) == len(other) == 3
    for a, b in zip(one, other, strict=True):
        assert (a.name, a.time_s) == (b.name, b.time_s)
        assert np.array_equal(a.depth, b.depth)
        assert np.array_equal(a.image, b.image)


def test_every_kth_frame_and_names_by_stamp(make_scene: Callable[..., Path]) -> None:
    folder = make_scene(count=5)
    good, _ = frames(NyuRawSource(folder, NyuRawOptions(every=2)))
    assert [(frame.name, frame.image[240, 320, 1]) for frame in good] == [("00000", 0), ("00001", 2), ("00002", 4)]
    good, _ = frames(NyuRawSource(folder, NyuRawOptions(every=3, naming="stamp")))
    assert [frame.name.partition("-")[0] for frame in good] == ["1300000000.000000", "1300000000.300000"]


def test_only_scenes_of_the_official_split(make_scene: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_scene("attic_0001", 1)
    with pytest.raises(InputError, match="no scene is among the 284"):
        NyuRawSource(folder.parent, NyuRawOptions(split="train"))
    make_scene("basement_0001a", 1)
    assert NyuRawSource(tmp_path / "dump", NyuRawOptions(split="train")).scenes() == ["basement_0001a"]
    assert NyuRawSource(tmp_path / "dump").scenes() == ["attic_0001", "basement_0001a"]


def test_bad_frames_are_dropped_with_their_reason_and_keep_their_number(make_scene: Callable[..., Path]) -> None:
    folder = make_scene(count=6)
    depth, colour = sorted(folder.glob("d-*")), sorted(folder.glob("r-*"))
    depth[1].write_bytes(depth[1].read_bytes()[:1000])
    colour[2].write_bytes(b"")
    write_raw_frame(folder, START + 0.3, np.full((480, 640), 2047, np.uint16), image_of(3), colour_delay_s=0.01)
    depth[4].unlink()
    good, dropped = frames(NyuRawSource(folder))
    assert NyuRawSource(folder).count_frames("attic_0001") == len(good) + len(dropped)
    assert [frame.name for frame in good] == ["00000", "00004"]
    assert good[1].image[240, 320, 1] == 5
    assert [frame.name for frame in dropped] == [depth[i].stem for i in (4, 1, 2, 3)]
    for frame, part in zip(
        dropped, ("in INDEX.txt, but not there", "truncated", "empty file", "saw nothing"), strict=True
    ):
        assert part in frame.reason
    assert f"{colour[2].name}: empty file" in dropped[2].reason


def test_the_frame_that_the_literature_skips_is_not_counted(make_scene: Callable[..., Path]) -> None:
    folder = make_scene(count=3)
    faulty = next(iter(FAULTY_FRAMES))
    second = sorted(folder.glob("d-*"))[1]
    time_s = float(faulty.split("-")[1])
    second.rename(folder / faulty)
    (folder / "INDEX.txt").unlink()
    write_raw_frame(folder, time_s + 0.1, disparity_of(7), image_of(7))
    good, dropped = frames(NyuRawSource(folder))
    assert [(frame.name, frame.image[240, 320, 1]) for frame in good] == [("00000", 0), ("00001", 2), ("00002", 7)]
    assert [frame.reason.rpartition(": ")[2] for frame in dropped] == ["known to be faulty."]


def test_depth_without_colour_near_it_is_dropped(make_scene: Callable[..., Path]) -> None:
    folder = make_scene(count=4)
    sorted(folder.glob("r-*"))[3].unlink()
    good, dropped = frames(NyuRawSource(folder))
    assert len(good) == 4  # 0.2 + 0.01 is 0.09 s before 0.3
    good, dropped = frames(NyuRawSource(folder, NyuRawOptions(max_gap_s=0.05)))
    assert [frame.name for frame in good] == ["00000", "00001", "00002"]
    assert "is 0.090 s away; at most 0.05 s" in dropped[0].reason
    good, dropped = frames(NyuRawSource(folder, NyuRawOptions(unique_colour=True)))
    assert [frame.name for frame in good] == ["00000", "00001"]
    assert all("shares its colour frame" in frame.reason for frame in dropped)


def test_a_scene_without_frames_is_an_error(make_scene: Callable[..., Path]) -> None:
    folder = make_scene(count=1)
    for file in folder.glob("[dr]-*"):
        file.unlink()
    with pytest.raises(InputError, match="no depth frame"):
        list(NyuRawSource(folder.parent).frames("attic_0001"))
    with pytest.raises(InputError, match="no scene 'attic_0002'"):
        list(NyuRawSource(folder.parent).frames("attic_0002"))


def test_holes_are_filled_after_the_crop(make_scene: Callable[..., Path]) -> None:
    pytest.importorskip("numba")
    folder = make_scene(count=1)
    raw = frames(NyuRawSource(folder, NyuRawOptions(crop=True)))[0][0].depth
    filled = frames(NyuRawSource(folder, NyuRawOptions(crop=True, fill="colorization")))[0][0].depth
    assert filled.shape == raw.shape == (427, 561)
    assert filled.dtype == np.float32
    assert (raw == 0).any()
    assert (filled > 0).all()
    assert np.abs(filled - raw)[raw > 0].max() < 0.02


def test_the_accelerometer_of_a_scene(make_scene: Callable[..., Path]) -> None:
    folder = make_scene(count=3)
    sorted(folder.glob("a-*"))[1].write_bytes(b"123")
    source = NyuRawSource(folder)
    (time_s, first), (_, second), _ = source.accelerometer("attic_0001")
    assert (time_s, first) == (START, Accelerometer(0, 819, 0, 0))
    assert isinstance(second, DroppedFrame)
    assert [pair.accelerometer is not None for pair in source.synchronised("attic_0001")] == [True] * 3
    # A damaged dump costs its frame the acceleration alone.
    assert [frame.acceleration_g for frame in frames(source)[0]] == [(0.0, 1.0, 0.0), None, (2 / 819, 1.0, 0.0)]


def test_a_source_travels_to_other_processes(make_scene: Callable[..., Path]) -> None:
    source = NyuRawSource(make_scene(), NyuRawOptions(every=2))
    copy = pickle.loads(pickle.dumps(source))
    assert (copy.scenes(), copy.options) == (source.scenes(), source.options)
    assert [frame.name for frame in frames(copy)[0]] == ["00000", "00001"]


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "matlab"}, {"fill": "both"}, {"split": "test"}, {"naming": "x"}, {"every": 0}, {"max_gap_s": -1.0},
     {"max_gap_s": float("nan")}, {"min_depth": 3.0, "max_depth": 2.0}, {"max_depth": float("inf")}],
)  # fmt: skip
def test_impossible_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        NyuRawOptions(**wrong)


def damage(file: Path, chance: random.Random) -> None:
    """Replace a few bytes, and cut the end off in half of the cases."""
    content = bytearray(file.read_bytes())
    place = chance.randrange(len(content) if chance.random() < 0.5 else min(20, len(content)))
    content[place : place + chance.randrange(4)] = chance.randbytes(chance.randrange(4))
    end = len(content) if chance.random() < 0.5 else chance.randrange(len(content) + 1)
    file.write_bytes(bytes(content[:end]))


def assert_is(frame: PreparedFrame, number: int) -> None:
    assert np.array_equal(frame.depth, register_disparity(disparity_of(number)))
    assert np.array_equal(frame.image, undistort_image(image_of(number), COLOUR_CAMERA))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_a_damaged_file_drops_its_frame_at_most(make_scene: Callable[..., Path], seed: int) -> None:
    chance = random.Random(seed)
    folder = make_scene(count=2)
    names = sorted(file.name for file in folder.iterdir())
    victim = chance.choice(names)
    damage(folder / victim, chance)
    good, dropped = frames(NyuRawSource(folder))
    shutil.rmtree(folder)
    by_name = {frame.name: frame for frame in good}
    for number in (0, 1):
        if victim[0] in "dr" and f"-1300000000.{number}" in victim:
            frame = by_name.get(f"{number:05d}")
            assert frame is not None or any(f"{victim}: " in one.reason for one in dropped)
            assert frame is None or np.isfinite(frame.depth).all()
        else:
            assert_is(by_name[f"{number:05d}"], number)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_a_damaged_zip_part_gives_no_wrong_frame(make_scene: Callable[..., Path], tmp_path: Path, seed: int) -> None:
    folder = make_scene(count=2)
    part = tmp_path / "part.zip"
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"attic_0001/{file.name}")
    shutil.rmtree(folder)
    damage(part, random.Random(seed))
    try:
        source = NyuRawSource(part)
        good = [frame for scene in source.scenes() for frame in frames(source, scene)[0]]
    except InputError as error:
        good = []
        assert "part.zip" in str(error)  # noqa: PT017
    for frame in good:
        assert_is(frame, int(frame.image[240, 320, 1]))
