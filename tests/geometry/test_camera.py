"""Cameras: identities, hand-worked numbers, and the same answers for NumPy and torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthnet.errors import InputError, ShapeError
from depthnet.geometry.camera import (
    crop_intrinsics,
    depth_for_camera,
    depth_to_points,
    flip_intrinsics,
    focal_from_35mm,
    focal_from_fov,
    fov_from_focal,
    points_to_pixels,
    scale_intrinsics,
    training_view_focal,
)

NYU = np.array([[518.8579, 0, 325.582], [0, 519.4696, 253.736], [0, 0, 1]])
RNG = np.random.default_rng(0)


def test_half_size_moves_the_centre_by_the_pixel_centre_rule() -> None:
    half = scale_intrinsics(NYU, 0.5, 0.5)
    expected = [[259.42895, 0, 162.541], [0, 259.7348, 126.618], [0, 0, 1]]
    np.testing.assert_allclose(half, expected, rtol=1e-12)


def test_scale_uses_each_factor_for_its_axis_and_takes_batches() -> None:
    scaled = scale_intrinsics(np.stack([NYU, NYU]), sy=2.0, sx=3.0)
    assert scaled.shape == (2, 3, 3)
    assert scaled[1, 0, 0] == pytest.approx(3 * 518.8579)
    assert scaled[1, 1, 1] == pytest.approx(2 * 519.4696)
    assert scaled[1, 0, 2] == pytest.approx((325.582 + 0.5) * 3 - 0.5)
    assert scaled[1, 1, 2] == pytest.approx((253.736 + 0.5) * 2 - 0.5)


@given(st.floats(0.1, 8.0), st.floats(0.1, 8.0))
def test_scaling_there_and_back_is_nothing(sy: float, sx: float) -> None:
    back = scale_intrinsics(scale_intrinsics(NYU, sy, sx), 1 / sy, 1 / sx)
    np.testing.assert_allclose(back, NYU, rtol=1e-9, atol=1e-9)


def test_crop_moves_only_the_centre_and_padding_undoes_it() -> None:
    cropped = crop_intrinsics(NYU, top=8, left=20)
    np.testing.assert_allclose(cropped - NYU, [[0, 0, -20], [0, 0, -8], [0, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(crop_intrinsics(cropped, -8, -20), NYU)


def test_flip_mirrors_the_centre_keeps_the_focal_length_and_undoes_itself() -> None:
    flipped = flip_intrinsics(NYU, width=640)
    assert flipped[0, 0] == NYU[0, 0]
    assert flipped[0, 2] == pytest.approx(639 - 325.582)
    np.testing.assert_allclose(flip_intrinsics(flipped, 640), NYU)


def test_flip_of_the_image_is_the_mirrored_world() -> None:
    skewed = np.array([[[50.0, 3.0, 4.2], [0, 60.0, 3.1], [0, 0, 1]]])
    depth = RNG.uniform(1, 5, (1, 1, 6, 9))
    points = depth_to_points(depth, skewed)
    mirrored = depth_to_points(depth[..., ::-1], flip_intrinsics(skewed, 9))
    np.testing.assert_allclose(mirrored[:, 0, :, ::-1], -points[:, 0], atol=1e-12)
    np.testing.assert_allclose(mirrored[:, 1:, :, ::-1], points[:, 1:], atol=1e-12)


def test_a_pixel_by_hand() -> None:
    K = np.array([[[100.0, 0, 2.0], [0, 200.0, 1.0], [0, 0, 1]]])
    depth = np.zeros((1, 1, 3, 5))
    depth[0, 0, 2, 4] = 10.0
    points = depth_to_points(depth, K)
    # x = (4 - 2) / 100 * 10, y = (2 - 1) / 200 * 10
    np.testing.assert_allclose(points[0, :, 2, 4], [0.2, 0.05, 10.0])
    assert np.count_nonzero(points) == 3, "unknown depth gives zeros"


@settings(max_examples=25)
@given(st.floats(20, 2000), st.floats(20, 2000), st.floats(-30, 30), st.floats(-30, 30), st.floats(-5, 5))
def test_project_after_lift_is_the_pixel_grid(fx: float, fy: float, cx: float, cy: float, skew: float) -> None:
    K = np.array([[[fx, skew, cx], [0, fy, cy], [0, 0, 1]]])
    pixels = points_to_pixels(depth_to_points(RNG.uniform(0.1, 50, (1, 1, 4, 6)), K), K)
    y, x = np.mgrid[:4, :6]
    np.testing.assert_allclose(pixels, np.stack([x, y])[None], atol=1e-9)


def test_points_without_a_pixel_are_nan() -> None:
    points = np.ones((1, 3, 1, 3))
    points[0, 2, 0] = [0.0, -1.0, 2.0]
    pixels = points_to_pixels(points, NYU[None])
    assert np.isnan(pixels[..., :2]).all()
    assert np.isfinite(pixels[..., 2]).all()


def test_torch_gives_the_same_and_a_clean_gradient() -> None:
    torch = pytest.importorskip("torch")
    K = np.stack([NYU, flip_intrinsics(NYU, 640)]).astype(np.float32)
    depth = RNG.uniform(0.5, 9, (2, 1, 5, 7)).astype(np.float32)
    depth[0, 0, 0, 0] = 0.0
    tensor_K, tensor_depth = torch.from_numpy(K), torch.from_numpy(depth).requires_grad_()
    points = depth_to_points(tensor_depth, tensor_K)
    assert isinstance(points, torch.Tensor)
    np.testing.assert_allclose(points.detach().numpy(), depth_to_points(depth, K), rtol=1e-5, atol=1e-6)
    pixels = points_to_pixels(points, tensor_K)
    np.testing.assert_allclose(pixels.detach().numpy(), points_to_pixels(depth_to_points(depth, K), K), rtol=1e-4)
    torch.nan_to_num(pixels).sum().backward()
    assert torch.isfinite(tensor_depth.grad).all()
    np.testing.assert_allclose(scale_intrinsics(tensor_K, 0.5, 0.25).numpy(), scale_intrinsics(K, 0.5, 0.25), rtol=1e-6)


def test_dtypes_are_kept() -> None:
    K = NYU.astype(np.float32)
    assert scale_intrinsics(K, 0.3, 0.3).dtype == np.float32
    assert flip_intrinsics(K, 640).dtype == np.float32
    assert depth_to_points(np.ones((1, 1, 2, 2), np.float32), NYU[None]).dtype == np.float32


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ShapeError, match=r"\(3, 4\)"):
        scale_intrinsics(np.ones((3, 4)), 1, 1)
    with pytest.raises(ShapeError, match=r"\(B, 1, H, W\)"):
        depth_to_points(np.ones((4, 4)), NYU[None])
    with pytest.raises(ShapeError, match=r"\(2, 3, 3\)"):
        depth_to_points(np.ones((2, 1, 4, 4)), NYU[None])
    with pytest.raises(ShapeError, match=r"\(B, 3, H, W\)"):
        points_to_pixels(np.ones((1, 1, 4, 4)), NYU[None])


def test_focal_and_field_of_view_by_hand() -> None:
    assert focal_from_fov(90.0, 640) == pytest.approx(320.0)
    assert fov_from_focal(320.0, 640) == pytest.approx(90.0)
    assert focal_from_fov(fov_from_focal(518.8579, 640), 640) == pytest.approx(518.8579)
    for angle in (0.0, 180.0, -5.0, math.nan):
        with pytest.raises(InputError):
            focal_from_fov(angle, 640)
    with pytest.raises(InputError):
        fov_from_focal(0.0, 640)


def test_35mm_equivalent_goes_by_the_diagonal() -> None:
    assert focal_from_35mm(43.27, 300, 400) == pytest.approx(500.0, rel=1e-4)
    assert focal_from_35mm(28.0, 3024, 4032) == pytest.approx(28.0 * 5040 / 43.27, rel=1e-4)
    assert focal_from_35mm(28.0, 4032, 3024) == focal_from_35mm(28.0, 3024, 4032)
    with pytest.raises(InputError):
        focal_from_35mm(0.0, 10, 10)


def test_training_view_is_the_same_for_a_turned_photo() -> None:
    assert training_view_focal(480, 640, 259.42895, (240, 320)) == 518.8579
    assert training_view_focal(640, 480, 259.42895, (240, 320)) == 518.8579


def test_camera_rule() -> None:
    np.testing.assert_allclose(depth_for_camera(np.array([1.0, 2.0]), 600.0, 300.0), [2.0, 4.0])
    for focal in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InputError, match="focal length"):
            depth_for_camera(np.ones(1), focal, 300.0)
