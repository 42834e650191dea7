"""Mode toolbox against a second, plain statement of the published steps (FACTS 2.2, 2.3, 2.5, 2.6), pixel by pixel."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthnet.prepare.nyu_raw.files import decode_colour, decode_disparity
from depthnet.prepare.nyu_raw.toolbox import project_depth_map

# fx fy cx cy k1 k2 p1 p2 k3
RGB = (518.85790117450188, 519.46961112127485, 325.58244941119034, 253.73616633400465, 0.20796615318809061,
       -0.58613825163911781, 0.00072231363135888329, 0.0010479627195765181, 0.49856986684705107)  # fmt: skip
IR = (582.62448167737955, 582.69103270988637, 313.04475870804731, 238.44389626620386, -0.099897236553084481,
      0.39065324602765344, 0.0019290592870229277, -0.0019422022475975055, -0.51031725053400578)  # fmt: skip
NUMBERS = [0.99997798940829263, 0.0050518419386157446, 0.0043011152014118693, -0.0050359919480810989,
           0.99998051861143999, -0.0036879781309514218, -0.0043196624923060242, 0.0036662365748484798,
           0.99998394948385538]  # fmt: skip
T_X, T_Z, T_Y = 0.025031875059141302, -0.00029342312935846411, 0.00066238747008330102

Corners = list[tuple[int, int, int, float, float]]


def corners(camera: tuple[float, ...], height: int, width: int) -> Corners:
    """For each pixel whose source lies in the picture: its flat index, source row and column, and both fractions."""
    fx, fy, cx, cy, k1, k2, p1, p2, k3 = camera
    found = []
    for row in range(height):
        for column in range(width):
            x, y = (column - cx) / fx, (row - cy) / fy
            r2 = x**2 + y**2
            radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
            source_x = fx * (x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2)) + cx
            source_y = fy * (y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y) + cy
            x0, y0 = math.floor(source_x), math.floor(source_y)
            if 0 <= x0 <= width - 2 and 0 <= y0 <= height - 2:
                found.append((row * width + column, y0, x0, source_y - y0, source_x - x0))
    return found


def undistort(plane: list[list[float]], places: Corners, size: int) -> list[float]:
    result = [255.0] * size
    for index, y, x, down, right in places:
        upper = (1 - right) * plane[y][x] + right * plane[y][x + 1]
        lower = (1 - right) * plane[y + 1][x] + right * plane[y + 1][x + 1]
        result[index] = (1 - down) * upper + down * lower
    return result


def undistort_depth(plane: list[list[float]], noise: list[bool], places: Corners, size: int) -> list[float]:
    result, width = [0.0] * size, len(plane[0])
    for index, y, x, down, right in places:
        weight_sum = value_sum = 0.0
        for r, c, weight in ((y, x, (1 - down) * (1 - right)), (y, x + 1, (1 - down) * right),
                             (y + 1, x, down * (1 - right)), (y + 1, x + 1, down * right)):  # fmt: skip
            if not noise[r * width + c]:
                weight_sum += weight
                value_sum += weight * plane[r][c]
        result[index] = value_sum / weight_sum if weight_sum > 0 else 0.0
    return result


def restated(disparity: np.ndarray[Any, Any], image: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    height, width = disparity.shape
    size = height * width
    places = corners(RGB, height, width)
    straight = np.empty((height, width, 3), np.uint8)
    for channel in range(3):
        plane = undistort(image[..., channel].astype(float).tolist(), places, size)
        straight[..., channel] = np.array([math.floor(value + 0.5) for value in plane]).reshape(height, width)

    places = corners(IR, height, width)
    largest = int(disparity.max())
    mask = undistort((255.0 * (disparity == largest)).tolist(), places, size)
    noise = [value > 0 for value in mask]
    counts = undistort_depth(disparity.astype(float).tolist(), noise, places, size)

    R = np.linalg.inv((-np.array(NUMBERS)).reshape(3, 3, order="F").T).tolist()
    landed = []
    for index, count in enumerate(counts):
        if count < 600 or noise[index]:
            count = 2047.0
        z = 351.3 / (1092.5 - count) if count != 1092.5 else math.inf
        z = max(min(z, 10.0), 0.0)
        column, row = index % width + 1, index // width + 1
        point = ((column - IR[2]) * z / IR[0], (row - IR[3]) * z / IR[1], z)
        X, Y, Z = (R[i][0] * point[0] + R[i][1] * point[1] + R[i][2] * point[2] + (T_X, T_Z, T_Y)[i] for i in range(3))
        x, y = (X * RGB[0]) / Z + RGB[2], (Y * RGB[1]) / Z + RGB[3]
        if x > 0 and y > 0:
            x, y = math.floor(x + 0.5), math.floor(y + 0.5)
            if 0 < x < width and 0 < y < height:
                landed.append((z, x, y))
    depth = np.zeros((height, width))
    for z, x, y in sorted(landed, key=lambda hit: -hit[0]):
        depth[y - 1, x - 1] = z
    return depth, straight


def assert_same(disparity: np.ndarray[Any, Any], image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    depth, straight = project_depth_map(disparity, image)
    expected_depth, expected_straight = restated(disparity, image)
    assert np.array_equal(straight, expected_straight)
    assert np.array_equal(depth > 0, expected_depth > 0)
    assert np.abs(depth - expected_depth).max() < 1e-11
    return depth


def real_pair(shared_data: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    sample = shared_data / "nyu_raw_sample"
    return (
        decode_disparity((sample / "d-sample.pgm").read_bytes(), "d-sample.pgm"),
        decode_colour((sample / "r-sample.ppm").read_bytes(), "r-sample.ppm"),
    )


@pytest.mark.parametrize("seed", range(3))
def test_every_pixel_of_a_small_frame_of_noise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = (70, 96)
    disparity = rng.integers(560, 1100, size).astype(np.uint16)
    disparity[rng.random(size) < 0.15] = 2047
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    depth = assert_same(disparity, image)
    assert 0.05 < (depth > 0).mean() < 0.95
    assert (depth == 10.0).any()


def test_every_pixel_of_a_frame_whose_largest_value_is_a_measurement() -> None:
    disparity = np.add.outer(np.arange(64), np.arange(80)).astype(np.uint16) + np.uint16(700)
    image = np.full((64, 80, 3), 77, np.uint8)
    assert_same(disparity, image)
    # The farthest pixel of a smooth slope counts as noise, with all that are interpolated from it.
    farthest, _ = project_depth_map(disparity, image)
    assert farthest.max() < 351.3 / (1092.5 - disparity.max())


def test_every_pixel_of_a_part_of_a_real_frame(shared_data: Path) -> None:
    disparity, image = real_pair(shared_data)
    part = (slice(180, 340), slice(40, 240))
    depth = assert_same(disparity[part], image[part])
    assert 0.5 < (depth > 0).mean() < 0.9


@pytest.mark.slow
def test_every_pixel_of_a_real_frame(shared_data: Path) -> None:
    depth = assert_same(*real_pair(shared_data))
    assert (depth > 0).mean() == pytest.approx(0.73, abs=0.01)


def test_the_last_row_and_column_stay_empty_and_the_border_is_white() -> None:
    depth, straight = project_depth_map(np.full((480, 640), 900, np.uint16) - np.eye(480, 640, dtype=np.uint16),
                                        np.full((480, 640, 3), 10, np.uint8))  # fmt: skip
    assert not depth[-1].any()
    assert not depth[:, -1].any()
    assert (straight[0, 0] == 255).all()
    assert (straight[240, 320] == 10).all()


def test_what_is_nearer_than_600_counts_is_dropped() -> None:
    disparity = np.full((480, 640), 599, np.uint16)
    disparity[0, 0] = 2047
    depth, _ = project_depth_map(disparity, np.zeros((480, 640, 3), np.uint8))
    assert not depth.any()
