from __future__ import annotations

import numpy as np
import pytest

from depthnet.data.nyu.frames import NYU_CAMERA, NYU_SIZE
from depthnet.prepare.nyu_raw.calibration import (
    COLOUR_CAMERA,
    DEPTH_CAMERA,
    RAW_SIZE,
    VALID_REGION,
    LensCamera,
    colour_from_depth,
    disparity_to_metres,
    toolbox_transform,
)

PLAIN = LensCamera(fx=500.0, fy=400.0, cx=30.0, cy=20.0, k1=0.0, k2=0.0, p1=0.0, p2=0.0, k3=0.0)


def test_the_colour_camera_is_that_of_the_labelled_set() -> None:
    assert RAW_SIZE == NYU_SIZE
    assert np.diag(COLOUR_CAMERA.K)[:2] == pytest.approx(NYU_CAMERA[:2], abs=5e-5)
    assert COLOUR_CAMERA.K[:2, 2] == pytest.approx(NYU_CAMERA[2:], abs=5e-5)


def test_the_valid_region_has_the_published_size() -> None:
    rows, columns = VALID_REGION
    assert np.zeros(RAW_SIZE)[rows, columns].shape == (427, 561)


@pytest.mark.parametrize(
    ("counts", "metres"),
    [(400, 0.50729), (600, 0.71330), (800, 1.20103), (900, 1.82494), (1000, 3.79784), (1050, 8.26588), (1057, 9.89577)],
)
def test_disparity_in_metres(counts: int, metres: float) -> None:
    assert disparity_to_metres(np.array([counts], np.uint16))[0] == pytest.approx(metres, abs=5e-6)


def test_disparity_beyond_infinity_is_negative() -> None:
    assert (disparity_to_metres(np.array([1093, 2047])) < 0).all()
    assert np.isinf(disparity_to_metres(np.array([1092.5]))).all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # ray (0.2, 0.1): r² = 0.05; 1 + 0.05 k1 + 0.0025 k2 + 0.000125 k3 is the radial factor
        ("k1", (0.2 * 1.05, 0.1 * 1.05)),
        ("k2", (0.2 * 1.0025, 0.1 * 1.0025)),
        ("k3", (0.2 * 1.000125, 0.1 * 1.000125)),
        # p1: x + 2xy, y + r² + 2y²;  p2: x + r² + 2x², y + 2xy
        ("p1", (0.2 + 0.04, 0.1 + 0.05 + 0.02)),
        ("p2", (0.2 + 0.05 + 0.08, 0.1 + 0.04)),
    ],
)
def test_each_term_of_the_lens_by_hand(name: str, expected: tuple[float, float]) -> None:
    camera = LensCamera(**{**PLAIN.__dict__, name: 1.0})
    x, y = camera.distort(np.array([0.2]), np.array([0.1]))
    assert (x[0], y[0]) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("camera", [DEPTH_CAMERA, COLOUR_CAMERA])
def test_undistort_inverts_distort_over_the_whole_picture(camera: LensCamera) -> None:
    row, column = np.mgrid[0:480:7, 0:640:7].astype(np.float64)
    x, y = (column - camera.cx) / camera.fx, (row - camera.cy) / camera.fy
    back = camera.distort(*camera.undistort(x, y))
    assert np.abs(back[0] - x).max() * camera.fx < 1e-6
    assert np.abs(back[1] - y).max() * camera.fy < 1e-6


def test_rays_go_through_pixel_centres_counted_from_0() -> None:
    x, y = PLAIN.rays((41, 61))
    assert (x.shape, y.shape) == ((1, 61), (41, 1))
    assert (x[0, 30], y[20, 0], x[0, 55], y[0, 0]) == (0.0, 0.0, 0.05, -0.05)


def test_the_motion_between_the_cameras_is_rigid_and_2_5_cm() -> None:
    T = colour_from_depth()
    assert T[:3, :3] @ T[:3, :3].T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(T[:3, :3]) == pytest.approx(1.0)
    assert T[:3, 3] == pytest.approx([-0.02503188, 0.00029342, -0.00066239], abs=5e-9)


def test_the_toolbox_has_the_opposite_of_it() -> None:
    R, translation = toolbox_transform()
    printed = [
        [-0.99997799, 0.00503599, 0.00431966],
        [-0.00505184, -0.99998052, -0.00366624],
        [-0.00430112, 0.00368798, -0.99998395],
    ]
    assert np.abs(R - printed).max() < 6e-9
    point, T = np.array([0.3, -0.2, 2.0]), colour_from_depth()
    assert R @ point + translation == pytest.approx(-(T[:3, :3] @ point + T[:3, 3]), abs=1e-15)
