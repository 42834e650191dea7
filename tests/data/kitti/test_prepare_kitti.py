"""From KITTI raw to a prepared tree, and the pairs in it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthnet.cli import main
from depthnet.data import open_dataset
from depthnet.data.kitti.raw import KittiRawDataset
from depthnet.data.stereo import open_stereo
from depthnet.errors import ConfigError, InputError
from depthnet.prepare.kitti import KittiOptions, KittiSource, resize_sparse_depth
from depthnet.prepare.source import DroppedFrame, PreparedFrame

MakeRaw = Callable[..., Path]
DRIVE = "2011_09_26_drive_0001"


def test_a_drive_is_a_scene_whose_frames_are_those_of_the_reader(make_raw: MakeRaw) -> None:
    root = make_raw({DRIVE: range(5), "2011_09_28_drive_0002": range(2)})
    source = pickle.loads(pickle.dumps(KittiSource(root, KittiOptions(every=2, right=True))))
    assert source.scenes() == [DRIVE, "2011_09_28_drive_0002"]
    assert source.count_frames(DRIVE) == 3
    frames = list(source.frames(DRIVE))
    assert [frame.name for frame in frames] == ["0000000000", "0000000002", "0000000004"]
    data = KittiRawDataset(root)
    for frame, index in zip(frames, (0, 2, 4), strict=True):
        assert isinstance(frame, PreparedFrame)
        raw = data.read_raw(index)
        np.testing.assert_array_equal(frame.image, raw.image)
        np.testing.assert_array_equal(frame.depth, raw.depth)
        np.testing.assert_allclose(frame.K, raw.K, rtol=1e-6)
        assert frame.time_s == raw.time_s
        assert frame.baseline_m == pytest.approx(0.5327, abs=1e-3)
        assert frame.right is not None
        assert frame.right[0, 0, 1] == 3


def test_resized_frames_keep_their_rays(make_raw: MakeRaw) -> None:
    source = KittiSource(make_raw(), KittiOptions(size=(38, 31), right=True))
    frame = next(iter(source.frames(DRIVE)))
    assert isinstance(frame, PreparedFrame)
    assert frame.image.shape == (38, 31, 3)
    assert frame.right is not None
    assert frame.right.shape == (38, 31, 3)
    np.testing.assert_allclose(frame.K, [[18, 0, 15.0], [0, 72, 18.5], [0, 0, 1]])
    # The depth that grows with x is still where the ray says it is, within half an original pixel.
    y, x = np.nonzero(frame.depth)
    original = (x + 0.5) * 2 - 0.5
    assert np.abs(frame.depth[y, x] - (5 + 0.125 * original)).max() < 0.126
    assert len(y) == np.count_nonzero(KittiRawDataset(source._data.path).read_raw(0).depth)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    old=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    new=st.tuples(st.integers(1, 12), st.integers(1, 12)),
)
def test_sparse_depth_moves_points_and_keeps_the_nearest(seed: int, old: tuple[int, int], new: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    depth = np.where(rng.random(old) < 0.5, 0, rng.uniform(1, 80, old)).astype(np.float32)
    expected = np.full(new, np.inf)
    for y, x in zip(*np.nonzero(depth)):
        row, column = int((y + 0.5) * new[0] / old[0]), int((x + 0.5) * new[1] / old[1])
        expected[row, column] = min(expected[row, column], depth[y, x])
    resized = resize_sparse_depth(depth, new)
    np.testing.assert_array_equal(resized, np.where(np.isinf(expected), 0, expected).astype(np.float32))
    if new[0] >= old[0] and new[1] >= old[1]:
        assert sorted(resized[resized > 0]) == sorted(depth[depth > 0])


def test_bad_frames_are_dropped_with_their_reason(make_raw: MakeRaw, kitti: SimpleNamespace) -> None:
    root = make_raw({DRIVE: range(4)})
    drive = root / "2011_09_26" / f"{DRIVE}_sync"
    (drive / "image_02" / "data" / "0000000001.png").write_bytes(b"no picture")
    (drive / "image_03" / "data" / "0000000002.png").unlink()
    behind = np.array([[-5, 0, 0, 0.5]], "<f4")
    (drive / "velodyne_points" / "data" / "0000000003.bin").write_bytes(behind.tobytes())
    frames = list(KittiSource(root, KittiOptions(right=True)).frames(DRIVE))
    assert isinstance(frames[0], PreparedFrame)
    dropped = [frame for frame in frames if isinstance(frame, DroppedFrame)]
    assert [frame.name[-1] for frame in dropped] == ["1", "2", "3"]
    for frame, words in zip(dropped, ("0000000001.png", "no right picture", "no depth in the picture"), strict=True):
        assert words in frame.reason


def test_drives_without_depth_and_impossible_options_are_refused(make_raw: MakeRaw) -> None:
    with pytest.raises(InputError, match="no velodyne_points in its drives"):
        KittiSource(make_raw(velodyne=False))
    for options, words in (
        ({"split": "dev"}, "split 'dev'"),
        ({"depth": "x"}, "depth 'x'"),
        ({"every": 0}, "every 0"),
        ({"size": (0, 4)}, "size 0 4"),
        ({"right": True, "cameras": "both"}, "pairs belong to the left camera"),
    ):
        with pytest.raises(ConfigError, match=words):
            KittiOptions(**options)  # type: ignore[arg-type]


def test_both_cameras_are_scenes_of_their_own(make_raw: MakeRaw) -> None:
    source = KittiSource(make_raw(), KittiOptions(cameras="both"))
    assert source.scenes() == [DRIVE, f"{DRIVE}_right"]
    left, right = (next(iter(source.frames(scene))) for scene in source.scenes())
    assert isinstance(left, PreparedFrame)
    assert isinstance(right, PreparedFrame)
    assert (left.image[0, 0, 1], right.image[0, 0, 1]) == (2, 3)


def test_the_command_writes_a_tree_with_pairs(make_raw: MakeRaw, tmp_path: Path) -> None:
    root, out = make_raw(), tmp_path / "tree"
    words = ["prepare", "kitti", "--source", str(root), "--out", str(out), "--right", "--workers", "1"]
    assert main([*words, "--size", "19", "62"]) == 0
    data = open_dataset(out)
    assert data.format == "prepared"
    assert data.names == [f"{DRIVE}_{frame:010d}" for frame in range(3)]
    raw = KittiRawDataset(root)[1]
    assert data[1].T_world_cam is not None
    np.testing.assert_allclose(data[1].T_world_cam, raw.T_world_cam, atol=1e-6)
    assert raw.depth is not None
    np.testing.assert_allclose(data[1].depth, raw.depth, atol=6e-4)
    pair = open_stereo(out)[1]
    assert pair.baseline_m == pytest.approx(0.5327, abs=1e-3)
    assert pair.right[1, 0, 0] == pytest.approx(3 / 255)
    assert pair.depth is not None
    np.testing.assert_allclose(pair.depth, data[1].depth, rtol=1e-5)
