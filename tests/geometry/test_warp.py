"""Sampling at pixel coordinates: integer centres, what lies outside, and gradients in float64."""

from __future__ import annotations

import numpy as np
import pytest

from depthnet.errors import ShapeError
from depthnet.geometry.camera import depth_to_points, points_to_pixels
from depthnet.geometry.projection import pixel_grid
from depthnet.geometry.warp import backwarp, warp_by_disparity

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("one_thread")


def ramp(height: int = 3, width: int = 5) -> torch.Tensor:
    """Value 10 y + x at pixel (x, y), float64."""
    x, y = pixel_grid(torch.zeros(1, 1, height, width, dtype=torch.float64)).split(1, dim=1)
    return 10 * y + x


def at(*pixels: tuple[float, float]) -> torch.Tensor:
    return torch.tensor(pixels, dtype=torch.float64).T.reshape(1, 2, 1, -1)


def test_a_pixel_coordinate_is_the_centre_of_its_pixel() -> None:
    warped, valid = backwarp(ramp(), pixel_grid(ramp()))
    torch.testing.assert_close(warped, ramp())
    assert valid.all()


def test_between_pixels_it_is_bilinear_by_hand() -> None:
    warped, valid = backwarp(ramp(), at((1.25, 0.0), (0.0, 0.5), (3.5, 1.75), (4.0, 2.0)))
    torch.testing.assert_close(warped.flatten(), torch.tensor([1.25, 5.0, 21.0, 24.0], dtype=torch.float64))
    assert valid.all()


def test_outside_and_unknown_is_zero_and_invalid() -> None:
    nan, inf = float("nan"), float("inf")
    pixels = at((-0.01, 1), (4.01, 1), (1, -0.01), (1, 2.01), (nan, 1), (1, inf), (2, 1)).requires_grad_()
    warped, valid = backwarp(ramp() + 1, pixels)
    assert valid.flatten().tolist() == [False] * 6 + [True]
    assert warped.flatten().tolist() == pytest.approx([0.0] * 6 + [13.0])
    warped.sum().backward()
    assert pixels.grad is not None
    assert pixels.grad.isfinite().all()
    assert not pixels.grad[..., :6].any()


def test_one_pixel_wide_pictures_and_other_sizes_of_the_result() -> None:
    warped, valid = backwarp(torch.full((1, 2, 1, 1), 7.0), at((0, 0), (0.5, 0)).float())
    assert warped.tolist() == [[[[7.0, 0.0]], [[7.0, 0.0]]]]
    assert valid.tolist() == [[[[True, False]]]]


def test_gradients_in_float64() -> None:
    torch.manual_seed(0)
    image = torch.rand(2, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    pixels = (torch.rand(2, 2, 3, 3, dtype=torch.float64) * 2.9 + 0.05).requires_grad_()
    assert torch.autograd.gradcheck(lambda *args: backwarp(*args)[0], (image, pixels))
    disparity_px = (torch.rand(2, 1, 4, 5, dtype=torch.float64) * 0.8 + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda *args: warp_by_disparity(*args)[0], (image, disparity_px))


def test_left_pixel_x_is_right_pixel_x_minus_disparity() -> None:
    left, valid = warp_by_disparity(ramp(), torch.full((1, 1, 3, 5), 1.5, dtype=torch.float64))
    assert left[0, 0, 0].tolist() == pytest.approx([0, 0, 0.5, 1.5, 2.5])
    assert valid[0, 0, 0].tolist() == [False, False, True, True, True]
    left, valid = warp_by_disparity(ramp(), torch.full((1, 1, 3, 5), -1.0, dtype=torch.float64))
    assert left[0, 0, 1].tolist() == pytest.approx([11, 12, 13, 14, 0])


def test_disparity_is_the_warp_of_a_camera_beside() -> None:
    """A plane 2 m away seen 0.1 m to the right: f·b/Z = 1 pixel, by points and by disparity."""
    K = torch.tensor(np.array([[[20.0, 0, 2], [0, 20.0, 1], [0, 0, 1]]]))
    points = depth_to_points(torch.full((1, 1, 3, 5), 2.0, dtype=torch.float64), K)
    points[:, 0] -= 0.1
    by_points, valid = backwarp(ramp(), points_to_pixels(points, K))
    by_disparity, also_valid = warp_by_disparity(ramp(), torch.ones(1, 1, 3, 5, dtype=torch.float64))
    torch.testing.assert_close(by_points, by_disparity)
    assert torch.equal(valid, also_valid)


def test_half_precision_is_computed_in_float32() -> None:
    warped, _ = backwarp(ramp(3, 600).bfloat16(), at((597.25, 0)).bfloat16())
    assert warped.dtype == torch.float32


def test_shapes_are_checked() -> None:
    with pytest.raises(ShapeError, match=r"expected \(B, C, H, W\) and \(B, 2, h, w\)"):
        backwarp(ramp(), torch.zeros(1, 3, 3, 5))
    with pytest.raises(ShapeError, match=r"disparity_px \(1, 1, 3, 4\)"):
        warp_by_disparity(ramp(), torch.zeros(1, 1, 3, 4))
