"""Point clouds: an independent reader gets the points and colours back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from depthnet.errors import InputError, ShapeError
from depthnet.io.pointcloud import write_points_glb, write_points_ply

RNG = np.random.default_rng(0)
POINTS = RNG.uniform(-2, 5, (50, 3)).astype(np.float32)
COLOURS = RNG.integers(0, 256, (50, 3), dtype=np.uint8)


def test_ply_bytes(tmp_path: Path) -> None:
    write_points_ply(tmp_path / "a.ply", POINTS[:1], COLOURS[:1])
    header, _, body = (tmp_path / "a.ply").read_bytes().partition(b"end_header\n")
    assert header.startswith(b"ply\nformat binary_little_endian 1.0\n")
    assert b"element vertex 1\n" in header
    assert body == POINTS[0].astype("<f4").tobytes() + COLOURS[0].tobytes()


def test_ply_is_read_by_trimesh_in_camera_axes(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    write_points_ply(tmp_path / "a.ply", POINTS, COLOURS)
    cloud = trimesh.load(tmp_path / "a.ply")
    np.testing.assert_allclose(cloud.vertices, POINTS, rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(cloud.colors)[:, :3], COLOURS)


def test_glb_is_upright(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    write_points_glb(tmp_path / "a.glb", POINTS, COLOURS)
    (cloud,) = trimesh.load(tmp_path / "a.glb").geometry.values()
    np.testing.assert_allclose(cloud.vertices, POINTS * [1, -1, -1], rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(cloud.colors)[:, :3], COLOURS)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ShapeError):
        write_points_ply(tmp_path / "a.ply", POINTS.T, COLOURS)
    with pytest.raises(ShapeError):
        write_points_ply(tmp_path / "a.ply", POINTS, COLOURS.astype(np.float32))
    with pytest.raises(ShapeError):
        write_points_glb(tmp_path / "a.glb", POINTS[:0], COLOURS[:0])
    write_points_ply(tmp_path / "a.ply", POINTS[:0], COLOURS[:0])
    with pytest.raises(InputError, match="exists"):
        write_points_ply(tmp_path / "a.ply", POINTS, COLOURS, overwrite=False)
