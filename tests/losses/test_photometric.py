"""Photometric terms by hand: pictures of a few pixels, and the published losses as weights of the terms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from depthnet.config import PhotometricConfig
from depthnet.errors import ConfigError, ShapeError
from depthnet.losses import photometric as losses
from depthnet.losses.photometric import build_stereo_loss

pytestmark = pytest.mark.usefixtures("one_thread")


def grey(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).expand(1, 3, len(rows), len(rows[0]))


def disparity(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).view(1, 1, len(rows), len(rows[0]))


def noise(batch: int, height: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, height, width, generator=generator, dtype=torch.float64)


def test_l1_and_l2_by_hand_over_the_valid_pixels_of_each_image() -> None:
    prediction, target = torch.cat([grey([[0.5, 0.2, 0.9]])] * 2), torch.cat([grey([[0.1, 0.4, 0.0]])] * 2)
    valid = torch.tensor([[[[True, True, False]]], [[[True, False, False]]]])
    # Image 0: (0.4 + 0.2) / 2; image 1: 0.4.
    assert losses.l1(prediction, target, valid).item() == pytest.approx((0.3 + 0.4) / 2)
    assert losses.l2(prediction, target, valid).item() == pytest.approx(((0.16 + 0.04) / 2 + 0.16) / 2)
    one_colour = torch.zeros(1, 3, 1, 1)
    one_colour[:, 0] = 0.6
    assert losses.l1(one_colour, torch.zeros(1, 3, 1, 1), torch.ones(1, 1, 1, 1).bool()).item() == pytest.approx(0.2)


def test_ssim_by_hand() -> None:
    flat, bright = torch.full((1, 3, 3, 3), 0.2), torch.full((1, 3, 3, 3), 0.6)
    valid = torch.ones(1, 1, 3, 3, dtype=torch.bool)
    # Flat windows: only the means differ, (2·0.2·0.6 + C1) / (0.04 + 0.36 + C1).
    expected = (1 - (0.24 + 1e-4) / (0.4 + 1e-4)) / 2
    assert losses.ssim(bright, flat, valid).item() == pytest.approx(expected, rel=1e-4)
    texture = noise(2, 6, 7)
    assert losses.ssim(texture, texture, torch.ones(2, 1, 6, 7).bool()).item() == pytest.approx(0, abs=1e-9)
    assert losses.ssim(1 - texture, texture, torch.ones(2, 1, 6, 7).bool()).item() > 0.5


def test_ssim_leaves_out_windows_that_touch_an_invalid_pixel() -> None:
    texture = noise(1, 3, 6)
    other = texture.clone()
    other[..., 0] = 0.0
    valid = torch.ones(1, 1, 3, 6, dtype=torch.bool)
    assert losses.ssim(other, texture, valid).item() > 0.01
    valid[0, 0, 1, 0] = False
    assert losses.ssim(other, texture, valid).item() == pytest.approx(0, abs=1e-9)


def test_nothing_valid_is_zero_without_a_gradient() -> None:
    prediction = noise(1, 4, 4).requires_grad_()
    valid = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    for term in losses.PICTURE_TERMS.values():
        value = term(prediction, noise(1, 4, 4, 1), valid)
        assert value.item() == 0
        (gradient,) = torch.autograd.grad(value, prediction)
        assert not gradient.any()


def test_smooth_by_hand_as_a_share_of_the_width() -> None:
    d = disparity([[0.0, 2.0, 2.0, 6.0]])
    image = grey([[0.0, 0.5, 0.5, 0.5]])
    # |∂D| / 4 = 0.5, 0, 1 with weights e^-0.5, 1, 1; one row has no vertical change.
    assert losses.smooth(d, image).item() == pytest.approx((0.5 * math.exp(-0.5) + 1.0) / 3)


def test_smooth_garg_by_hand() -> None:
    d = disparity([[0.0, 1.0, 4.0], [0.0, 2.0, 6.0], [0.0, 9.0, 0.0]])
    image = torch.zeros(1, 3, 3, 3, dtype=torch.float64)
    # One inner pixel: half central differences ∂x D = 3, ∂y D = 4, over 9 pixels.
    assert losses.smooth_garg(d, image).item() == pytest.approx((3 + 4) / 9)
    image[0, 0, 1, 2], image[0, 1, 1, 2] = 1.0, -1.0  # opposite changes of two colours, along x
    assert losses.smooth_garg(d, image).item() == pytest.approx((3 + 4) / 9), "the sum of the colours is no edge"
    image = torch.zeros(1, 3, 3, 3, dtype=torch.float64)
    image[0, 0, 2, 1], image[0, 1, 2, 1] = 1.0, -1.0  # the same along y, where the colours are kept apart
    weight = math.exp(-0.33 * 2 * 1.02 / 2)
    assert losses.smooth_garg(d, image).item() == pytest.approx((3 + 4 * weight) / 9)


def test_smooth_l2_by_hand() -> None:
    d = disparity([[0.0, 1.0], [3.0, 3.0]])
    # Along x 1 and 0, along y 3 and 2.
    assert losses.smooth_l2(d, grey([[0, 0], [0, 0]])).item() == pytest.approx((1 + 9 + 4) / 4)


def test_the_loss_vanishes_at_the_true_shift_and_pulls_towards_it() -> None:
    right = noise(1, 8, 24)
    left = torch.roll(right, 3, dims=3)  # left pixel x shows right pixel x - 3
    loss = build_stereo_loss(PhotometricConfig(terms={"l1": 0.5, "ssim": 0.5}))
    batch = {"image": left, "right": right}
    true = torch.full((1, 1, 8, 24), 3.0, dtype=torch.float64)
    total, terms = loss(true, batch)
    assert total.item() == pytest.approx(0, abs=1e-9)
    assert set(terms) == {"l1", "ssim"}
    near = (true + 0.3).requires_grad_()
    total, terms = loss(near, batch)
    assert total.item() == pytest.approx(0.5 * terms["l1"].item() + 0.5 * terms["ssim"].item())
    (gradient,) = torch.autograd.grad(total, near)
    assert gradient.mean() > 0, "less disparity is better"


def test_more_scales_pull_from_farther_away() -> None:
    x = torch.arange(64, dtype=torch.float64)
    stripe = torch.exp(-(((x - 30) / 2) ** 2)).expand(1, 3, 16, 64)
    batch = {"image": torch.roll(stripe, 8, dims=3), "right": stripe}  # the true disparity is 8

    def pull(scales: int) -> float:
        start = torch.full((1, 1, 16, 64), 0.01, dtype=torch.float64, requires_grad=True)
        total, _ = build_stereo_loss(PhotometricConfig(terms={"l2": 1.0}, scales=scales))(start, batch)
        (gradient,) = torch.autograd.grad(total, start)
        return -gradient[..., 36:41].sum().item()  # of the pixels that show the stripe

    assert pull(4) > 10 * abs(pull(1))


def test_garg_as_published_is_a_choice_of_weights() -> None:
    """The release: Σ|1.02 (I_w - I)| + 0.05 Σ smoothness, here over the number of pixels."""
    right, left = noise(1, 6, 8), noise(1, 6, 8, 1)
    d = torch.zeros(1, 1, 6, 8, dtype=torch.float64)
    d[..., 4:] = 1.0
    total, _ = build_stereo_loss(PhotometricConfig(terms={"l1": 3.06, "smooth_garg": 0.05}))(
        d, {"image": left, "right": right}
    )
    warped = torch.cat([right[..., :4], right[..., 3:7]], 3)
    expected = 1.02 * (warped - left).abs().sum() / 48 + 0.05 * losses.smooth_garg(d, left)
    assert total.item() == pytest.approx(expected.item())


def test_wrong_options_and_shapes_are_refused() -> None:
    for terms, line in (
        ({"eigen": 1.0}, r"'eigen' is unknown; choose among: l1, l2, ssim, smooth, smooth_garg, smooth_l2"),
        ({"l1": -1.0}, "l1: weight -1.0 must be"),
        ({"l1": 0.0, "smooth": 1.0}, "the loss on pictures is empty"),
    ):
        with pytest.raises(ConfigError, match=line):
            build_stereo_loss(PhotometricConfig(terms=terms))
    with pytest.raises(ConfigError, match=r"scales 0: must be 1 or more"):
        build_stereo_loss(PhotometricConfig(scales=0))
    with pytest.raises(ShapeError, match="expected"):
        losses.l1(noise(1, 4, 4), noise(1, 4, 5), torch.ones(1, 1, 4, 4).bool())
