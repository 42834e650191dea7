from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depthnet.data.nyu.labeled import NyuLabeledDataset
from depthnet.errors import InputError, MissingTierError

pytest.importorskip("h5py")

MakeMat = Callable[..., Path]
Frames = Callable[[int, tuple[int, int]], dict[str, np.ndarray[Any, Any]]]


def test_frames_come_back_upright_with_the_camera(make_mat: MakeMat, mat_frames: Frames) -> None:
    data, expected = NyuLabeledDataset(make_mat()), mat_frames(12, (6, 8))
    assert data.names[:3] == ["0000", "0001", "0002"]
    assert (len(data), data.format, data.default_protocol, data.name) == (
        12,
        "nyu-mat",
        "nyu",
        "nyu_depth_v2_labeled.mat",
    )
    for i in (0, 7, 11):
        raw, sample = data.read_raw(i), data[i]
        np.testing.assert_array_equal(raw.image, expected["images"][i])
        np.testing.assert_array_equal(raw.depth, expected["depths"][i])
        assert sample.image.shape == (3, 6, 8)
        assert sample.depth is not None
        assert sample.depth.shape == (1, 6, 8)
        assert sample.valid is not None
        assert sample.valid.all()
    assert data[3].K is not None
    assert data[3].K[0, 0] == pytest.approx(518.8579 * 8 / 640)


def test_the_camera_at_full_size(make_mat: MakeMat) -> None:
    data = NyuLabeledDataset(make_mat(count=1, size=(480, 640)))
    np.testing.assert_allclose(data[0].K, [[518.8579, 0, 325.5824], [0, 519.4696, 253.7362], [0, 0, 1]], rtol=1e-6)


def test_raw_depth_has_its_holes(make_mat: MakeMat, mat_frames: Frames) -> None:
    data = NyuLabeledDataset(make_mat(), depth="raw")
    sample = data[5]
    assert data.format == "nyu-mat-raw"
    assert sample.depth is not None
    assert sample.valid is not None
    np.testing.assert_array_equal(sample.depth[0], mat_frames(12, (6, 8))["rawDepths"][5])
    assert (~sample.valid).sum() == 3
    with pytest.raises(InputError, match="depth 'both'"):
        NyuLabeledDataset(data.path, depth="both")  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "variable"), [("filled", "depths"), ("raw", "rawDepths")])
def test_depth_alone_does_not_read_the_picture(
    make_mat: MakeMat, mat_frames: Frames, kind: Any, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = NyuLabeledDataset(make_mat(), depth=kind)
    read, asked = data._read, []
    monkeypatch.setattr(data, "_read", lambda name, index: (asked.append(name), read(name, index))[1])
    np.testing.assert_array_equal(data.read_depth(7), mat_frames(12, (6, 8))[variable][7])
    assert asked == [variable]


def test_the_official_split_counts_from_zero(make_mat: MakeMat) -> None:
    path = make_mat(count=80, size=(2, 3))
    assert NyuLabeledDataset(path, "test").names[:4] == ["0000", "0001", "0008", "0013"]
    assert NyuLabeledDataset(path, "train").names[:7] == ["0002", "0003", "0004", "0005", "0006", "0007", "0009"]
    assert NyuLabeledDataset(path, "val").names[:3] == ["0068", "0069", "0070"]
    parts = [set(NyuLabeledDataset(path, split).names) for split in ("trainval", "test", "all")]
    assert parts[0] | parts[1] == parts[2]
    val = NyuLabeledDataset(path, "val")
    assert val[1].name == "0069"
    np.testing.assert_array_equal(val.read_raw(1).image, NyuLabeledDataset(path).read_raw(69).image)
    with pytest.raises(InputError, match="no split 'eval'"):
        NyuLabeledDataset(path, "eval")


def test_an_empty_split_is_refused(make_mat: MakeMat) -> None:
    with pytest.raises(InputError, match="split 'val' is among the 12 here"):
        NyuLabeledDataset(make_mat(), "val")


def test_scenes_are_text_behind_references(make_mat: MakeMat) -> None:
    path = make_mat()
    assert NyuLabeledDataset(path).scenes()[2:5] == ["küche_0000", "küche_0001", "küche_0001"]
    assert NyuLabeledDataset(path, "test").scenes() == ["küche_0000", "küche_0000", "küche_0002"]


@pytest.mark.parametrize(("depth", "variable"), [("filled", "depths"), ("raw", "rawDepths"), ("filled", "images")])
def test_a_missing_variable_is_named(make_mat: MakeMat, depth: str, variable: str) -> None:
    with pytest.raises(InputError, match=rf"no variable '{variable}' \(it has .*scenes\)"):
        NyuLabeledDataset(make_mat(leave_out=(variable,)), depth=depth)  # type: ignore[arg-type]


def test_a_variable_that_is_not_read_may_be_missing(make_mat: MakeMat) -> None:
    assert len(NyuLabeledDataset(make_mat(leave_out=("rawDepths",)))) == 12


@pytest.mark.parametrize(
    "change",
    [
        {"depths": np.ones((11, 8, 6), np.float32)},
        {"depths": np.ones((12, 6, 8), np.float32)},
        {"depths": np.ones((12, 8, 6), np.uint8)},
        {"images": np.ones((12, 6, 8, 3), np.uint8)},
    ],
)
def test_counts_and_sizes_that_differ_are_refused(make_mat: MakeMat, change: dict[str, np.ndarray[Any, Any]]) -> None:
    with pytest.raises(InputError, match=r"expected \(N, 3, W, H\) uint8 and \(N, W, H\) float"):
        NyuLabeledDataset(make_mat(change=change))


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_a_frame_with_impossible_depth_is_named_and_others_are_read(make_mat: MakeMat, value: float) -> None:
    depths = np.ones((12, 8, 6), np.float32)
    depths[4, 2, 2] = value
    data = NyuLabeledDataset(make_mat(change={"depths": depths}))
    with pytest.raises(InputError, match="frame 4, depths: depth has 1 "):
        data[4]
    assert data[5].name == "0005"


@pytest.mark.parametrize("keep", [0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(make_mat: MakeMat, keep: float) -> None:
    path = make_mat()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(InputError, match=r"truncated or damaged .*fetch it again") as caught:
        NyuLabeledDataset(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a MATLAB 7.3"),
        (b"hello" * 200, "not a MATLAB 7.3"),
        (
            b"MATLAB 5.0 MAT-file, Platform: GLNX86".ljust(124) + b"\x00\x01IM",
            "a MATLAB 5 file.*splits are in the package",
        ),
    ],
)
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        NyuLabeledDataset(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be opened"):
        NyuLabeledDataset(tmp_path / "none.mat")


def test_without_h5py_the_tier_is_named(make_mat: MakeMat, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_mat()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingTierError, match=r'pip install "depthnet\[data\]"'):
        NyuLabeledDataset(path)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_many_processes_read_at_once_even_when_the_parent_has_it_open(
    make_mat: MakeMat, mat_frames: Frames, method: str
) -> None:
    data = NyuLabeledDataset(make_mat(count=24))
    data.read_raw(0)
    images = mat_frames(24, (6, 8))["images"]
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        for i, raw in enumerate(pool.map(data.read_raw, range(24))):
            np.testing.assert_array_equal(raw.image, images[i])
    np.testing.assert_array_equal(data.read_raw(23).image, images[23])


def test_a_pickle_holds_no_open_file(make_mat: MakeMat) -> None:
    data = NyuLabeledDataset(make_mat())
    data.read_raw(0)
    assert pickle.loads(pickle.dumps(data))[11].name == "0011"


READ_SOME = """
import sys
from pathlib import Path
from depthnet.data.nyu.labeled import NyuLabeledDataset
data = NyuLabeledDataset(sys.argv[1])
total = sum(float(data[i].depth.sum()) for i in (0, 700, 1448))
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(len(data), total, int(status["VmHWM"].split()[0]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux' /proc")
def test_reading_frames_of_the_full_size_takes_little_memory(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "full.mat"  # 1449 frames, 3 GB when loaded; unwritten chunks take no space on disk
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("images", (1449, 3, 640, 480), "u1", chunks=(1, 3, 640, 480), compression=1)
        file.create_dataset("depths", (1449, 640, 480), "f4", chunks=(1, 640, 480), compression=1, fillvalue=1.0)
        file["depths"][700] = np.full((640, 480), 3.0, np.float32)
    command = [sys.executable, "-c", READ_SOME, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    count, total, megabytes = done.stdout.split()
    assert int(count) == 1449
    assert float(total) == pytest.approx(5 * 640 * 480)
    assert int(megabytes) < 200
    for split, size in {"train": 795, "val": 100, "trainval": 795, "test": 654, "all": 1449}.items():
        assert len(NyuLabeledDataset(path, split)) == size


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="bytes read are counted by Linux' /proc")
@pytest.mark.parametrize("frames_per_chunk", [1, 4])
def test_every_byte_is_read_once_in_order(tmp_path: Path, frames_per_chunk: int) -> None:
    """Also where chunks span frames: they are kept, even beyond HDF5's own cache, until the next frame is read."""
    import h5py

    path, count, k = tmp_path / "noise.mat", 8, frames_per_chunk
    rng = np.random.default_rng(0)
    with h5py.File(path, "w", userblock_size=512) as file:
        images = rng.integers(0, 256, (count, 3, 640, 480), dtype=np.uint8)
        file.create_dataset("images", data=images, chunks=(k, 1, 320, 240), compression=1)
        depths = rng.integers(700, 9000, (count, 640, 480)).astype(np.float32) / 1000
        file.create_dataset("depths", data=depths, chunks=(k, 320, 240), compression=1)
    data = NyuLabeledDataset(path)
    data.read_depth(0)
    before = int(Path("/proc/self/io").read_text().split()[1])
    for index in range(count):
        raw = data.read_raw(index)
        np.testing.assert_array_equal(raw.depth, depths[index].T)
    read = int(Path("/proc/self/io").read_text().split()[1]) - before
    assert read < 1.1 * path.stat().st_size


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_refused_or_gives_frames_in_range(make_mat: MakeMat, data: st.DataObject) -> None:
    """Whatever byte is overwritten or cut: one kind of error that names the file, or depth that the sensor can see."""
    path = make_mat(count=2)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(512, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.unlink()  # HDF5 knows open files by their inode
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    try:
        opened = NyuLabeledDataset(path)
        depths = [opened.read_raw(index).depth for index in range(len(opened))]
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017
        return
    assert all(depth is not None and 0 <= depth.min() <= depth.max() <= 20 for depth in depths)


def test_more_frames_than_the_set_has_are_refused(make_mat: MakeMat) -> None:
    change = {"images": np.zeros((1450, 3, 2, 2), np.uint8), "depths": np.ones((1450, 2, 2), np.float32)}
    with pytest.raises(InputError, match="the labelled set has 1449 frames"):
        NyuLabeledDataset(make_mat(change=change))


@pytest.mark.parametrize("value", [0.2, 2500.0])
def test_another_unit_is_refused(make_mat: MakeMat, value: float) -> None:
    with pytest.raises(InputError, match=r"frame 0, depths: .* the unit is another"):
        NyuLabeledDataset(make_mat(change={"depths": np.full((12, 8, 6), value, np.float32)}))[0]
