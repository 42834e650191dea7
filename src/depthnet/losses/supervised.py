"""Supervised losses: predicted log depth against measured depth in metres.

Every loss takes ``(prediction, target, valid)`` and returns one number:

- ``prediction``: natural log depth, (B, 1, H, W), unclamped, as the networks return it;
- ``target``: depth in metres, (B, 1, H, W); anything, also NaN, where it is not valid;
- ``valid``: bool, (B, 1, H, W). A pixel counts where it is valid and its target is finite and positive.

Each image is averaged over its own n pixels (or pairs of pixels), then the images of the batch are averaged; an
image without a pixel (or pair) adds 0 to that sum, and no gradient. Half-precision predictions are computed in
float32, float64 stays. Below, d = prediction - ln(target) is the residual in log metres, and D(p) the depth in
metres of prediction p: exp(p), continued by its tangent beyond 1 km so that no start of training overflows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from depthnet.config import LossConfig
from depthnet.errors import ConfigError, ShapeError
from depthnet.losses.per_image import AXES, Axis, edge_aware_change, full_precision, image_mean, shifted, step_along
from depthnet.losses.terms import Loss, check_terms, weighted_sum

MAX_LOG_DEPTH = math.log(1000.0)


def eigen(prediction: Tensor, target: Tensor, valid: Tensor, eigen_lambda: float = 0.5) -> Tensor:
    """Eigen's scale-invariant loss in log space, in linear time.

    Per image, L = (1/n) Σ d_i² - (λ/n²) (Σ d_i)². λ = 0 is L2 in log space; λ = 1 ignores the scale of the
    prediction; Eigen trains with 0.5. It is computed as var(d) + (1 - λ) mean(d)², which is the same number
    without the cancellation, and never negative for λ in [0, 1].

    At λ = 1 three forms agree:
        (1/n) Σ_i (d_i - mean d)²  =  (1/(2n²)) Σ_ij (d_i - d_j)²  =  (1/n) Σ d_i² - (1/n²) (Σ d_i)².
    Public derivations slip here. The arXiv text of the paper puts 1/n² before the pairs, twice the other two; the
    proceedings put 1/(2n) before the first form, half of them. The blog post of ORIGINAL.md keeps that 1/(2n),
    leaves the 1/n out of α = (1/n) Σ (ln target - prediction), so that α would not cancel the scale, and prints
    "(Σ d_i)2" for the square. The experiment files weight a batch as Σ_b n_b Σ d² / Σ_b n_b², which is the mean
    over its images only where all n_b are equal.

    Source: Eigen, Puhrsch and Fergus, NIPS 2014, eq. 3 and 4.
    """
    d, mask = _log_residual(prediction, target, valid)
    mean = image_mean(d, mask)
    variance = image_mean(((d - mean) * mask).square(), mask)
    return (variance + (1.0 - eigen_lambda) * mean.square()).mean()


def l1_log(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Absolute error in log space: per image, (1/n) Σ |d_i|."""
    d, mask = _log_residual(prediction, target, valid)
    return image_mean(d.abs(), mask).mean()


def l1(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Absolute error in metres: per image, (1/n) Σ |D(prediction_i) - target_i|."""
    x, mask = _metric_residual(prediction, target, valid)
    return image_mean(x.abs(), mask).mean()


def l2(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Squared error in metres: per image, (1/n) Σ (D(prediction_i) - target_i)²."""
    x, mask = _metric_residual(prediction, target, valid)
    return image_mean(x.square(), mask).mean()


def l2_smooth(prediction: Tensor, target: Tensor, valid: Tensor, image: Tensor, smooth_weight: float = 0.1) -> Tensor:
    """Squared error in metres plus ``smooth_weight`` times :func:`smoothness`."""
    return l2(prediction, target, valid) + smooth_weight * smoothness(prediction, image, _counted(target, valid))


def smoothness(prediction: Tensor, image: Tensor, valid: Tensor) -> Tensor:
    """First-order smoothness of the predicted depth, relaxed at the edges of the image.

    Per image, S = mean_x( exp(-|∂x I|) |∂x D| ) + mean_y( exp(-|∂y I|) |∂y D| ), with forward differences, D the
    predicted depth in metres and |∂ I| the mean of the three colours' absolute differences, I in [0, 1]. All pairs
    of neighbours count, also where no depth was measured: there the term is what shapes the prediction. An image
    without any valid pixel adds 0, as in the other losses.

    Args:
        prediction: natural log depth, (B, 1, H, W).
        image: RGB in [0, 1], (B, 3, H, W).
        valid: bool, (B, 1, H, W).

    Source: Godard, Mac Aodha and Brostow, CVPR 2017, the disparity smoothness loss, there on disparity.
    """
    seen = valid.any(dim=3, keepdim=True).any(dim=2, keepdim=True)
    depth = _metres(torch.where(seen, full_precision(prediction), 0.0))
    return edge_aware_change(depth, image).mean()


def berhu(prediction: Tensor, target: Tensor, valid: Tensor, threshold: float | None = None) -> Tensor:
    """Reverse Huber loss in metres: L1 for small errors, L2 for large ones.

    With x = D(prediction) - target, per image the mean of |x| where |x| <= c and of (x² + c²) / (2c) beyond;
    value and slope are continuous at c. c is a fifth of the largest |x| of the batch and counts as a constant for
    the gradient; with several devices each one has its own.

    Args:
        prediction: natural log depth, (B, 1, H, W).
        target: metres, (B, 1, H, W).
        valid: bool, (B, 1, H, W).
        threshold: a fixed c in metres, positive.

    Source: Laina et al., 3DV 2016, eq. 1 (there called B).
    """
    x, mask = _metric_residual(prediction, target, valid)
    size = x.abs()
    c = size.detach().amax() * 0.2 if threshold is None else size.new_tensor(threshold)
    c = c.clamp(min=torch.finfo(x.dtype).tiny ** 0.25)
    # max(|x|, c) keeps the branch that is not taken finite for the gradient.
    large = (size.clamp(min=c).square() + c * c) / (2 * c)
    return image_mean(torch.where(size <= c, size, large), mask).mean()


def gradient(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Gradient matching in log space, of the original training.

    Per image, Σ (∂x d)² / n_x + Σ (∂y d)² / n_y, with forward differences over the n_x (n_y) pairs of neighbours
    that are both valid.

    Source: Eigen and Fergus, ICCV 2015, eq. 1, which divides both sums by n; their code divides each by its pairs.
    """
    d, mask = _log_residual(prediction, target, valid)
    total = d.new_zeros(d.shape[0], 1, 1, 1)
    for axis in AXES:
        pairs = _pairs(mask, axis, 1)
        total = total + image_mean((step_along(d, axis) * pairs).square(), pairs)
    return total.mean()


def gradient_multiscale(
    prediction: Tensor, target: Tensor, valid: Tensor, steps: tuple[int, ...] = (1, 2, 4, 8)
) -> Tensor:
    """Gradient matching in log space over several distances.

    Per image, the mean over the steps k of  mean |d(x + k, y) - d(x, y)| + mean |d(x, y + k) - d(x, y)|, each over
    the pairs k pixels apart that are both valid. A step that is longer than the image adds 0.

    Source: the gradient terms of Li and Snavely (MegaDepth, CVPR 2018) and Ranftl et al. (MiDaS, TPAMI 2020). They
    compare neighbours in images subsampled by k; here every pixel takes part at every step.
    """
    d, mask = _log_residual(prediction, target, valid)
    total = d.new_zeros(d.shape[0], 1, 1, 1)
    for axis in AXES:
        for step in steps:
            pairs = _pairs(mask, axis, step)
            total = total + image_mean(step_along(d, axis, step).abs() * pairs, pairs)
    return total.mean() / len(steps)


#: Name in the config -> loss.
LOSSES: dict[str, Callable[..., Tensor]] = {
    "eigen": eigen,
    "l1_log": l1_log,
    "l1": l1,
    "l2": l2,
    "l2_smooth": l2_smooth,
    "berhu": berhu,
    "gradient": gradient,
    "gradient_multiscale": gradient_multiscale,
}


def build_loss(config: LossConfig) -> Loss:
    """Build the weighted sum of losses that the config names.

    Returns:
        A function of the prediction (log depth, (B, 1, H, W)) and a batch with ``image``, ``depth`` and ``valid``.
        It returns the total, for ``backward``, and by name every term before its weight, detached, for the log.

    Raises:
        ConfigError: if a term is unknown, or a number is out of range.
    """
    weights = dict(config.terms)
    check_terms(weights, LOSSES, "eigen")
    if not 0 <= config.eigen_lambda <= 1:
        raise ConfigError(f"eigen_lambda {config.eigen_lambda} must lie in 0 (L2 in log space) to 1 (scale invariant).")
    if not (math.isfinite(config.smooth_weight) and config.smooth_weight >= 0):
        raise ConfigError(f"smooth_weight {config.smooth_weight} must be a finite number, 0 or more.")

    def loss(prediction: Tensor, batch: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        extra: dict[str, dict[str, Any]] = {
            "eigen": {"eigen_lambda": config.eigen_lambda},
            "l2_smooth": {"image": batch["image"], "smooth_weight": config.smooth_weight},
        }
        terms = {
            name: LOSSES[name](prediction, batch["depth"], batch["valid"], **extra.get(name, {})) for name in weights
        }
        return weighted_sum(weights, terms)

    return loss


def _counted(target: Tensor, valid: Tensor) -> Tensor:
    """Pixels that count: valid, with a target that has a logarithm."""
    return valid & (target > 0) & (target < math.inf)


def _prepare(prediction: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Prediction and target, finite everywhere (0 and 1 where they do not count), and what counts."""
    if not (prediction.shape == target.shape == valid.shape) or prediction.ndim != 4 or prediction.shape[1] != 1:
        shapes = ", ".join(str(tuple(x.shape)) for x in (prediction, target, valid))
        raise ShapeError(f"prediction, target and valid have shapes {shapes}; expected the same (B, 1, H, W).")
    if valid.dtype != torch.bool:
        raise ShapeError(f"valid holds {valid.dtype}; expected bool: write depth > 0 for it.")
    counted = _counted(target, valid)
    prediction = torch.where(counted, full_precision(prediction), 0.0)
    return prediction, torch.where(counted, target, 1.0).to(prediction.dtype), counted


def _log_residual(prediction: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """d, 0 where it does not count, and the mask in its dtype. No NaN comes back through either."""
    prediction, target, counted = _prepare(prediction, target, valid)
    return prediction - target.log(), counted.to(prediction.dtype)


def _metric_residual(prediction: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """D(prediction) - target in metres, 0 where it does not count, and the mask in its dtype."""
    prediction, target, counted = _prepare(prediction, target, valid)
    return _metres(prediction) - target, counted.to(prediction.dtype)


def _metres(log_depth: Tensor) -> Tensor:
    """exp up to 1 km, its tangent beyond: finite, and with a gradient that leads back."""
    bounded = log_depth.clamp(max=MAX_LOG_DEPTH)
    return bounded.exp() * (1 + (log_depth - bounded))


def _pairs(mask: Tensor, axis: Axis, step: int) -> Tensor:
    """1 where both pixels of a pair count."""
    first, second = shifted(mask, axis, step)
    return first * second
