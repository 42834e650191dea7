"""Depth at another size: plain bilinear, by whichever of the two ways is the faster."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from depthnet.errors import ShapeError
from depthnet.predictor.resize import _resize_axis, resize_depth

ENLARGED = [(14, 20), (23, 31), (7, 13), (9, 10), (240, 320)]
OTHER = [(4, 5), (7, 3), (3, 31), (23, 6), (1, 1)]


@pytest.fixture
def depth() -> np.ndarray:
    """Metres, 7 x 10, with jumps as at the edges of things."""
    return np.random.default_rng(5).uniform(1, 9, (7, 10)).astype(np.float32)


@pytest.mark.parametrize("size", [*ENLARGED, *OTHER])
def test_it_is_pytorch_s_plain_bilinear(size: tuple[int, int], depth: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(depth)[None, None], size=size, mode="bilinear", align_corners=False, antialias=False
    )
    found = resize_depth(depth, size)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected[0, 0].numpy(), rtol=1e-5)  # PyTorch counts in float32


@pytest.mark.parametrize("size", ENLARGED)
def test_enlarging_by_pillow_equals_the_plain_formula(size: tuple[int, int], depth: np.ndarray) -> None:
    plain = _resize_axis(_resize_axis(depth, size[0], 0), size[1], 1)
    np.testing.assert_allclose(resize_depth(depth, size), plain, rtol=2e-6)


@pytest.mark.parametrize("size", [(4, 5), (23, 6)])
def test_pillow_would_smooth_where_a_side_shrinks(size: tuple[int, int], depth: np.ndarray) -> None:
    smoothed = np.asarray(Image.fromarray(depth).resize(size[::-1], Image.Resampling.BILINEAR))
    assert np.abs(resize_depth(depth, size) - smoothed).max() > 0.1


def test_its_own_size_costs_nothing(depth: np.ndarray) -> None:
    assert resize_depth(depth, (7, 10)) is depth
    assert resize_depth(depth.astype(np.float64), (7, 10)).dtype == np.float32


def test_views_are_read_in_their_own_order(depth: np.ndarray) -> None:
    np.testing.assert_array_equal(resize_depth(depth[:, ::-1], (14, 20)), resize_depth(depth[:, ::-1].copy(), (14, 20)))
    np.testing.assert_array_equal(resize_depth(depth.T, (20, 14)), resize_depth(depth.T.copy(), (20, 14)))


@pytest.mark.parametrize("size", [(14, 20), (4, 5)])
def test_infinity_stays_far_and_nan_stays_local(size: tuple[int, int], depth: np.ndarray) -> None:
    depth[0, 0] = np.inf
    far = resize_depth(depth, size)
    assert np.isfinite(far).all()
    assert far[0, 0] > 1e8
    depth[0, 0] = np.nan
    holed = resize_depth(depth, size)
    assert np.isnan(holed[0, 0])
    assert np.isfinite(holed[size[0] // 2 :, size[1] // 2 :]).all()


def test_other_axes_are_refused(depth: np.ndarray) -> None:
    with pytest.raises(ShapeError, match=r"depth \(1, 7, 10\): expected \(H, W\)"):
        resize_depth(depth[None], (7, 10))
