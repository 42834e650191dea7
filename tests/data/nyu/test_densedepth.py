"""DenseDepth's archive and arrays: 8 bits in training, 16 in the test part, in a `.zip` or extracted."""

from __future__ import annotations

import io
import multiprocessing
import pickle
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from depthnet.data import open_dataset
from depthnet.data.nyu.densedepth import DenseDepthDataset, EigenTestDataset
from depthnet.data.splits import nyu_labeled_indices
from depthnet.errors import InputError

SIZE = (24, 32)
Files = dict[str, bytes]


def picture(pixels: np.ndarray[Any, Any], kind: str = "png") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def tree_files() -> Files:
    """What ``nyu_data.zip`` holds, with two training and two test pairs."""
    files: Files = {}
    rows: dict[str, list[str]] = {"train": [], "test": []}
    colour = np.full((*SIZE, 3), (200, 100, 50), np.uint8)
    for number in (37, 120):
        base = f"data/nyu2_train/living_room_0038_out/{number}"
        files[f"{base}.jpg"], files[f"{base}.png"] = picture(colour, "jpeg"), picture(np.full(SIZE, number, np.uint8))
        rows["train"].append(f"{base}.jpg,{base}.png")
    for number in (0, 8):
        base = f"data/nyu2_test/{number:05d}"
        files[f"{base}_colors.png"] = picture(colour)
        files[f"{base}_depth.png"] = picture(np.full(SIZE, 2000 + number, np.uint16))
        rows["test"].append(f"{base}_colors.png,{base}_depth.png")
    for part, lines in rows.items():
        files[f"data/nyu2_{part}.csv"] = "\n".join(lines).encode()
    return files


def array_files() -> Files:
    """What ``nyu_test.zip`` holds, with five frames."""
    rng = np.random.default_rng(0)
    files: Files = {}
    arrays = {
        "eigen_test_rgb.npy": rng.integers(0, 256, (5, *SIZE, 3), dtype=np.uint8),
        "eigen_test_depth.npy": rng.uniform(0.7, 9.0, (5, *SIZE)).astype(np.float32),
        "eigen_test_crop.npy": np.array([20, 459, 24, 615]),
    }
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, array)
        files[name] = buffer.getvalue()
    return files


@pytest.fixture(params=["zip", "stored", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Files], Path]:
    """Writes files as a compressed `.zip`, an uncompressed one, or a folder."""

    def write(files: Files) -> Path:
        if request.param == "folder":
            return write_folder(tmp_path / "nyu_data", files)
        kind = zipfile.ZIP_DEFLATED if request.param == "zip" else zipfile.ZIP_STORED
        return write_zip(tmp_path / "nyu_data.zip", files, kind)

    return write


def write_folder(root: Path, files: Files) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def write_zip(path: Path, files: Files, kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


Store = Callable[[Files], Path]


def test_each_part_has_its_own_unit(store: Store) -> None:
    data = open_dataset(store(tree_files()))
    assert (data.format, data.splits, data.default_protocol) == ("densedepth", ("train", "test"), "nyu")
    assert data.names == ["living_room_0038_out/37", "living_room_0038_out/120", "00000", "00008"]
    values = [float(data.read_depth(index)[3, 3]) for index in range(4)]
    assert values == pytest.approx([37 / 255 * 10, 120 / 255 * 10, 2.0, 2.008])
    raw = data.read_raw(3)
    assert raw.image[5, 5].tolist() == [200, 100, 50]
    assert raw.K is not None
    assert raw.K[0, 0] == pytest.approx(518.8579 * 32 / 640)
    assert pickle.loads(pickle.dumps(data)).read_depth(2)[0, 0] == 2.0


def test_the_splits(store: Store) -> None:
    path = store(tree_files())
    assert open_dataset(path, split="train").names == ["living_room_0038_out/37", "living_room_0038_out/120"]
    assert open_dataset(path, split="test").names == ["00000", "00008"]
    with pytest.raises(InputError, match=r"no split 'val' \(it has train, test\)"):
        open_dataset(path, split="val")
    files = {name: content for name, content in tree_files().items() if "test" not in name}
    (path.parent / "part").mkdir()
    part = write_zip(path.parent / "part" / "only_train.zip", files)
    assert open_dataset(part).splits == ("train",)


def test_the_data_folder_alone_is_the_set_too(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "x", tree_files())
    (root / "data").rename(tmp_path / "renamed")
    assert open_dataset(tmp_path / "renamed").read_depth(2)[0, 0] == 2.0


@pytest.mark.parametrize(
    ("name", "content", "index", "words"),
    [
        ("nyu2_train/living_room_0038_out/37.png", picture(np.full(SIZE, 2000, np.uint16)), 0, "is 8-bit grey"),
        ("nyu2_train/living_room_0038_out/37.png", picture(np.zeros((*SIZE, 3), np.uint8)), 0, "is 8-bit grey"),
        ("nyu2_test/00000_depth.png", picture(np.full(SIZE, 200, np.uint8)), 2, "8-bit image; expected 16-bit"),
        ("nyu2_test/00000_depth.png", picture(np.full(SIZE, 50000, np.uint16)), 2, "the unit is another"),
        ("nyu2_test/00000_depth.png", picture(np.full((5, 6), 2000, np.uint16)), 2, "depth is 6x5 and its image 32x24"),
        ("nyu2_test/00000_depth.png", b"", 2, "empty file"),
        ("nyu2_test/00000_colors.png", b"no picture", 2, "not an image"),
    ],
)
def test_a_wrong_file_is_named_and_the_others_are_read(
    store: Store, name: str, content: bytes, index: int, words: str
) -> None:
    data = open_dataset(store({**tree_files(), f"data/{name}": content}))
    with pytest.raises(InputError, match=rf"{name}: .*{words}"):
        data[index]
    assert data[1].name == "living_room_0038_out/120"


@pytest.mark.parametrize(
    ("part", "old", "new", "words"),
    [
        ("train", b"37.png", b"120.png", "line 1: .* is not the image and the depth map of one frame"),
        ("train", b".jpg,data", b".jpg;data", "line 1: .* is not the image"),
        ("test", b"00008_depth", b"00000_depth", "line 2: .* is not the image"),
        ("test", b"00008_", b"00002_", "line 2: .* is not the image"),  # a frame of the training part
        ("test", b"nyu2_test", b"nyu2_train", "is not the image"),
        ("train", b"/37", b"/38", r"line 1: .*38\.jpg is missing"),
        ("train", b"living", b"\xff", "not a CSV list"),
    ],
)
def test_a_shuffled_or_damaged_list_is_refused_by_line(
    store: Store, part: str, old: bytes, new: bytes, words: str
) -> None:
    files = tree_files()
    name = f"data/nyu2_{part}.csv"
    assert old in files[name]
    path = store({**files, name: files[name].replace(old, new)})
    with pytest.raises(InputError, match=rf"nyu2_{part}\.csv: .*{words}"):
        DenseDepthDataset(path)


def test_arrays_of_the_test_part(store: Store) -> None:
    files = array_files()
    data = open_dataset(store(files))
    assert (data.format, data.default_protocol, len(data)) == ("densedepth-test", "nyu", 5)
    images, depths = (np.load(io.BytesIO(files[f"eigen_test_{kind}.npy"])) for kind in ("rgb", "depth"))
    for index in (0, 3, 1, 4):  # back and forth
        raw = data.read_raw(index)
        np.testing.assert_array_equal(raw.image, images[index])
        np.testing.assert_array_equal(raw.depth, depths[index])
    assert pickle.loads(pickle.dumps(data)).read_raw(4).name == "0004"
    with pytest.raises(InputError, match="no split 'train'"):
        open_dataset(data.path, split="train")


def test_a_whole_test_part_has_the_labelled_names(tmp_path: Path) -> None:
    arrays = {"rgb": np.zeros((654, 3, 4, 3), np.uint8), "depth": np.full((654, 3, 4), 2.0)}
    for kind, array in arrays.items():
        np.save(tmp_path / f"eigen_test_{kind}.npy", array)
    assert open_dataset(tmp_path).names == [f"{index:04d}" for index in nyu_labeled_indices("test")]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_do_not_share_a_position(tmp_path: Path, method: str) -> None:
    files = array_files()
    data = EigenTestDataset(write_zip(tmp_path / "nyu_test.zip", files))
    data.read_raw(2)
    depths = np.load(io.BytesIO(files["eigen_test_depth.npy"]))
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        for index, depth in enumerate(pool.map(data.read_depth, range(5))):
            np.testing.assert_array_equal(depth, depths[index])
    np.testing.assert_array_equal(data.read_depth(3), depths[3])


def saved(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("depth", saved(np.full((5, *SIZE), 2000.0)), "frame 0: .* the unit is another"),
        ("depth", saved(np.full((5, *SIZE), np.nan)), "frame 0: .* NaN"),
        ("depth", saved(np.full((5, *SIZE), 2000, np.uint16)), "floating-point metres"),
        ("depth", saved(np.ones((4, *SIZE))), r"expected \(N, H, W, 3\)"),
        ("depth", saved(np.asfortranarray(np.ones((5, *SIZE)))), "Fortran order"),
        ("depth", saved(np.ones((5, *SIZE)))[:-8], "bytes; an array"),
        ("depth", b"no array", "cannot be read"),
        ("rgb", saved(np.full((5, *SIZE, 3), 0.5)), "frame 0: values from 0.5 to 0.5; expected RGB in 0..255"),
        ("rgb", saved(np.full((5, 3, *SIZE), 9, np.uint8)), r"expected \(N, H, W, 3\)"),
        ("rgb", saved(np.full((5, *SIZE, 3), np.nan)), "frame 0: values from nan"),
    ],
)
def test_arrays_of_another_kind_are_refused(store: Store, name: str, content: bytes, words: str) -> None:
    path = store({**array_files(), f"eigen_test_{name}.npy": content})
    with pytest.raises(InputError, match=words):
        open_dataset(path)[0]


def test_pixels_in_floating_point_are_rounded(store: Store) -> None:
    levels = np.random.default_rng(1).integers(0, 255, (5, *SIZE, 3))
    data = open_dataset(store({**array_files(), "eigen_test_rgb.npy": saved(levels + 0.2)}))
    np.testing.assert_array_equal(data.read_raw(1).image, levels[1])


def test_a_cut_archive_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "nyu_data.zip", tree_files())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="unknown layout"):
        open_dataset(path)
    with pytest.raises(InputError, match=r"nyu_data\.zip: not a whole \.zip file"):
        open_dataset(path, format="densedepth")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_archive_is_refused_or_gives_what_it_held(tmp_path: Path, data: st.DataObject) -> None:
    """A zip has checksums: whatever byte is overwritten, a frame is as it was, or refused with the file's name."""
    path, files = tmp_path / "nyu_data.zip", tree_files()
    write_zip(path, files)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        opened = DenseDepthDataset(path)
        found = {name: opened.read_depth(index)[3, 3] for index, name in enumerate(opened.names)}
    except InputError as error:
        assert "nyu_data.zip" in str(error)  # noqa: PT017
        return
    expected = {
        "living_room_0038_out/37": 37 / 25.5,
        "living_room_0038_out/120": 120 / 25.5,
        "00000": 2,
        "00008": 2.008,
    }
    assert found == pytest.approx({name: expected[name] for name in found})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_arrays_are_refused_or_in_range(tmp_path: Path, data: st.DataObject) -> None:
    files = array_files()
    name = data.draw(st.sampled_from(["eigen_test_rgb.npy", "eigen_test_depth.npy"]))
    content = bytearray(files[name])
    place = st.integers(0, 127) | st.integers(0, len(content) - 1)  # the head, or anywhere
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(place)] = data.draw(st.integers(0, 255))
    root = write_folder(tmp_path / "arrays", {**files, name: bytes(content)})
    try:
        opened = EigenTestDataset(root)
        depths = [opened.read_raw(index).depth for index in range(len(opened))]
    except InputError as error:
        assert str(root) in str(error)  # noqa: PT017
        return
    assert all(depth is not None and 0 <= depth.min() <= depth.max() <= 20 for depth in depths)
