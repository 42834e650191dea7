"""Points moved and projected: identities, hand-worked numbers, gradients, and a wall behind a box."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from depthnet.errors import ShapeError
from depthnet.geometry.camera import depth_to_points, points_to_pixels
from depthnet.geometry.projection import pixel_grid, project_points, rigid_flow, transform_points, visible_points
from depthnet.geometry.se3 import invert_transform, se3_exp

SIZE = (10, 16)
K = np.array([[[20.0, 0, 7.5], [0, 20.0, 4.5], [0, 0, 1]]])
RNG = np.random.default_rng(5)

ArraysOf = Callable[..., list[Any]]


def shift(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Any:
    T = np.eye(4)[None].copy()
    T[0, :3, 3] = x, y, z
    return T


def test_points_go_there_and_back(arrays_of: ArraysOf) -> None:
    points, T = RNG.normal(size=(2, 3, *SIZE)), se3_exp(RNG.normal(size=(2, 6)))
    moved = transform_points(*arrays_of(points, T))
    expected = T[1, :3, :3] @ points[1, :, 3, 4] + T[1, :3, 3]
    np.testing.assert_allclose(np.asarray(moved)[1, :, 3, 4], expected, atol=1e-13)
    back = transform_points(moved, *arrays_of(invert_transform(T)))
    np.testing.assert_allclose(np.asarray(back), points, atol=1e-12)


def test_projection_says_what_is_behind_the_camera(arrays_of: ArraysOf) -> None:
    points = RNG.normal(size=(1, 3, *SIZE))
    points[0, 2, 0, 0] = 0.0
    pixels, in_front = (np.asarray(a) for a in project_points(*arrays_of(points, K)))
    np.testing.assert_array_equal(in_front, points[:, 2:3] > 0)
    expected = points_to_pixels(points, K)
    np.testing.assert_array_equal(pixels, np.nan_to_num(expected, nan=0.0))
    assert not in_front.all()


def test_a_step_to_the_right_moves_every_pixel_left_by_f_x_over_z(arrays_of: ArraysOf) -> None:
    depth = np.full((1, 1, *SIZE), 2.0)
    depth[0, 0, :, 8:] = 4.0
    depth[0, 0, 0, 0] = 0.0
    flow, known, points = (np.asarray(a) for a in rigid_flow(*arrays_of(depth, K, shift(x=-0.1))))
    np.testing.assert_allclose(flow[0, 0, 1:, :8], -20 * 0.1 / 2)
    np.testing.assert_allclose(flow[0, 0, :, 8:], -20 * 0.1 / 4)
    np.testing.assert_allclose(flow[0, 1], 0, atol=1e-14)
    np.testing.assert_array_equal(known, depth > 0)
    np.testing.assert_allclose(points[0, 0, 3, 3], (3 - 7.5) / 20 * 2 - 0.1)


def test_flow_into_another_camera_and_behind_it(arrays_of: ArraysOf) -> None:
    depth = np.ones((1, 1, *SIZE))
    twice = K * np.array([[2.0], [2.0], [1.0]])
    depth_a, K_a, T, K_src = arrays_of(depth, K, shift(), twice)
    flow, known, _ = rigid_flow(depth_a, K_a, T, K_src)
    np.testing.assert_allclose(np.asarray(flow), np.asarray(pixel_grid(depth_a)), atol=1e-12)
    assert bool(known.all())
    flow, known, _ = rigid_flow(depth_a, K_a, *arrays_of(shift(z=-1.5)))
    assert not bool(known.any())
    assert not bool((flow != 0).any())


def test_the_grid_projects_to_itself() -> None:
    depth = RNG.uniform(1, 5, (1, 1, *SIZE))
    np.testing.assert_allclose(points_to_pixels(depth_to_points(depth, K), K), pixel_grid(depth), atol=1e-12)


def test_a_wall_is_hidden_behind_a_box_and_by_nothing_else(arrays_of: ArraysOf) -> None:
    # A box at 1 m before a wall at 4 m; the source camera stands 0.4 m to the right.
    depth = np.full((1, 1, *SIZE), 4.0)
    depth[0, 0, 3:7, 8:12] = 1.0
    depth_a, K_a, T = arrays_of(depth, K, shift(x=-0.4))
    flow, known, points = rigid_flow(depth_a, K_a, T)
    seen = np.asarray(visible_points(pixel_grid(depth_a) + flow, points[:, 2:3], known))[0, 0]
    # The box moves 8 px to columns 0-3, the wall 2 px: wall columns 2-5 of the box's rows are behind it,
    # columns 0 and 1 of every row have left the picture.
    expected = np.ones(SIZE, bool)
    expected[:, :2] = False
    expected[3:7, 2:6] = False
    np.testing.assert_array_equal(seen, expected)


def test_a_slanted_wall_seen_larger_hides_nothing_of_itself(arrays_of: ArraysOf) -> None:
    x = np.arange(16.0)
    depth = np.tile(3.0 / (1 + 0.03 * x), (10, 1))[None, None]
    depth_a, K_a, T = arrays_of(depth, K, shift(x=0.05, z=-0.9))
    flow, known, points = rigid_flow(depth_a, K_a, T)
    pixels = pixel_grid(depth_a) + flow
    inside = (np.asarray(pixels) > -0.5) & (np.asarray(pixels) < np.array([15.5, 9.5])[None, :, None, None])
    seen = np.asarray(visible_points(pixels, points[:, 2:3], known))
    np.testing.assert_array_equal(seen[0, 0], inside[0].all(axis=0))


def test_each_image_of_a_batch_has_a_buffer_of_its_own_and_its_own_size(arrays_of: ArraysOf) -> None:
    grid = np.concatenate([pixel_grid(np.zeros((1, 1, *SIZE)))] * 2)
    near_far = np.stack([np.full((1, *SIZE), 1.0), np.full((1, *SIZE), 9.0)])
    known = np.ones((2, 1, *SIZE), bool)
    known[0, 0, 2, 3] = False
    seen = np.asarray(visible_points(*arrays_of(grid, near_far, known), size=(5, 8)))
    expected = np.zeros((2, *SIZE), bool)
    expected[:, :5, :8] = True
    expected[0, 2, 3] = False
    np.testing.assert_array_equal(seen[:, 0], expected)


def test_gradients_in_float64_reach_depth_and_motion() -> None:
    torch = pytest.importorskip("torch")
    depth = torch.tensor(RNG.uniform(1, 3, (1, 1, 3, 4)))
    depth[0, 0, 0, 0] = 0.0
    xi = torch.tensor(0.1 * RNG.normal(size=(1, 6)), requires_grad=True)
    K_t = torch.tensor(K)
    known = (depth > 0).double()
    depth.requires_grad_()
    assert torch.autograd.gradcheck(lambda d, x: rigid_flow(d * known, K_t, se3_exp(x))[0], (depth, xi))


def test_nothing_is_nan_where_a_point_is_behind_the_camera() -> None:
    torch = pytest.importorskip("torch")
    points = torch.zeros(1, 3, 2, 2, requires_grad=True)
    pixels, in_front = project_points(points, torch.tensor(K))
    pixels.sum().backward()
    assert not in_front.any()
    assert (points.grad == 0).all()


def test_other_shapes_are_refused() -> None:
    points = np.zeros((2, 3, 4, 4))
    with pytest.raises(ShapeError, match=r"points has shape \(3, 4, 4\); expected \(B, 3, H, W\)"):
        transform_points(points[0], np.eye(4)[None])
    with pytest.raises(ShapeError, match=r"T_tgt_src has shape \(1, 4, 4\); expected \(2, 4, 4\)"):
        transform_points(points, np.eye(4)[None])
    with pytest.raises(ShapeError, match=r"pixels \(2, 2, 4, 4\) and known \(2, 4, 4\)"):
        visible_points(points[:, :2], points[:, :1], np.ones((2, 4, 4), bool))
