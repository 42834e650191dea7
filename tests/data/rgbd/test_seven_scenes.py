"""7-Scenes: paths, splits, registration and moved poses; damaged files; what registration does on real frames."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from depthnet.data import Sample, open_dataset
from depthnet.data.rgbd.seven_scenes import T_COLOUR_DEPTH, SevenScenesSequence, open_seven_scenes
from depthnet.errors import DepthNetError, InputError
from depthnet.geometry.camera import depth_to_points, points_to_pixels

SIZE = (24, 32)
POSE = "0 -1 0 1\n1 0 0 2\n0 0 1 3\n0 0 0 1\n"


def make_sequence(folder: Path, frames: int = 2, suffix: str = "png") -> Path:
    folder.mkdir(parents=True)
    for i in range(frames):
        stem = folder / f"frame-{i:06d}"
        Image.fromarray(np.full((*SIZE, 3), 50 * i, np.uint8)).save(f"{stem}.color.{suffix}", lossless=True)
        millimetres = np.full(SIZE, 2000 + i, np.uint16)
        millimetres[:4], millimetres[-4:] = 0, 65535
        Image.fromarray(millimetres).save(f"{stem}.depth.png")
        Path(f"{stem}.pose.txt").write_text(POSE, encoding="utf-8")
    return folder


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    """Two scenes; chess has lists (3 is listed but not there), heads has none."""
    root = tmp_path / "7scenes"
    for name, suffix in (("seq-01", "png"), ("seq-02", "webp"), ("seq-10", "jpg")):
        make_sequence(root / "chess" / name, suffix=suffix)
    (root / "chess/TrainSplit.txt").write_text("sequence1\nsequence10\r\n", encoding="utf-8")
    (root / "chess/TestSplit.txt").write_text("sequence2\nsequence3\n", encoding="utf-8")
    make_sequence(root / "heads/seq-01", frames=1)
    return root


def test_a_path_may_be_the_data_set_a_scene_or_a_sequence(data_set: Path) -> None:
    whole = open_dataset(data_set)
    assert (whole.format, len(whole)) == ("7scenes", 7)
    assert list(whole.sequences()) == ["chess/seq-01", "chess/seq-02", "chess/seq-10", "heads/seq-01"]
    assert whole.names[-1] == "heads/seq-01/frame-000000"
    scene = open_dataset(data_set / "chess")
    assert scene.names[:3] == ["seq-01/frame-000000", "seq-01/frame-000001", "seq-02/frame-000000"]
    assert scene.splits == ("train", "test")
    sequence = open_dataset(data_set / "chess/seq-02")
    assert (sequence.name, sequence.names) == ("seq-02", ["frame-000000", "frame-000001"])
    assert pickle.loads(pickle.dumps(whole))[6].name == "heads/seq-01/frame-000000"


def test_splits_are_those_of_the_lists(data_set: Path) -> None:
    assert list(open_dataset(data_set / "chess", split="train").sequences()) == ["seq-01", "seq-10"]
    test = open_dataset(data_set / "chess", split="test")
    assert list(test.sequences()) == ["seq-02"]
    assert test.left_out == {"seq-03": "listed in TestSplit.txt, but not there"}
    assert len(open_dataset(data_set / "chess", split="all")) == 6
    assert len(open_dataset(data_set / "heads", split="train")) == 1, "without lists everything is training"
    assert len(open_dataset(data_set / "chess/seq-02", split="test")) == 2
    for path, split, words in (
        ("chess", "val", "7-Scenes has train and test; choose one, or all"),
        ("heads", "test", r"no split 'test' \(TrainSplit\.txt and TestSplit\.txt are not there\)"),
        ("chess/seq-02", "train", r"is not in split 'train' of its scene \(TrainSplit\.txt\)"),
        ("heads/seq-01", "test", "no split 'test'"),
    ):
        with pytest.raises(InputError, match=words):
            open_dataset(data_set / path, split=split)
    (data_set / "chess/TrainSplit.txt").write_text("sequence1\nthe second\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"TrainSplit\.txt: 'the second' names no sequence; expected 'sequence1'"):
        open_dataset(data_set / "chess", split="train")


def test_a_packed_scene_says_what_to_unpack(data_set: Path) -> None:
    for folder in (data_set / "chess").glob("seq-*"):
        folder.rename(data_set / f"out-{folder.name}")
    (data_set / "chess/seq-01.zip").touch()
    with pytest.raises(InputError, match=r"chess: no sequence of split 'all' .*unpack the scene's seq-\*\.zip"):
        open_dataset(data_set / "chess")


def test_depth_is_moved_to_the_colour_camera_and_so_is_the_pose(data_set: Path) -> None:
    sample = open_dataset(data_set / "chess/seq-01")[1]
    raw = open_dataset(data_set / "chess/seq-01", format="7scenes-raw")[1]
    assert sample.depth is not None
    assert raw.depth is not None
    # 1/20 of the size: f / 20, (320 + 0.5) / 20 - 0.5.
    np.testing.assert_allclose(sample.K, [[26.25, 0, 15.525], [0, 26.25, 11.525], [0, 0, 1]], rtol=1e-6)
    np.testing.assert_allclose(raw.K, [[29.25, 0, 15.525], [0, 29.25, 11.525], [0, 0, 1]], rtol=1e-6)
    assert set(np.unique(raw.depth)) == {0.0, np.float32(2.001)}, "0 and 65535 are unknown"
    # A point of the wall on the optical axis: z in the colour camera by hand.
    on_axis = 0.99993555 * 2.001 + 0.00203183
    assert sample.depth[0, 11, 15] == pytest.approx(on_axis, abs=2e-3)
    world = np.array([[0.0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])
    np.testing.assert_array_equal(raw.T_world_cam, world)
    np.testing.assert_allclose(sample.T_world_cam, world @ np.linalg.inv(T_COLOUR_DEPTH), atol=1e-7)
    np.testing.assert_array_equal(open_dataset(data_set / "chess/seq-01").read_depth(1), sample.depth[0])
    assert sample.time_s is None


def test_depth_takes_the_size_of_the_picture(data_set: Path) -> None:
    file = data_set / "chess/seq-01/frame-000000.color.png"
    Image.new("RGB", (64, 48)).save(file)
    sample = open_dataset(data_set / "chess/seq-01")[0]
    assert sample.depth is not None
    assert sample.depth.shape == (1, 48, 64)
    assert sample.depth[0, 14:34, 10:50].min() > 1.99, "twice the size tears no holes"
    with pytest.raises(InputError, match=r"frame-000000\.depth\.png: depth is 32x24 and its image 64x48"):
        open_seven_scenes(data_set / "chess/seq-01", registered=False)[0]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("frame-000001.pose.txt", None, r"frame 'frame-000001' has no \.pose\.txt \(1 such"),
        ("frame-000001.depth.png", None, r"frame 'frame-000001' has no \.depth\.png"),
        ("frame-000000.color.png", None, r"frame 'frame-000000' has no \.color"),
        ("frame-000000.pose.txt", b"1 0 0 0\n0 1 0 0\n", r"pose\.txt: 8 numbers; expected camera to world, 4x4"),
        ("frame-000000.pose.txt", b"0 1 0 0\n-1 0 0 0\n0 0 1 0\n1 2 3 1\n", r"pose\.txt: not a rigid motion"),
        ("frame-000000.pose.txt", b"\xff\xfe0 1", r"pose\.txt: not a text file"),
        ("frame-000000.color.jpg", b"x", r"frame-000000\.color\.png: a second file beside frame-000000\.color\.jpg"),
    ],
)
def test_damaged_sequences_are_named(data_set: Path, name: str, content: bytes | None, words: str) -> None:
    file = data_set / "chess/seq-01" / name
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with pytest.raises(InputError, match=words):
        open_dataset(data_set / "chess/seq-01")


def test_a_lost_pose_is_none_and_depth_of_8_bits_is_refused(data_set: Path) -> None:
    folder = data_set / "chess/seq-01"
    (folder / "frame-000000.pose.txt").write_text(POSE.replace("3", "NaN"), encoding="utf-8")
    Image.fromarray(np.full(SIZE, 20, np.uint8)).save(folder / "frame-000001.depth.png")
    data = open_dataset(folder)
    assert data[0].T_world_cam is None
    with pytest.raises(InputError, match=r"frame-000001\.depth\.png: 8-bit image; expected 16-bit depth in millim"):
        data[1]


FILES = ["frame-000000.color.png", "frame-000000.depth.png", "frame-000000.pose.txt"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FILES), st.floats(0, 1), st.binary(max_size=6), st.booleans())
def test_fuzzed_files_give_a_sound_sample_or_a_named_file(
    data_set: Path, name: str, place: float, patch: bytes, cut: bool
) -> None:
    file = data_set / "heads/seq-01" / name
    whole = file.read_bytes()
    start = int(place * len(whole))
    file.write_bytes(whole[:start] + patch + (b"" if cut else whole[start + len(patch) :]))
    message, depth = "", np.zeros(SIZE)
    try:
        sample = SevenScenesSequence(data_set / "heads/seq-01")[0]
        assert sample.depth is not None
        depth = sample.depth
    except DepthNetError as error:
        message = str(error)
    file.write_bytes(whole)
    assert message == "" or name in message
    assert np.isfinite(depth).all()
    assert (depth >= 0).all()


@pytest.fixture
def slice_path(shared_data: Path) -> Path:
    return shared_data / "7scenes_redkitchen"


def test_the_real_slice(slice_path: Path) -> None:
    data = open_dataset(slice_path)
    assert (data.format, len(data), data.names[59]) == ("7scenes", 60, "seq-01/frame-000059")
    sample = data[30]
    assert sample.depth is not None
    assert sample.valid is not None
    assert sample.image.shape == (3, 240, 320)
    np.testing.assert_allclose(sample.K, [[262.5, 0, 159.75], [0, 262.5, 119.75], [0, 0, 1]])
    raw = open_dataset(slice_path, format="7scenes-raw")[30]
    assert raw.valid is not None
    # The colour camera sees more: the known part shrinks by (525 / 585)^2, and hardly by anything else.
    assert sample.valid.mean() / raw.valid.mean() == pytest.approx((525 / 585) ** 2, abs=0.02)


def edge_maps(sample: Sample) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where depth jumps by more than 5 %, and how much grey changes, each to the left or upper neighbour, (H, W)."""
    assert sample.depth is not None
    known = sample.depth[0].astype(np.float64)
    logs, grey = np.log(np.where(known > 0, known, np.nan)), sample.image.mean(0, dtype=np.float64)
    maps = []
    for values in (logs, grey):
        change = np.zeros_like(values)
        change[:, 1:] = np.nan_to_num(np.abs(np.diff(values, axis=1)))
        change[1:] = np.maximum(change[1:], np.nan_to_num(np.abs(np.diff(values, axis=0))))
        maps.append(change)
    return (maps[0] > 0.05).astype(np.float64), np.minimum(maps[1], 0.2)


def edge_offset(samples: list[Sample], reach: int = 12) -> tuple[float, float]:
    """How far depth edges stand from the edges of the picture, pixels, and the correlation of the two there."""
    side = 2 * reach + 1
    total = np.zeros((side, side))
    for sample in samples:
        jumps, grey = edge_maps(sample)
        inner = jumps[30:-30, 30:-30].ravel()
        for dy in range(side):
            for dx in range(side):
                top, left = 30 + dy - reach, 30 + dx - reach
                moved = grey[top : top + jumps.shape[0] - 60, left : left + jumps.shape[1] - 60].ravel()
                total[dy, dx] += np.corrcoef(inner, moved)[0, 1]
    dy, dx = np.unravel_index(total.argmax(), total.shape)
    return float(np.hypot(dy - reach, dx - reach)), float(total.max() / len(samples))


def test_registration_brings_the_edges_of_depth_to_those_of_the_picture(slice_path: Path) -> None:
    frames = (0, 40)
    registered, raw = open_seven_scenes(slice_path), open_seven_scenes(slice_path, registered=False)
    offset, correlation = edge_offset([registered[i] for i in frames])
    raw_offset, raw_correlation = edge_offset([raw[i] for i in frames])
    # What is left, 2 pixels to the right and down, is in the public calibration: it is of another sensor.
    assert offset < 3.5
    assert raw_offset > 6
    assert correlation > 1.4 * raw_correlation


def warp_error(
    source: Sample, target: Sample, T_world_source: NDArray[np.float64], T_world_target: NDArray[np.float64]
) -> float:
    """Mean difference between the source and what the target shows at the same points, nearest pixel."""
    assert source.depth is not None
    assert source.K is not None
    K = source.K[None].astype(np.float64)
    points = depth_to_points(source.depth[None].astype(np.float64), K)
    T = np.linalg.inv(T_world_target) @ T_world_source
    moved = np.einsum("ij,bjhw->bihw", T[:3, :3], points) + T[:3, 3][None, :, None, None]
    x, y = np.rint(np.nan_to_num(points_to_pixels(moved, K)[0], nan=-1.0)).astype(int)
    height, width = source.image.shape[1:]
    seen = (source.depth[0] > 0) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return float(np.abs(target.image[:, y[seen], x[seen]] - source.image[:, seen]).mean())


def test_warping_a_frame_to_another_is_better_with_registered_depth_and_moved_poses(slice_path: Path) -> None:
    registered, raw = open_seven_scenes(slice_path), open_seven_scenes(slice_path, registered=False)
    moved, stored, unregistered = [], [], []
    for i, j in ((0, 59), (20, 50), (10, 40), (30, 59)):
        a, b, raw_a, raw_b = registered[i], registered[j], raw[i], raw[j]
        assert a.T_world_cam is not None
        assert b.T_world_cam is not None
        assert raw_a.T_world_cam is not None
        assert raw_b.T_world_cam is not None
        moved.append(warp_error(a, b, a.T_world_cam, b.T_world_cam))
        stored.append(warp_error(a, b, raw_a.T_world_cam, raw_b.T_world_cam))
        unregistered.append(warp_error(raw_a, raw_b, raw_a.T_world_cam, raw_b.T_world_cam))
    assert np.mean(moved) < 0.98 * np.mean(stored)
    assert np.mean(moved) < 0.8 * np.mean(unregistered)
