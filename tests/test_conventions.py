"""DESIGN.md §3, the conventions of cameras, pixels and units, each pinned by a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthnet.checkpoint import ModelInfo
from depthnet.geometry.camera import (
    crop_intrinsics,
    depth_for_camera,
    depth_to_points,
    flip_intrinsics,
    points_to_pixels,
    scale_intrinsics,
)
from depthnet.io.depth import read_depth_png, write_depth_png
from depthnet.predictor import DepthModel, network_input, resize_depth
from depthnet.predictor.runtime import Runtime

K = np.array([[[100.0, 0, 15.5], [0, 100.0, 11.5], [0, 0, 1]]])


def test_axes_are_x_right_y_down_z_forward() -> None:
    points = depth_to_points(np.full((1, 1, 24, 32), 2.0), K)
    assert points[0, 0, 0, 31] > 0 > points[0, 0, 0, 0], "x grows to the right"
    assert points[0, 1, 23, 0] > 0 > points[0, 1, 0, 0], "y grows downwards"
    assert (points[0, 2] == 2.0).all(), "depth is z, not the distance from the camera"


def test_the_centre_of_the_top_left_pixel_is_0_0() -> None:
    principal = depth_to_points(np.ones((1, 1, 1, 1)), np.array([[[100.0, 0, 0], [0, 100.0, 0], [0, 0, 1]]]))
    np.testing.assert_array_equal(principal[0, :, 0, 0], [0, 0, 1])


def test_sizes_are_h_w_and_pixels_are_x_y() -> None:
    pixels = points_to_pixels(depth_to_points(np.ones((1, 1, 24, 32)), K), K)
    assert pixels.shape == (1, 2, 24, 32)
    np.testing.assert_allclose(pixels[0, :, 5, 30], [30, 5])


def test_k_of_a_resized_image_projects_to_the_resized_pixels() -> None:
    resized = scale_intrinsics(K, 0.5, 0.25)
    point = np.array([0.3, -0.2, 2.0]).reshape(1, 3, 1, 1)
    x, y = points_to_pixels(point, K)[0, :, 0, 0]
    np.testing.assert_allclose(
        points_to_pixels(point, resized)[0, :, 0, 0], [(x + 0.5) * 0.25 - 0.5, (y + 0.5) * 0.5 - 0.5]
    )


def test_the_resizes_of_prediction_follow_the_pixel_centre_rule() -> None:
    ramp = np.tile(np.arange(0, 64, dtype=np.uint8)[None, :, None] * 4, (48, 1, 3))
    half = network_input(ramp, (24, 32))[0, 0, 0] * 255
    x = np.arange(32)
    np.testing.assert_allclose(half, 4 * ((x + 0.5) * 2 - 0.5), atol=0.51)
    back = resize_depth(half[None].repeat(24, axis=0).astype(np.float32), (48, 64))[10]
    np.testing.assert_allclose(back[2:-2], ramp[0, 2:-2, 0], atol=0.6)


def test_crop_and_flip_move_k_with_the_pixels() -> None:
    point = np.array([0.1, 0.05, 1.0]).reshape(1, 3, 1, 1)
    x, y = points_to_pixels(point, K)[0, :, 0, 0]
    np.testing.assert_allclose(points_to_pixels(point, crop_intrinsics(K, 2, 5))[0, :, 0, 0], [x - 5, y - 2])
    mirrored = point * np.array([-1.0, 1.0, 1.0]).reshape(1, 3, 1, 1)
    np.testing.assert_allclose(points_to_pixels(mirrored, flip_intrinsics(K, 32))[0, :, 0, 0], [31 - x, y])


def test_zooming_in_is_either_depth_or_focal_never_both() -> None:
    """Zoom by s: depth / s with K kept, or depth kept with f * s, give the same pixels for the same object size."""
    size, z, f, s = 0.4, 2.0, 100.0, 1.5
    assert f * size / (z / s) == pytest.approx((f * s) * size / z)


def test_camera_rule_is_one_for_the_training_camera_at_twice_its_size() -> None:
    """480 x 640 at 518.8579 px, seen at 240 x 320 by a network of 259.42895 px: the factor is exactly 1."""
    depth = np.array([0.7, 3.1, 9.9], np.float32)
    np.testing.assert_array_equal(depth_for_camera(depth, 518.8579 * (320 / 640), 259.42895), depth)
    info = ModelInfo("flat", "flat", {}, (240, 320), 259.42895, 0.001, 10.0)
    flat = DepthModel(Runtime(info, lambda image: np.full((1, 1, *image.shape[2:]), 3.1, np.float32), "a test"))
    photo = np.zeros((480, 640, 3), np.uint8)
    assert (flat.depth(photo, 518.8579) == np.float32(3.1)).all()
    assert (flat.depth(photo) == np.float32(3.1)).all(), "and so without a focal length"
    np.testing.assert_allclose(flat.depth(photo, 2 * 518.8579), 6.2, rtol=1e-6)


def test_depth_on_disk_is_16_bit_millimetres_and_0_is_unknown(tmp_path: Path) -> None:
    write_depth_png(tmp_path / "d.png", np.array([[0.0, 1.234]], np.float32))
    with Image.open(tmp_path / "d.png") as picture:
        assert np.asarray(picture).tolist() == [[0, 1234]]
    np.testing.assert_allclose(read_depth_png(tmp_path / "d.png"), [[0.0, 1.234]], rtol=1e-6)


def test_an_image_is_rgb_in_0_to_1() -> None:
    red = np.zeros((24, 32, 3), np.uint8)
    red[..., 0] = 255
    blob = network_input(red, (24, 32))
    assert (blob[0, 0] == 1.0).all()
    assert (blob[0, 1:] == 0.0).all()
