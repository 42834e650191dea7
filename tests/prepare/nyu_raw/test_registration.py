from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from depthnet.errors import ShapeError
from depthnet.prepare.nyu_raw.calibration import COLOUR_CAMERA, DEPTH_CAMERA, RAW_SIZE, VALID_REGION, colour_from_depth
from depthnet.prepare.nyu_raw.registration import register_disparity


def empty() -> np.ndarray[Any, Any]:
    return np.full(RAW_SIZE, 2047, np.uint16)


def depth_rays() -> np.ndarray[Any, Any]:
    """Ray (x, y, 1) of each pixel of the depth camera, (480, 640, 3)."""
    row, column = np.mgrid[0:480, 0:640].astype(np.float64)
    camera = DEPTH_CAMERA
    x, y = camera.undistort((column - camera.cx) / camera.fx, (row - camera.cy) / camera.fy)
    return np.stack([x, y, np.ones_like(x)], axis=-1)


def plane_as_recorded(normal: tuple[float, float, float], distance: float) -> np.ndarray[Any, Any]:
    """Disparity of the plane normal · p = distance, given in the colour camera's frame, as the sensor rounds it."""
    T = colour_from_depth()
    rays = depth_rays() @ T[:3, :3].T
    z = (distance - np.dot(normal, T[:3, 3])) / (rays @ np.array(normal))
    return np.rint(1092.5 - 351.3 / z).astype(np.uint16)


def plane_as_seen(normal: tuple[float, float, float], distance: float) -> np.ndarray[Any, Any]:
    """z of the plane at every pixel of the undistorted colour picture."""
    x, y = COLOUR_CAMERA.rays(RAW_SIZE)
    z: np.ndarray[Any, Any] = distance / (normal[0] * x + normal[1] * y + normal[2])
    return z


def test_one_pixel_by_hand() -> None:
    # Depth pixel (x 313, y 238), 800 counts: z = 351.3 / 292.5 = 1.2010256 m. Its ray is (-0.0000768, -0.0007618, 1),
    # so near the centre that the lens does not bend it; the point is (-0.0000923, -0.0009149, 1.2010256).
    # In the colour camera, by transpose(A) p - T, it is (-0.0303076, 0.0037812, 1.2003470), at
    # x = 518.8579 · (-0.0303076) / 1.2003470 + 325.5824 = 312.48,
    # y = 519.4696 · 0.0037812 / 1.2003470 + 253.7362 = 255.37.
    disparity = empty()
    disparity[238, 313] = 800
    depth = register_disparity(disparity)
    assert [tuple(map(int, place)) for place in np.argwhere(depth)] == [(255, 312)]
    assert depth[255, 312] == pytest.approx(1.2003470, abs=3e-7)


def test_one_pixel_at_a_corner_goes_through_the_lens() -> None:
    # The ray that the lens puts on depth pixel (20, 30), projected with z = 351.3 / 92.5 (1000 counts).
    x, y = DEPTH_CAMERA.undistort(
        np.array([(20 - DEPTH_CAMERA.cx) / DEPTH_CAMERA.fx]), np.array([(30 - DEPTH_CAMERA.cy) / DEPTH_CAMERA.fy])
    )
    point = colour_from_depth() @ np.array([x[0] * 351.3 / 92.5, y[0] * 351.3 / 92.5, 351.3 / 92.5, 1.0])
    pixel = COLOUR_CAMERA.K @ point[:3] / point[2]
    disparity = empty()
    disparity[30, 20] = 1000
    depth = register_disparity(disparity)
    assert [tuple(map(int, place)) for place in np.argwhere(depth)] == [(round(pixel[1]), round(pixel[0]))]
    assert depth.max() == pytest.approx(point[2], abs=1e-6)


@pytest.mark.parametrize("distance", [0.8, 2.0, 5.0])
def test_a_wall_that_faces_the_camera_has_its_z_everywhere(distance: float) -> None:
    wall = ((0.0, 0.0, 1.0), distance)
    depth = register_disparity(plane_as_recorded(*wall))
    half_step = distance**2 / 351.3 / 2
    known = depth > 0
    assert np.abs(depth[known] - distance).max() < 1.02 * half_step
    rows, columns = VALID_REGION
    inner = known[rows.start + 8 : rows.stop - 8, columns.start + 12 : columns.stop - 12]
    assert inner.all()


@pytest.mark.parametrize("normal", [(0.5, 0.0, 1.0), (0.0, -0.7, 1.0), (-0.3, 0.3, 1.0)])
def test_a_slanted_plane_has_its_z_within_half_a_step_and_half_a_pixel(normal: tuple[float, float, float]) -> None:
    depth, truth = register_disparity(plane_as_recorded(normal, 2.0)), plane_as_seen(normal, 2.0)
    known = depth > 0
    down, along = np.gradient(truth)
    allowed = 1.05 * truth**2 / 351.3 / 2 + 0.55 * (np.abs(down) + np.abs(along))
    assert known.mean() > 0.6
    assert (np.abs(depth - truth)[known] < allowed[known]).all()


def test_the_nearest_wins_and_what_was_hidden_stays_unknown() -> None:
    # A square at 1 m before a wall at 3 m. The colour camera stands 25 mm aside: the square moves by
    # 518.9 · 0.025 / 1 = 13.0 pixels to the left, the wall by 4.3: a gap of 8.7 pixels opens on its right.
    near, far = round(1092.5 - 351.3 / 1.0), round(1092.5 - 351.3 / 3.0)
    disparity = np.full(RAW_SIZE, far, np.uint16)
    disparity[200:280, 280:360] = near
    depth = register_disparity(disparity)
    square = np.abs(depth - 1.0) < 0.02
    rows, columns = np.nonzero(square)
    inside = (slice(rows.min() + 2, rows.max() - 1), slice(columns.min() + 2, columns.max() - 1))
    assert square[inside].all()
    assert square.sum() == pytest.approx(80 * 80 * (518.858 / 582.624) * (519.470 / 582.691), rel=0.04)
    middle = depth[(rows.min() + rows.max()) // 2]
    gap = np.flatnonzero(middle[columns.max() + 1 : columns.max() + 30] > 0)[0]
    assert gap in (8, 9)
    assert middle[columns.min() - 2] == pytest.approx(3.0, abs=0.03)


def test_a_frame_of_noise_pixel_by_pixel() -> None:
    rng = np.random.default_rng(5)
    disparity = empty()
    disparity[300:345, 90:150] = rng.integers(500, 1058, (45, 60))
    rays, T, K = depth_rays(), colour_from_depth(), COLOUR_CAMERA.K
    expected = np.zeros(RAW_SIZE)
    hits = 0
    for row, column in np.argwhere(disparity < 2047):
        x, y, _ = rays[row, column]
        z = 351.3 / (1092.5 - int(disparity[row, column]))
        point = (T @ [x * z, y * z, z, 1.0])[:3]
        u, v, w = K @ point
        place = round(v / w), round(u / w)
        hits += expected[place] > 0
        if expected[place] == 0 or point[2] < expected[place]:
            expected[place] = point[2]
    assert hits > 500  # many pixels land on one that is taken
    assert np.abs(register_disparity(disparity) - expected).max() < 2e-6


@pytest.mark.parametrize(("counts", "known"), [(2047, False), (1093, False), (1092, False), (1058, False), (1057, True),
                                               (300, True), (200, False), (0, False)])  # fmt: skip
def test_only_what_the_sensor_can_measure_is_known(counts: int, known: bool) -> None:
    assert register_disparity(np.full(RAW_SIZE, counts, np.uint16)).any() == known


def test_the_range_is_an_option() -> None:
    disparity = np.full(RAW_SIZE, 900, np.uint16)  # 1.825 m
    assert register_disparity(disparity, max_depth=1.82).max() == 0.0
    assert register_disparity(disparity, min_depth=1.83).max() == 0.0
    assert register_disparity(disparity, 1.82, 1.83).any()


def test_another_size_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(240, 320\)"):
        register_disparity(np.zeros((240, 320), np.uint16))
