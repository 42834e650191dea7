"""Cuts between surfaces: steps are found, planes stay whole, and triangles join what belongs together."""

from __future__ import annotations

import math

import numpy as np
import pytest

from depthnet.errors import ShapeError
from depthnet.geometry.surface import GRAZING_DEG, REACH_DEG, depth_to_surface

K = np.array([[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]])
RAYS = np.stack(np.meshgrid((np.arange(64) - 31.5) / 60, (np.arange(48) - 23.5) / 60), axis=-1)


def plane(normal: tuple[float, float, float], distance: float) -> np.ndarray:
    """z-depth of the plane n . p = distance; infinite where no ray meets it."""
    facing = RAYS @ normal[:2] + normal[2]
    return np.where(facing > 1e-9, distance / np.where(facing > 1e-9, facing, 1), np.inf)


def ramp(width: int) -> np.ndarray:
    """1 m on the left, 3 m on the right, and a linear ramp of ``width`` pixels between."""
    x = np.arange(64)
    row = np.interp(x, (30.5 - width / 2, 30.5 + width / 2), (1.0, 3.0)) if width else np.where(x < 31, 1.0, 3.0)
    return np.tile(row, (48, 1))


@pytest.mark.parametrize("width", [0, 2, 3, 5])
@pytest.mark.parametrize("turned", [False, True])
def test_a_step_leaves_no_point_between_the_surfaces(width: int, turned: bool) -> None:
    depth, camera = ramp(width), K
    if turned:  # the step runs along a row, and the near side is below
        depth, camera = depth.T[::-1], K[[1, 0, 2]][:, [1, 0, 2]]
    surface = depth_to_surface(depth, camera)
    z = surface.points[surface.solid][:, 2]
    assert np.isin(z, (1.0, 3.0)).all()
    assert surface.solid[np.isin(depth, (1.0, 3.0))].all(), "the surfaces keep all their pixels, to the edge"
    span = np.ptp(surface.points[..., 2].ravel()[surface.faces()], axis=1)
    assert (span == 0).all(), "no triangle joins them"


def test_of_an_oblique_step_only_what_is_next_to_a_surface_stays() -> None:
    y, x = np.mgrid[:48, :64]
    depth = np.interp(x + 0.3 * y - 40, (-2, 2), (1.0, 3.0))
    kept = depth[depth_to_surface(depth, K).solid]
    one_step = kept / 60 / math.tan(math.radians(GRAZING_DEG))  # as far as a surface seen at the limit goes in a pixel
    assert (np.minimum(kept - 1, 3 - kept) < one_step).all()
    assert kept.size > 0.93 * depth.size


@pytest.mark.parametrize("normal", [(0, 0, 1), (1, 0, 1), (1, 0, 0.2), (0, 1, 0), (0, -1, 0.05)])
def test_a_plane_loses_nothing_however_slanted(normal: tuple[float, float, float]) -> None:
    depth = plane(normal, 1.5)
    depth[depth > 80] = 0
    surface = depth_to_surface(depth, K)
    np.testing.assert_array_equal(surface.solid, depth > 0)
    known = depth > 0
    whole = known[:-1, :-1] & known[:-1, 1:] & known[1:, :-1] & known[1:, 1:]
    assert len(surface.faces()) >= 2 * whole.sum(), "and no hole is cut into it"


def test_where_a_surface_cannot_be_followed_is_beside_the_border_alone() -> None:
    depth = plane((0.3, 1, 0), 1.5)
    depth[depth > 80] = 0
    lost = (depth > 0) & ~depth_to_surface(depth, K).solid
    reach = round(math.radians(REACH_DEG) * 60)
    assert not lost[:, : -2 * reach].any()
    assert lost.sum() < 10


def test_the_angle_decides_between_surface_and_gap() -> None:
    """A flight of surfaces narrower than the reach: seen at 12 degrees they are surfaces, at 8 gaps."""
    for degrees, flies in ((GRAZING_DEG + 2, False), (GRAZING_DEG - 2, True)):
        angles = np.arctan((np.arange(64) - 31.5) / 60)
        inside = np.clip(angles, -math.radians(1.6), math.radians(1.6))
        log_range = inside / math.tan(math.radians(degrees))  # a logarithmic spiral meets all its rays at one angle
        row = np.exp(log_range) * np.cos(angles)
        camera = K.copy()
        camera[1, 2] = 0
        surface = depth_to_surface(row[None], camera)
        assert surface.cut_x.any() == flies
        assert (~surface.solid).any() == flies


def test_a_thin_pole_stays() -> None:
    depth = np.full((48, 64), 3.0)
    depth[:, 30] = 1.0
    surface = depth_to_surface(depth, K)
    assert surface.solid.all()
    assert surface.cut_x[:, [29, 30]].all()
    assert surface.cut_x.sum() == 2 * 48


def test_unit_focal_length_and_size_change_nothing() -> None:
    depth = ramp(4)
    solid = depth_to_surface(depth, K).solid
    np.testing.assert_array_equal(depth_to_surface(1000 * depth, K).solid, solid)
    fine = np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]])
    row = np.interp((np.arange(640) + 0.5) / 10 - 0.5, np.arange(64), depth[0])
    large = depth_to_surface(np.tile(row, (480, 1)), fine).solid[5::10, 5::10]
    assert (large == solid).mean() > 0.98


def test_unknown_pixels_have_no_points_and_no_triangles() -> None:
    depth = np.full((4, 5), 2.0)
    depth[1, 2], depth[3, 4], depth[0, 0] = 0, np.nan, np.inf
    surface = depth_to_surface(depth, K)
    assert surface.solid.sum() == 17
    assert np.isfinite(surface.points).all()
    faces = surface.faces()
    assert not np.isin(faces, (0, 7, 19)).any()
    assert len(faces) == 24 - 6 - 1 - 1, "six triangles meet in (1, 2), one in each of the two corners"


def test_triangles_face_the_camera() -> None:
    surface = depth_to_surface(np.full((3, 4), 2.0), K)
    a, b, c = np.moveaxis(surface.points.reshape(-1, 3)[surface.faces()], 1, 0)
    normals = np.cross(b - a, c - a)
    assert len(normals) == 12
    assert (normals[:, 2] < 0).all(), "counter-clockwise as seen from the origin"
    assert np.linalg.norm(normals, axis=1).sum() / 2 == pytest.approx((3 / 30) * (2 / 30), rel=1e-5), (
        "area of 3 x 2 cells"
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (6, 1), (2, 2)])
def test_small_maps(size: tuple[int, int]) -> None:
    surface = depth_to_surface(np.full(size, 2.0), K)
    assert surface.solid.all()
    assert len(surface.faces()) == 2 * (size[0] - 1) * (size[1] - 1)


def test_shapes_are_checked() -> None:
    with pytest.raises(ShapeError, match=r"expected \(H, W\) and \(3, 3\)"):
        depth_to_surface(np.ones((1, 4, 4)), K)
