from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from depthnet.data.kitti.calibration import read_object_calibration
from depthnet.data.kitti.velodyne import project_velodyne, read_velodyne
from depthnet.errors import ConfigError, InputError, ShapeError

# Camera axes from velodyne axes exactly: x = -y, y = -z, z = x - 0.25; f = 8, centre (4, 3).
PROJECTION = np.array([[8, 0, 4, 0], [0, 8, 3, 0], [0, 0, 1, 0.0]]) @ np.array(
    [[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, -0.25], [0, 0, 0, 1.0]]
)
SIZE = (7, 9)
CLOUD = np.random.default_rng(0).uniform((-60, -60, -3, 0), (60, 60, 3, 1), (50, 4))


def published(velo: NDArray[np.float32], P: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """The published steps one after the other, point by point, quirks included (FACTS 4.3)."""
    ahead = velo[velo[:, 0] >= 0, :3].astype(np.float64)
    projected = P @ np.c_[ahead, np.ones(len(ahead))].T
    with np.errstate(all="ignore"):
        columns, rows = np.round(projected[:2] / projected[2]) - 1
    seen = [
        (int(row), int(column), x)
        for row, column, x in zip(rows, columns, ahead[:, 0])
        if 0 <= column < shape[1] and 0 <= row < shape[0]
    ]
    depth = np.zeros(shape)
    groups: dict[int, list[tuple[int, int, float]]] = {}
    for row, column, x in seen:
        depth[row, column] = x
        groups.setdefault(row * (shape[1] - 1) + column - 1, []).append((row, column, x))
    for group in groups.values():
        if len(group) > 1:
            depth[group[0][0], group[0][1]] = min(x for _, _, x in group)
    depth[depth < 0] = 0
    return depth


def points(*rows: tuple[float, float, float]) -> NDArray[np.float32]:
    return np.array([(*row, 0.5) for row in rows], np.float32)


def test_depth_is_z_of_the_camera_at_the_nearest_pixel_centre() -> None:
    # (5.25, 0, 0) is z 5 straight ahead; (2.25, -0.5, 0.25) lies z 2, right 0.5, up 0.25: (4 + 2, 3 - 1).
    depth = project_velodyne(points((5.25, 0, 0), (2.25, -0.5, 0.25)), PROJECTION, SIZE)
    assert depth.dtype == np.float32
    assert depth[3, 4] == 5.0
    assert depth[2, 6] == 2.0
    assert np.count_nonzero(depth) == 2


def test_the_literature_gives_velodyne_x_one_pixel_up_and_left() -> None:
    depth = project_velodyne(points((5.25, 0, 0), (2.25, -0.5, 0.25)), PROJECTION, SIZE, "literature")
    assert depth[2, 3] == 5.25
    assert depth[1, 5] == 2.25
    assert np.count_nonzero(depth) == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_of_points_in_one_pixel_the_nearest_stays(order: tuple[int, ...]) -> None:
    rows = [(8.25, 0.0, 0.0), (4.25, 0.01, 0.0), (6.25, 0.0, -0.01)]
    depth = project_velodyne(points(*(rows[i] for i in order)), PROJECTION, SIZE)
    assert depth[3, 4] == 4.0
    assert project_velodyne(points(*(rows[i] for i in order)), PROJECTION, SIZE, "literature")[2, 3] == 4.25


def test_points_behind_beside_or_at_the_camera_are_left_out() -> None:
    rows = points((-5, 0, 0), (0.25, 0, 0), (0.2, 0.01, 0), (5.25, 40, 0), (5.25, 0, 40))
    assert not project_velodyne(rows, PROJECTION, SIZE).any()
    assert not project_velodyne(np.empty((0, 4), np.float32), PROJECTION, SIZE).any()
    assert not project_velodyne(np.empty((0, 4), np.float32), PROJECTION, SIZE, "literature").any()


def test_the_false_duplicate_at_the_border_is_kept_in_the_literature_only() -> None:
    # Literature: key row·8 + column − 1 joins pixel (1, 8) and pixel (2, 0): the first takes the smaller depth.
    right_end, next_row = (4.25, -2.5, 0.5), (2.25, 0.75, -0.0)
    first = project_velodyne(points(right_end, next_row), PROJECTION, SIZE, "literature")
    assert first[1, 8] == first[2, 0] == 2.25
    both = project_velodyne(points((4.25, -2.0, 0.5), (2.25, 1.0, -0.0)), PROJECTION, SIZE)
    assert (both[2, 8], both[3, 0]) == (4.0, 2.0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 200), near=st.booleans())
def test_the_literature_variant_is_the_published_steps_to_the_number(seed: int, count: int, near: bool) -> None:
    rng = np.random.default_rng(seed)
    spread = (0.6, 0.2, 0.2) if near else (9.0, 4.0, 3.0)
    cloud = np.c_[rng.uniform(-0.2, 1, (count, 1)), rng.uniform(-1, 1, (count, 2)), np.ones((count, 1))]
    cloud = (cloud * (*spread, 1.0)).astype(np.float32)
    ours = project_velodyne(cloud, PROJECTION, SIZE, "literature")
    np.testing.assert_array_equal(ours, published(cloud, PROJECTION, SIZE).astype(np.float32))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 200))
def test_the_z_variant_is_a_plain_z_buffer(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    cloud = rng.uniform((-3, -4, -3, 0), (9, 4, 3, 1), (count, 4)).astype(np.float32)
    expected = np.full(SIZE, np.inf)
    for x, y, z in cloud[:, :3].astype(np.float64):
        u, v, w = PROJECTION @ np.array([x, y, z, 1.0])
        if w > 0:
            column, row = round(u / w), round(v / w)
            if 0 <= column < SIZE[1] and 0 <= row < SIZE[0]:
                expected[row, column] = min(expected[row, column], w)
    expected[np.isinf(expected)] = 0
    np.testing.assert_allclose(project_velodyne(cloud, PROJECTION, SIZE), expected, rtol=1e-6)


def test_a_real_scan_gives_the_same_as_the_published_steps(shared_data: Path) -> None:
    folder = shared_data / "kitti_sample" / "object"
    scan = read_velodyne(folder / "velodyne.bin")
    projection = read_object_calibration(folder / "calib.txt").velodyne_projection()
    assert scan.shape == (120268, 4)
    depth = project_velodyne(scan, projection, (375, 1242), "literature")
    np.testing.assert_array_equal(depth, published(scan, projection, (375, 1242)).astype(np.float32))
    ours = project_velodyne(scan, projection, (375, 1242))
    # Velodyne x and camera z differ by 0.27 m along the axis (and little by the small rotation).
    shifted = depth[:-1, :-1][(ours[1:, 1:] > 0) & (depth[:-1, :-1] > 0)]
    same = ours[1:, 1:][(ours[1:, 1:] > 0) & (depth[:-1, :-1] > 0)]
    assert np.median(shifted - same) == pytest.approx(0.27, abs=0.05)
    assert 17_000 < np.count_nonzero(ours) < 20_000
    assert 3 < ours[ours > 0].min() < ours.max() < 85


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"velodyne variant 'x'.*z, literature"):
        project_velodyne(points((1, 0, 0)), PROJECTION, SIZE, "x")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"points \(3, 2\)"):
        project_velodyne(np.zeros((3, 2), np.float32), PROJECTION, SIZE)
    with pytest.raises(ShapeError, match=r"projection \(4, 4\)"):
        project_velodyne(points((1, 0, 0)), np.eye(4), SIZE)


def test_a_scan_comes_back(tmp_path: Path) -> None:
    scan = points((5.25, 0, 0), (-80, 3, 1))
    (tmp_path / "a.bin").write_bytes(scan.astype("<f4").tobytes())
    np.testing.assert_array_equal(read_velodyne(tmp_path / "a.bin"), scan)


@pytest.mark.parametrize(
    ("blob", "words"),
    [
        (b"", "0 bytes"),
        (points((1, 2, 3)).tobytes()[:-1], "15 bytes.*truncated"),
        (np.array([1, 2, np.nan, 0.5], "<f4").tobytes(), "nan"),
        (np.array([1, 2, np.inf, 0.5], "<f4").tobytes(), "inf"),
        (np.array([5250, 0, 0, 0.5], "<f4").tobytes(), "another unit"),
        (np.array([5.25, 0, 0, 99], "<f4").tobytes(), "reflectances from 99"),
        (CLOUD.astype(">f4").tobytes(), "damaged"),
        (CLOUD.astype("<f8").tobytes(), "damaged"),
        (CLOUD.astype("<f4").tobytes()[2:-14], "damaged"),
        (CLOUD[:, ::-1].astype("<f4").tobytes(), "damaged"),
    ],
)
def test_what_is_no_scan_is_refused(tmp_path: Path, blob: bytes, words: str) -> None:
    (tmp_path / "a.bin").write_bytes(blob)
    with pytest.raises(InputError, match=rf"a\.bin: .*{words}"):
        read_velodyne(tmp_path / "a.bin")
    with pytest.raises(InputError, match="cannot be read"):
        read_velodyne(tmp_path / "b.bin")


@settings(max_examples=50, deadline=None)
@given(blob=st.binary(max_size=200))
def test_any_bytes_give_lawful_points_or_one_line(tmp_path_factory: pytest.TempPathFactory, blob: bytes) -> None:
    file = tmp_path_factory.mktemp("scan") / "x.bin"
    file.write_bytes(blob)
    try:
        scan = read_velodyne(file)
    except InputError as error:
        message = str(error)
        assert "x.bin" in message
        assert "\n" not in message
        return
    assert np.isfinite(scan).all()
    assert np.abs(scan[:, :3]).max() <= 250
