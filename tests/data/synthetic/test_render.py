"""Pictures of scenes whose depth and light can be worked out by hand."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from simple_scenes import GREY, camera, clutter, intrinsics, pack

from depthnet.data.synthetic import lamp, render, render_depth
from depthnet.data.synthetic.render import pixel_rays
from depthnet.data.synthetic.scene import Light
from depthnet.data.synthetic.shapes import box, cylinder, ellipsoid
from depthnet.data.synthetic.textures import PLAIN, Material
from depthnet.errors import ShapeError
from depthnet.geometry.camera import depth_to_points

SIZE = (33, 41)
K = intrinsics(40.0, 20.0, 16.0)  # the principal point is the centre of pixel (20, 16)


def test_a_wall_has_one_depth_however_oblique_the_ray() -> None:
    """z-depth, not the length of the ray: the wall at y = 5 is 7 m from a camera at y = -2 in every pixel."""
    depth = render_depth(pack(()), intrinsics(60.0, 20.0, 16.0), camera(0, -2, 2), SIZE)
    np.testing.assert_allclose(depth, 7.0, rtol=1e-6)


def test_the_floor_by_similar_triangles() -> None:
    """A row y of the picture sees the floor, h below, at depth f·h / (y - cy)."""
    depth = render_depth(pack(()), K, camera(0, -2, 1.0), SIZE)
    for row in (24, 28, 32):
        np.testing.assert_allclose(depth[row], 40.0 * 1.0 / (row - 16), rtol=1e-6)


def test_a_box_in_front_of_a_wall_covers_the_pixels_it_should() -> None:
    """1 m wide at 2 m with f = 40: 20 pixels, from x = 10 to x = 30 around the centre of pixel 20."""
    depth = render_depth(pack((box((0, 2.5, 2), (1.0, 1.0, 0.6), 0),)), K, camera(0, 0, 2), SIZE)
    on_box = depth[16] < 3.0
    np.testing.assert_array_equal(np.flatnonzero(on_box), np.arange(10, 31))
    np.testing.assert_allclose(depth[16, on_box], 2.0, rtol=1e-6)
    np.testing.assert_array_equal(np.flatnonzero(depth[:, 20] < 3.0), np.arange(10, 23))


def test_a_sphere() -> None:
    """Radius 0.5 at 2 m: nearest point at 1.5; at x = f/10 the ray (0.1, 0, 1) solves a quadratic."""
    depth = render_depth(pack((ellipsoid((0, 2, 2), (0.5,) * 3, 0),)), K, camera(0, 0, 2), SIZE)
    assert depth[16, 20] == pytest.approx(1.5, rel=1e-6)
    a, b, c = 1.01, -2 * 2.0, 4.0 - 0.25  # |t (0.1, 0, 1) - (0, 0, 2)|² = 0.25
    assert depth[16, 24] == pytest.approx((-b - math.sqrt(b * b - 4 * a * c)) / (2 * a), rel=1e-6)
    assert depth[16, 31] == pytest.approx(5.0, rel=1e-6)  # 11 / 40 > tan(asin(0.25)): past it, the wall


def test_a_cylinder_stands_upright() -> None:
    depth = render_depth(pack((cylinder((0, 2, 0), 0.5, 3.0, 0),)), K, camera(0, 0, 2), SIZE)
    np.testing.assert_allclose(depth[4:29, 20], 1.5, rtol=1e-6)  # the same depth all the way up


def test_pixel_rays_are_those_of_the_intrinsics() -> None:
    skewed = np.array([[50.0, 2.0, 10.3], [0, 45.0, 7.7], [0, 0, 1]])
    x, y = np.meshgrid(np.arange(5.0), np.arange(4.0))
    ray = pixel_rays(skewed, np.eye(4), x, y)
    for column, row in ((0, 0), (4, 3), (2, 1)):
        np.testing.assert_allclose(ray[:, row, column], np.linalg.inv(skewed) @ (column, row, 1.0), rtol=1e-12)


def test_depth_lifts_to_the_surface_with_depthnets_own_camera() -> None:
    """The points of `depth_to_points`, moved to the world, lie on the sphere, on the floor or on the walls."""
    T = camera(0.3, -1, 1.6)
    centre = np.array([0.2, 2, 1.4])
    rendered = render(pack((ellipsoid(centre, (0.6,) * 3, 0),)), K, T, SIZE)
    points = depth_to_points(rendered.depth[None, None].astype(np.float64), K[None])[0].reshape(3, -1)
    world = T[:3, :3] @ points + T[:3, 3:]
    solid = rendered.surface.reshape(-1) >= 0
    np.testing.assert_allclose(np.linalg.norm(world[:, solid] - centre[:, None], axis=0), 0.6, atol=1e-5)
    rest = world[:, ~solid]
    edge = np.stack([rest[0] + 5, 5 - rest[0], rest[1] + 5, 5 - rest[1], rest[2], 4 - rest[2]])
    assert edge.min() > -1e-5
    assert np.abs(edge.min(axis=0)).max() < 1e-5
    assert 20 < solid.sum() < solid.size


def test_a_size_that_is_no_multiple_of_the_bundle() -> None:
    scene, T = pack(clutter(1, 20)), camera(0, -4, 1.5)
    whole = render_depth(scene, K, T, (40, 50))
    part = render_depth(scene, K, T, (11, 7))
    np.testing.assert_array_equal(part, whole[:11, :7])


def test_smooth_edges_change_edges_alone_and_no_depth() -> None:
    scene = pack(
        (box((0, 2.5, 2), (1.0, 1.0, 0.6), 1),), materials=(GREY, Material(PLAIN, ((0.1,) * 3,) * 3, amount=0))
    )
    T = camera(0.013, 0, 2)
    hard, soft = (render(scene, K, T, (32, 48), smooth_edges=one) for one in (False, True))
    np.testing.assert_array_equal(hard.depth, soft.depth)
    changed = np.abs(hard.light - soft.light).max(axis=2) > 1e-6
    assert changed.any()
    for row, column in zip(*np.nonzero(changed), strict=True):
        around = hard.surface[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        assert len(np.unique(around)) > 1


def test_light_falls_with_distance_and_angle() -> None:
    """Below one lamp: power · cos / (d² + 0.04) · albedo, beside the ambient part."""
    down = np.array([[1.0, 0, 0], [0, -1.0, 0], [0, 0, -1.0]])
    scene = pack((), (lamp((0, 0, 3.0), (2.0, 2.0, 2.0), radius=0.0),))
    lit = render(scene, K, camera(0, 0, 2, down), SIZE, shadows=False, shiny=False).light[..., 0]
    ambient = 0.5 * scene.ambient[0]
    assert lit[16, 20] == pytest.approx(0.5 * 2.0 / 9.04 + ambient, rel=1e-5)
    aside = 10 / 40 * 2.0  # metres on the floor
    squared = 9 + aside**2
    assert lit[16, 30] == pytest.approx(0.5 * 2.0 * 3 / math.sqrt(squared) / (squared + 0.04) + ambient, rel=1e-5)


def test_a_window_shines_to_its_front_only() -> None:
    window = Light(
        np.array([0, 4.9, 2.0]), np.ones(3), np.array([0.4, 0, 0]), np.array([0, 0, 0.4]), np.array([0, -1.0, 0])
    )
    scene = pack((), (window,))
    behind = np.array([[-1.0, 0, 0], [0, 0, -1.0], [0, -1.0, 0]])
    opposite = render(scene, K, camera(0, 0, 2, behind), SIZE, shadows=False, shiny=False).light
    own_wall = render(scene, K, camera(0, 0, 2), SIZE, shadows=False, shiny=False).light
    assert opposite[16, 20, 0] == pytest.approx(0.5 * (1 / (9.9**2 + 0.04) + scene.ambient[0] * 0.8), rel=1e-4)
    assert own_wall[16, 20, 0] == pytest.approx(0.5 * scene.ambient[0] * 0.8, rel=1e-4)


def test_a_table_throws_a_soft_shadow() -> None:
    """Full under the middle, none far off, and steps between: 0.4 m of lamp over a board half way up."""
    down = np.array([[1.0, 0, 0], [0, -1.0, 0], [0, 0, -1.0]])
    scene = pack((box((-1.0, 0, 1.75), (2.0, 3.0, 0.02), 0),), (lamp((0, 0, 3.5), (1, 1, 1), radius=0.2),))
    view = intrinsics(80.0, 32.0, 24.0)
    T = camera(0, 0, 1.7, down)  # just under the board, looking at the floor
    bright = render(scene, view, T, (48, 64), shadows=False, shiny=False).light[24, :, 0]
    dark = render(scene, view, T, (48, 64), shiny=False).light[24, :, 0]
    ratio = dark / bright
    direct = ratio[4:60]
    assert direct[0] < 0.55
    assert direct[-1] > 0.95
    assert (np.diff(direct) > -0.02).all()
    assert ((direct > 0.65) & (direct < 0.9)).sum() >= 3


@pytest.mark.parametrize("shadows", [False, True])
def test_torch_renders_the_same_picture(shadows: bool) -> None:
    pytest.importorskip("torch")
    scene, T = pack(clutter(3, 24), dtype=np.float32), camera(0, -4, 1.5)
    one = render(scene, K, T, SIZE, shadows=shadows)
    other = render(scene.on("cpu"), K, T, SIZE, shadows=shadows)
    np.testing.assert_allclose(one.depth, other.depth, rtol=1e-4)
    assert (np.abs(one.light - other.light) < 1e-3).mean() > 0.995  # a ray along an edge may fall on either side


def test_single_precision_is_exact_to_a_tenth_of_a_millimetre() -> None:
    solids, T = clutter(9, 40), camera(0, -4, 1.5)
    single, double = (render_depth(pack(solids, dtype=one), K, T, SIZE) for one in (np.float32, np.float64))
    assert (np.abs(single - double) < 1e-4).mean() > 0.99


@pytest.mark.parametrize("broken", ["K", "pose", "size"])
def test_wrong_shapes_are_refused(broken: str) -> None:
    with pytest.raises(ShapeError, match="expected"):
        render(
            pack(()), K[:2] if broken == "K" else K, np.eye(3) if broken == "pose" else np.eye(4),
            (0, 5) if broken == "size" else (4, 5),
        )  # fmt: skip
