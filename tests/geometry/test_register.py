"""Registration of depth to another camera: identities, hand-worked pixels and a plain re-statement."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from depthnet.errors import ShapeError
from depthnet.geometry.register import register_depth
from depthnet.geometry.se3 import pose_from_quat_xyzw

K = np.array([[20.0, 0.0, 7.5], [0.0, 20.0, 5.5], [0.0, 0.0, 1.0]])
SIZE = (12, 16)


def shifted(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> NDArray[np.float64]:
    T = np.eye(4)
    T[:3, 3] = x, y, z
    return T


def test_the_same_camera_gives_the_same_depth_bit_by_bit() -> None:
    depth = np.random.default_rng(0).uniform(0.5, 9.0, SIZE).astype(np.float32)
    depth[3, 2:9] = 0.0
    np.testing.assert_array_equal(register_depth(depth, K, K, np.eye(4), SIZE), depth)


def test_a_sideways_camera_moves_near_things_further_and_the_nearest_wins() -> None:
    depth = np.zeros(SIZE, np.float32)
    depth[4, 6], depth[4, 10], depth[4, 12] = 1.0, 2.0, 4.0
    # f t / z = 20 * 0.2 / z pixels: 4, 2 and 1; the pixel at column 10 is taken twice.
    registered = register_depth(depth, K, K, shifted(x=0.2), SIZE)
    expected = np.zeros(SIZE, np.float32)
    expected[4, 10], expected[4, 12], expected[4, 13] = 1.0, 2.0, 4.0
    np.testing.assert_array_equal(registered, expected)
    depth[4, 8] = 2.0  # lands on column 10 behind the near one
    np.testing.assert_array_equal(register_depth(depth, K, K, shifted(x=0.2), SIZE), expected)


def test_depth_is_measured_from_the_colour_camera() -> None:
    depth = np.full(SIZE, 2.0, np.float32)
    registered = register_depth(depth, K, K, shifted(z=0.5), SIZE)
    assert set(np.unique(registered)) == {0.0, 2.5}
    assert (register_depth(depth, K, K, shifted(z=-2.0), SIZE) == 0).all(), "what is not in front is not seen"


@pytest.mark.parametrize("scale", [0.5, 0.9, 1.3, 2.0, 2.05, 3.7])
def test_a_wall_has_no_holes_at_any_size(scale: float) -> None:
    size = (round(SIZE[0] * scale), round(SIZE[1] * scale))
    K_colour = np.array([[20.0 * scale, 0, 8 * scale - 0.5], [0, 20.0 * scale, 6 * scale - 0.5], [0, 0, 1]])
    registered = register_depth(np.full(SIZE, 3.0, np.float32), K, K_colour, np.eye(4), size)
    np.testing.assert_array_equal(registered, np.full(size, 3.0, np.float32))


@pytest.mark.parametrize("scale", [0.9, 1.0, 2.0, 2.05])
@pytest.mark.parametrize("slope", [-0.4, 0.4])
def test_a_slanted_wall_has_no_holes_either(scale: float, slope: float) -> None:
    # z = 3 / (1 + slope X / Z): the disparity changes along the row by less than a tenth of a pixel per pixel.
    ray = (np.arange(SIZE[1]) - 7.5) / 20.0
    depth = np.broadcast_to(3.0 / (1.0 + slope * ray), SIZE).astype(np.float32)
    K_colour = np.array([[20.0 * scale, 0, 8 * scale - 0.5], [0, 20.0 * scale, 6 * scale - 0.5], [0, 0, 1]])
    size = (round(SIZE[0] * scale), round(SIZE[1] * scale))
    registered = register_depth(depth, K, K_colour, shifted(x=0.4), size)
    columns = np.flatnonzero((registered > 0).any(axis=0))
    seen = registered[:, columns[0] : columns[-1] + 1]
    assert seen.shape[1] > 0.7 * size[1]
    assert (seen > 0).all()


def test_what_the_depth_camera_did_not_see_stays_unknown() -> None:
    depth = np.full(SIZE, 4.0, np.float32)
    depth[:, 8:] = 1.0
    registered = register_depth(depth, K, K, shifted(x=-0.2), SIZE)
    # The near half moves 4 pixels to the left, the far one 1: nothing is known of columns 12 to 15.
    np.testing.assert_array_equal(registered[5], [4.0] * 4 + [1.0] * 8 + [0.0] * 4)
    apart = register_depth(depth, K, K, shifted(x=0.2), SIZE)
    np.testing.assert_array_equal(apart[5], [0.0] + [4.0] * 8 + [0.0] * 3 + [1.0] * 4)


def plain(depth: NDArray[np.float32], K_depth: NDArray[np.float64], K_colour: NDArray[np.float64],
          T: NDArray[np.float64], size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:  # fmt: skip
    """Pixel after pixel in double precision; also where a footprint ends within rounding of a pixel's centre."""
    out, unsure = np.full(size, np.inf), np.zeros(size, np.bool_)
    half = [max(1.0, 1.1 * K_colour[i, i] / K_depth[i, i]) / 2 for i in (0, 1)]
    for y, x in zip(*np.nonzero(depth)):
        point = T[:3, :3] @ (np.linalg.inv(K_depth) @ [x, y, 1.0] * float(depth[y, x])) + T[:3, 3]
        if point[2] <= 1e-3:
            continue
        u, v, _ = K_colour @ point / point[2]
        for row in range(max(0, math.ceil(v - half[1] - 1)), min(size[0], math.ceil(v + half[1] + 1))):
            for column in range(max(0, math.ceil(u - half[0] - 1)), min(size[1], math.ceil(u + half[0] + 1))):
                margin = max(abs(column - u) - half[0], abs(row - v) - half[1])
                if abs(margin) < 1e-3:
                    unsure[row, column] = True
                elif margin < 0:
                    out[row, column] = min(out[row, column], point[2])
    return np.where(np.isinf(out), 0.0, out), unsure


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**31),
    st.tuples(*[st.floats(-0.3, 0.3)] * 3),
    st.tuples(*[st.floats(-0.2, 0.2)] * 3),
    st.floats(0.4, 3.2),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
def test_it_does_what_a_plain_loop_does(
    seed: int, translation: tuple[float, ...], axis: tuple[float, ...], zoom: float, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(seed)
    depth = (rng.uniform(0.8, 5.0, (6, 9)) * (rng.random((6, 9)) < 0.8)).astype(np.float32)
    T = pose_from_quat_xyzw(np.array(translation), np.array([*axis, 1.0]))
    K_depth = np.array([[9.0, 0, 4.2], [0, 8.0, 2.4], [0, 0, 1]])
    K_colour = np.array([[9.0 * zoom, 0.3, size[1] / 2], [0, 9.0 * zoom, size[0] / 2], [0, 0, 1]])
    expected, unsure = plain(depth, K_depth, K_colour, T, size)
    registered = register_depth(depth, K_depth, K_colour, T, size)
    assert registered.dtype == np.float32
    assert registered.shape == size
    np.testing.assert_allclose(registered[~unsure], expected[~unsure], rtol=1e-4)


def test_points_far_outside_and_an_empty_map_do_no_harm() -> None:
    grazing = np.array([[1, 0, 0, 1e6], [0, 1, 0, -1e6], [0, 0, 1, -0.9999999], [0, 0, 0, 1]])
    assert (register_depth(np.ones(SIZE, np.float32), K, K, grazing, SIZE) == 0).all()
    assert (register_depth(np.zeros(SIZE, np.float32), K, K, np.eye(4), (3, 4)) == np.zeros((3, 4))).all()


def test_other_shapes_are_refused() -> None:
    depth = np.ones(SIZE, np.float32)
    with pytest.raises(ShapeError, match=r"depth has shape \(1, 12, 16\); expected \(H, W\)"):
        register_depth(depth[None], K, K, np.eye(4), SIZE)
    with pytest.raises(ShapeError, match=r"K_colour has shape \(4, 4\); expected \(3, 3\)"):
        register_depth(depth, K, np.eye(4), np.eye(4), SIZE)
    with pytest.raises(ShapeError, match=r"T_colour_depth has shape \(3, 4\)"):
        register_depth(depth, K, K, np.eye(4)[:3], SIZE)
    with pytest.raises(ShapeError, match="both at least 1"):
        register_depth(depth, K, K, np.eye(4), (0, 4))
