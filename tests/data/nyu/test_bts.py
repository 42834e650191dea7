"""The `sync` tree, the official splits and the lists of BTS."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from depthnet.data import open_dataset
from depthnet.data.nyu.bts import BtsDataset
from depthnet.data.splits import nyu_sync_frames
from depthnet.errors import InputError

SIZE = (24, 32)


def write_pair(folder: Path, number: int, size: tuple[int, int] = SIZE, depth: int | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], (number % 256, 50, 90)).save(folder / f"rgb_{number:05d}.jpg", quality=95)
    millimetres = np.full(size, 1500 + number if depth is None else depth, np.uint16)
    millimetres[0, :3] = 0
    Image.fromarray(millimetres).save(folder / f"sync_depth_{number:05d}.png")


@pytest.fixture
def sync(tmp_path: Path) -> Path:
    """Two scenes, whole up to the last listed frame of the first three; and a scene that is in no list."""
    root = tmp_path / "sync"
    for scene in ("basement_0001b", "bathroom_0001"):
        for number in range(max(nyu_sync_frames()[scene]) + 1):
            write_pair(root / scene, number, (3, 4))
    write_pair(root / "office_9999", 0, (3, 4))
    return root


@pytest.fixture
def official(tmp_path: Path) -> Path:
    root = tmp_path / "official_splits"
    for part, numbers in (("train", (2, 3)), ("test", (0, 1, 8))):
        for number in numbers:
            write_pair(root / part / "kitchen", number)
    return root


def test_the_24k_list_chooses_the_training_frames(sync: Path, caplog: pytest.LogCaptureFixture) -> None:
    listed = nyu_sync_frames()
    with caplog.at_level(logging.WARNING):
        train = open_dataset(sync, split="train")
    assert train.format == "bts"
    scenes = ("basement_0001b", "bathroom_0001")
    assert train.names == [f"{scene}/{number:05d}" for scene in scenes for number in listed[scene]]
    assert "2 of the 284 scenes" in caplog.text
    whole = open_dataset(sync)
    assert len(whole) == sum(max(listed[scene]) + 1 for scene in scenes) + 1
    assert whole.splits == ("train",)
    with pytest.raises(InputError, match=r"no split 'test' \(it has train\)"):
        open_dataset(sync, split="test")


def test_pairs_come_back_in_metres_with_the_camera(official: Path) -> None:
    data = open_dataset(official, split="test")
    assert data.names == ["test/kitchen/00000", "test/kitchen/00001", "test/kitchen/00008"]
    assert data.default_protocol == "nyu"
    raw = data.read_raw(2)
    assert raw.depth is not None
    assert raw.depth[0, :3].tolist() == [0, 0, 0]
    assert raw.depth[1:] == pytest.approx(1.508)
    assert raw.image[5, 5].tolist() == pytest.approx([8, 50, 90], abs=3)
    np.testing.assert_array_equal(data.read_depth(2), raw.depth)
    assert raw.K is not None
    assert raw.K[0, 0] == pytest.approx(518.8579 * 32 / 640)
    assert pickle.loads(pickle.dumps(data))[0].name == "test/kitchen/00000"


def test_every_folder_of_the_arrangement_is_recognised(sync: Path, official: Path) -> None:
    above = sync.parent
    whole = open_dataset(above)
    assert whole.splits == ("train", "test")
    assert open_dataset(above, split="train").names[0] == "sync/basement_0001b/00000"
    assert open_dataset(above, split="test").names[0] == "official_splits/test/kitchen/00000"
    assert open_dataset(official).splits == ("train", "test")
    assert open_dataset(official / "test").names[0] == "kitchen/00000"


def test_the_crop_of_the_toolbox_moves_the_camera(tmp_path: Path) -> None:
    write_pair(tmp_path / "set" / "kitchen", 0, (427, 561))
    write_pair(tmp_path / "set" / "kitchen", 1, (20, 64))
    data = BtsDataset(tmp_path / "set")
    assert data.read_raw(0).K is not None
    np.testing.assert_allclose(data.read_raw(0).K, [[518.8579, 0, 285.5824], [0, 519.4696, 209.7362], [0, 0, 1]])
    assert data.read_raw(1).K is None  # no camera is better than a wrong one


def test_an_incomplete_scene_is_refused(sync: Path) -> None:
    for name in ("rgb_00002.jpg", "sync_depth_00002.png"):
        (sync / "basement_0001b" / name).unlink()
    with pytest.raises(InputError, match=r"basement_0001b: frame 00002 of split train is missing \(1 such\)"):
        open_dataset(sync, split="train")
    assert len(open_dataset(sync)) > 0


@pytest.mark.parametrize("lost", ["rgb_00001.jpg", "sync_depth_00001.png"])
def test_a_lone_file_is_refused(official: Path, lost: str) -> None:
    (official / "test" / "kitchen" / lost).unlink()
    with pytest.raises(InputError, match=rf"kitchen: .*00001.* has no {lost} \(1 such"):
        open_dataset(official)


def test_frames_of_the_other_part_are_refused(official: Path) -> None:
    write_pair(official / "test" / "kitchen", 5)
    with pytest.raises(InputError, match="'test/kitchen/00005' is not among the 654 official test frames"):
        open_dataset(official)


@pytest.mark.parametrize(
    ("value", "words"), [(60000, "the unit is another"), (200, "the unit is another"), (None, "8-bit image")]
)
def test_another_unit_or_8_bits_are_refused_at_the_frame(official: Path, value: int | None, words: str) -> None:
    folder = official / "test" / "kitchen"
    if value is None:
        Image.new("L", SIZE[::-1], 90).save(folder / "sync_depth_00001.png")
    else:
        write_pair(folder, 1, depth=value)
    data = open_dataset(official, split="test")
    with pytest.raises(InputError, match=rf"sync_depth_00001\.png: .*{words}"):
        data[1]
    assert data[2].name == "test/kitchen/00008"


def test_sizes_that_differ_are_refused(official: Path) -> None:
    Image.new("RGB", (16, 12)).save(official / "test" / "kitchen" / "rgb_00001.jpg")
    with pytest.raises(InputError, match=r"depth is 32x24 and its image 16x12"):
        open_dataset(official, split="test")[1]


LINES = [f"kitchen/rgb_{n:05d}.jpg kitchen/sync_depth_{n:05d}.png 518.8579" for n in (8, 0)]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("place", ["", "test"])
def test_a_list_gives_its_lines_in_their_order(official: Path, slash: str, place: str) -> None:
    file = (official.parent if not place else official / place) / "nyudepthv2_test_files_with_gt.txt"
    file.write_text("\n".join(f"{slash}{line.replace(' k', f' {slash}k')}" for line in LINES), encoding="utf-8")
    data = open_dataset(file)
    assert (data.format, data.names) == ("bts", ["kitchen/00008", "kitchen/00000"])
    assert data.read_depth(0)[5, 5] == pytest.approx(1.508)


def test_the_list_with_filled_depth_reads_the_sensor_s(official: Path) -> None:
    file = official / "test" / "dense.txt"
    file.write_text(LINES[0].replace("518.8579", "kitchen/dense/sync_depth_dense_00008.png"), encoding="utf-8")
    assert open_dataset(file).read_depth(0)[5, 5] == pytest.approx(1.508)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("518.8579", "721.5377", "focal length 721.5377; NYU Depth v2 has 518.8579"),
        ("518.8579", "nan", "focal length nan"),
        ("518.8579", "abc", "focal length abc"),
        ("sync_depth_00008", "sync_depth_00000", "are not one frame"),
        ("kitchen/sync", "office/sync", "are not one frame"),
        ("00008", "00009", r"rgb_00009\.jpg is missing"),
        (" 518.8579", " 518.8579 4", "4 words"),
    ],
)
def test_a_shuffled_or_damaged_list_is_refused_by_line(official: Path, old: str, new: str, words: str) -> None:
    file = official / "test" / "list.txt"
    file.write_text(LINES[1] + "\n" + LINES[0].replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=rf"list\.txt: line 2: .*{words}"):
        BtsDataset(file)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_text_as_a_list_is_read_or_refused(official: Path, data: st.DataObject) -> None:
    """What is accepted names frames that exist, image and depth of one number."""
    words = st.sampled_from([*LINES[0].split(), *LINES[1].split(), "\n", "/", "0"]) | st.text(
        st.sampled_from("ab0/. é\n\0\ud800"), max_size=5
    )
    text = " ".join(data.draw(st.lists(words, max_size=8)))
    file = official / "test" / "fuzz.txt"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        found = BtsDataset(file)
    except InputError as error:
        assert "fuzz.txt" in str(error)  # noqa: PT017
        return
    assert {name.rpartition("/")[2] for name in found.names} <= {"00000", "00001", "00008"}
    assert all(image.stem[-5:] == depth.stem[-5:] for image, depth in zip(found._images, found._depths))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_pictures_are_refused_or_in_range(official: Path, data: st.DataObject) -> None:
    file = official / "test" / "kitchen" / "sync_depth_00000.png"
    write_pair(file.parent, 0)
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    try:
        depth = open_dataset(official, split="test").read_depth(0)
    except InputError as error:
        assert "sync_depth_00000.png" in str(error)  # noqa: PT017
    else:
        assert depth.max() <= 20
