"""Losses on what a second picture looks like from where the first was taken, and on the disparity that it takes.

Terms on pictures take ``(prediction, target, valid)``: the warped picture, the picture itself, both RGB in [0, 1],
(B, 3, H, W), and where the warped one has a value, bool, (B, 1, H, W). Terms on disparity take
``(disparity_px, image)``: signed pixels, (B, 1, H, W), and the picture. Each image is averaged over its own n pixels,
then the images of the batch are averaged; an image without a pixel adds 0. Half precision is computed in float32.

Published losses as weights of these terms (``photometric.terms``):

- Garg et al., ECCV 2016, as released: ``l1: 3.06, smooth_garg: 0.05``. The release sums |difference| over three colours
  of pictures times 0.004 · 255 = 1.02, and neither it nor its smoothness divides by the number of pixels; here both do.
- Garg et al., ECCV 2016, the paper: ``l2: 3, smooth_l2: 0.01``, which is ‖I - I_w‖² + γ‖∇D‖² over n.
- Godard, Mac Aodha and Brostow, CVPR 2017, without left-right consistency: ``ssim: 0.85, l1: 0.15, smooth: 0.1``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from depthnet.config import PhotometricConfig
from depthnet.errors import ConfigError, ShapeError
from depthnet.geometry.warp import warp_by_disparity
from depthnet.losses.per_image import AXES, edge_aware_change, full_precision, image_mean, shifted, step_along
from depthnet.losses.terms import Loss, check_terms, weighted_sum

_C1, _C2 = 0.01**2, 0.03**2


def l1(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Absolute difference: per image, (1/n) Σ_i (1/3) Σ_c |prediction_ic - target_ic|."""
    difference, mask = _difference(prediction, target, valid)
    return image_mean(difference.abs().mean(dim=1, keepdim=True), mask).mean()


def l2(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Squared difference: per image, (1/n) Σ_i (1/3) Σ_c (prediction_ic - target_ic)²."""
    difference, mask = _difference(prediction, target, valid)
    return image_mean(difference.square().mean(dim=1, keepdim=True), mask).mean()


def ssim(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Structural dissimilarity: per image, the mean of (1 - SSIM) / 2, within 0 and 1, over windows and colours.

    With means μ, variances σ² and covariance of the two pictures p and t over a window of 3x3 pixels,
    SSIM = (2 μ_p μ_t + C₁)(2 σ_pt + C₂) / ((μ_p² + μ_t² + C₁)(σ_p² + σ_t² + C₂)), C₁ = 0.01², C₂ = 0.03². A window
    counts where it lies inside the picture and all its nine pixels are valid.

    Source: Wang et al., TIP 2004, eq. 13; the block window and the halving of Godard et al., CVPR 2017.
    """
    _check(prediction, target, valid)
    windows = -F.max_pool2d(-full_precision(valid.to(prediction.dtype)), 3, 1)
    return image_mean(dissimilarity(prediction, target) * windows, windows).mean()


def dissimilarity(prediction: Tensor, target: Tensor) -> Tensor:
    """(1 - SSIM) / 2 of every window of 3x3 pixels inside the pictures, mean of the colours, (B, 1, H - 2, W - 2)."""
    p, t = full_precision(prediction), full_precision(target)
    mean_p, mean_t = F.avg_pool2d(p, 3, 1), F.avg_pool2d(t, 3, 1)
    variance_p = F.avg_pool2d(p * p, 3, 1) - mean_p * mean_p
    variance_t = F.avg_pool2d(t * t, 3, 1) - mean_t * mean_t
    covariance = F.avg_pool2d(p * t, 3, 1) - mean_p * mean_t
    above = (2 * mean_p * mean_t + _C1) * (2 * covariance + _C2)
    below = (mean_p * mean_p + mean_t * mean_t + _C1) * (variance_p + variance_t + _C2)
    return ((1 - above / below) / 2).clamp(0, 1).mean(dim=1, keepdim=True)


def smooth(disparity_px: Tensor, image: Tensor) -> Tensor:
    """Edge-aware first-order smoothness of the disparity as a share of the picture's width.

    Per image, mean_x( exp(-|∂x I|) |∂x D| ) + mean_y( exp(-|∂y I|) |∂y D| ) with D = disparity_px / W, forward
    differences, and |∂ I| the mean of the three colours' absolute differences.

    Source: Godard, Mac Aodha and Brostow, CVPR 2017, sec. 3.3.
    """
    return edge_aware_change(full_precision(disparity_px) / disparity_px.shape[3], image).mean()


def smooth_garg(disparity_px: Tensor, image: Tensor) -> Tensor:
    """Edge-aware smoothness of the release of Garg et al., down to its filters.

    Per image, (1/(H·W)) Σ ( exp(-0.33 Σ_c |∂y I_c|) |∂y D| + exp(-0.33 |Σ_c ∂x I_c|) |∂x D| ) over the pixels that have
    all four neighbours, with ∂ the half central difference (v(i + 1) - v(i - 1)) / 2, D = disparity_px and
    I = 1.02 times the picture in [0, 1]. The two edge weights do differ there: one convolution keeps the three colours
    apart and the other adds them up, so that its opposite changes of colour are no edge.

    Source: the train prototxt and filler.hpp of the authors' release (commit 6f75cb9), where the one called X is the
    vertical one.
    """
    d, picture = full_precision(disparity_px), 1.02 * image.to(torch.promote_types(image.dtype, torch.float32))
    edge_y = _central(picture, 2).abs().sum(dim=1, keepdim=True)
    edge_x = _central(picture, 3).sum(dim=1, keepdim=True).abs()
    change = torch.exp(-0.33 * edge_y) * _central(d, 2).abs() + torch.exp(-0.33 * edge_x) * _central(d, 3).abs()
    return change.sum(dim=(1, 2, 3)).mean() / (d.shape[2] * d.shape[3])


def smooth_l2(disparity_px: Tensor, image: Tensor) -> Tensor:
    """Squared gradient of the disparity, ‖∇D‖²: per image, (1/(H·W)) Σ (∂x D)² + (∂y D)², forward differences, pixels.

    Source: Garg et al., ECCV 2016, the regulariser with weight γ = 0.01.
    """
    d = full_precision(disparity_px)
    total = sum((step_along(d, axis).square().sum(dim=(1, 2, 3)) for axis in AXES), d.new_zeros(len(d)))
    return total.mean() / (d.shape[2] * d.shape[3])


#: Name in the config -> term on the two pictures.
PICTURE_TERMS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"l1": l1, "l2": l2, "ssim": ssim}
#: Name in the config -> term on the disparity.
DISPARITY_TERMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "smooth": smooth,
    "smooth_garg": smooth_garg,
    "smooth_l2": smooth_l2,
}


def build_stereo_loss(config: PhotometricConfig) -> Loss:
    """Build the loss on rectified pairs that the config names.

    The terms on pictures are computed at ``scales`` sizes, each half the one before (means of 2x2 pixels, of the
    disparity too), and averaged: at a small size a match may be many pixels away and still pull. Those on disparity
    are computed at full size.

    Returns:
        A function of the signed disparity (pixels of the left picture, (B, 1, H, W)) and a batch with ``image`` (left)
        and ``right``. It returns the total, for ``backward``, and every term before its weight, detached.

    Raises:
        ConfigError: if a term is unknown, or a number is out of range.
    """
    weights = dict(config.terms)
    check_terms(weights, (*PICTURE_TERMS, *DISPARITY_TERMS), "ssim")
    if not any(weights.get(name) for name in PICTURE_TERMS):
        raise ConfigError(f"the loss on pictures is empty: give one of {', '.join(PICTURE_TERMS)} a positive weight.")
    if config.scales < 1:
        raise ConfigError(f"photometric.scales {config.scales}: must be 1 or more; 1 is the full size alone.")

    def loss(disparity_px: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        warped = _warp_at_scales(disparity_px, batch["right"], batch["image"], config.scales)
        terms = {
            name: torch.stack([PICTURE_TERMS[name](*pictures) for pictures in warped]).mean()
            if name in PICTURE_TERMS
            else DISPARITY_TERMS[name](disparity_px, batch["image"])
            for name in weights
        }
        return weighted_sum(weights, terms)

    return loss


def _warp_at_scales(
    disparity_px: Tensor, right: Tensor, left: Tensor, scales: int
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The right picture warped to the left one, the left one, and what is valid, at sizes halved again and again."""
    disparity_px, found = full_precision(disparity_px), []
    for scale in range(scales):
        warped, valid = warp_by_disparity(right, disparity_px)
        found.append((warped, left, valid))
        if scale + 1 < scales and min(left.shape[2:]) >= 6:  # the next one still holds an SSIM window
            left, right, disparity_px = (F.avg_pool2d(x, 2) for x in (left, right, disparity_px / 2))
        else:
            break
    return found


def _difference(prediction: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Difference of the pictures, 0 where not valid, and the mask in its dtype."""
    _check(prediction, target, valid)
    difference = torch.where(valid, full_precision(prediction) - target, 0.0)
    return difference, valid.to(difference.dtype)


def _check(prediction: Tensor, target: Tensor, valid: Tensor) -> None:
    fits = prediction.ndim == 4 and valid.shape == (len(prediction), 1, *prediction.shape[2:])
    if prediction.shape != target.shape or not fits or valid.dtype != torch.bool:
        shapes = ", ".join(str(tuple(x.shape)) for x in (prediction, target, valid))
        raise ShapeError(
            f"prediction, target and valid have shapes {shapes}; expected (B, 3, H, W) twice, (B, 1, H, W) bool."
        )


def _central(x: Tensor, axis: int) -> Tensor:
    """(v(i + 1) - v(i - 1)) / 2 along an axis, for the pixels that have all four neighbours."""
    other = 5 - axis
    inner = x.narrow(other, 1, max(x.shape[other] - 2, 0))
    before, behind = shifted(inner, 3 if axis == 3 else 2, 2)
    return (behind - before) / 2
