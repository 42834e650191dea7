"""Losses on the motion between two pictures: against the true one, or by what the pictures show.

Motions are se(3) vectors xi of T_tgt_src, (B, S, 6), one for each of S sources of a target; the batch has ``image``
(B, 3, H, W), ``sources`` (B, S, 3, H, W), ``K`` (B, 3, 3) of all of them and, where it is known, ``T_tgt_src``
(B, S, 4, 4). The photometric term needs the depth of the target, (B, 1, H, W), measured or predicted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from depthnet.config import PhotometricConfig
from depthnet.errors import ConfigError
from depthnet.geometry.camera import scale_intrinsics
from depthnet.geometry.projection import pixel_grid, rigid_flow, visible_points
from depthnet.geometry.se3 import invert_transform, se3_exp, se3_log
from depthnet.geometry.so3 import so3_log
from depthnet.geometry.warp import backwarp
from depthnet.losses.per_image import edge_aware_change, full_precision, image_mean
from depthnet.losses.photometric import dissimilarity
from depthnet.losses.terms import check_terms

#: Pictures are not halved below this side.
SMALLEST_SIDE = 6


def rotation(xi: Tensor, T_tgt_src: Tensor) -> Tensor:
    """Angle between predicted and true rotation, radians, mean of all pairs: |log(R_predictedᵀ R_true)|."""
    found = se3_exp(full_precision(xi))[..., :3, :3]
    return _mean_length(so3_log(found.mT @ T_tgt_src[..., :3, :3].to(found.dtype)))


def translation(xi: Tensor, T_tgt_src: Tensor) -> Tensor:
    """Distance between predicted and true translation, metres, mean of all pairs: |t_predicted - t_true|."""
    found = se3_exp(full_precision(xi))[..., :3, 3]
    return _mean_length(found - T_tgt_src[..., :3, 3].to(found.dtype))


def xi(xi: Tensor, T_tgt_src: Tensor) -> Tensor:
    """Length of the difference of the se(3) vectors, one radian counted as one metre, mean of all pairs."""
    found = full_precision(xi)
    return _mean_length(found - se3_log(T_tgt_src.to(found.dtype)))


def smooth_normalised(log_depth: Tensor, image: Tensor) -> Tensor:
    """Edge-aware smoothness of the disparity over its own mean, which no scale of the depth changes.

    Per image, mean_x( exp(-|∂x I|) |∂x d| ) + mean_y( exp(-|∂y I|) |∂y d| ) with d = disparity / mean(disparity).

    Source: Godard et al., Digging into Self-Supervised Monocular Depth Estimation, ICCV 2019, eq. 3.
    """
    log_depth = full_precision(log_depth)
    # exp(-v) / mean exp(-v) is the same for every constant that v is moved by; the least one keeps exp within range.
    disparity = torch.exp(log_depth.amin(dim=(1, 2, 3), keepdim=True) - log_depth)
    return edge_aware_change(disparity / disparity.mean(dim=(1, 2, 3), keepdim=True), image).mean()


def photometric(xi: Tensor, depth: Tensor, batch: Mapping[str, Tensor], config: PhotometricConfig) -> Tensor:
    """How unlike the target and its sources are, after each source has been warped by depth and motion onto it.

    At each of ``scales`` sizes, each half the one before, a pixel counts with the least error among the sources that
    show it (one is often hidden in one source and seen in the other). What no source shows, because it lies outside,
    behind the camera or, with ``zbuffer``, behind something nearer, counts with the error of the source as it is: a
    motion that leaves the view gains nothing. With ``auto_mask`` a pixel never counts with more than that error, which
    takes the pull from what stands still in the picture: things that move along, a camera that does not move.

    Args:
        xi: motions, (B, S, 6).
        depth: z-depth of the target in metres, (B, 1, H, W); 0 where unknown, which does not count.
        batch: ``image``, ``sources`` and ``K``.
        config: mix of the errors of a pixel (l1, l2 and ssim), sizes and masks.

    Returns:
        Mean over the pixels of each image, the images and the sizes; the outermost pixels do not count.

    Source: Godard et al., ICCV 2019, eq. 4 and 5; the mix of Godard, Mac Aodha and Brostow, CVPR 2017.
    """
    T_src_tgt = invert_transform(se3_exp(full_precision(xi)))
    target, sources, K, depth = batch["image"], batch["sources"], batch["K"], full_precision(depth)
    errors = []
    for scale in range(config.scales):
        if scale > 0:
            if min(target.shape[-2:]) < 2 * SMALLEST_SIDE:
                break
            target, depth, K = F.avg_pool2d(target, 2), halve_depth(depth), scale_intrinsics(K, 0.5, 0.5)
            sources = torch.stack([F.avg_pool2d(source, 2) for source in sources.unbind(1)], dim=1)
        error = _pixel_errors(T_src_tgt, depth, target, sources, K, config)
        counted = _around(depth > 0).to(error.dtype)
        errors.append(image_mean(error * counted, counted).mean())
    return torch.stack(errors).mean()


def _pixel_errors(
    T_src_tgt: Tensor, depth: Tensor, target: Tensor, sources: Tensor, K: Tensor, config: PhotometricConfig
) -> Tensor:
    """What each pixel but the outermost counts with, (B, 1, H - 2, W - 2)."""
    warped_errors, still_errors = [], []
    for number in range(sources.shape[1]):
        source = sources[:, number]
        warped, seen = warp_source(source, depth, K, T_src_tgt[:, number], config.zbuffer)
        error = picture_error(warped, target, config.terms)
        warped_errors.append(torch.where(_around(seen), error, math.inf))
        still_errors.append(picture_error(source, target, config.terms))
    warped_error, still = (torch.stack(errors).amin(dim=0) for errors in (warped_errors, still_errors))
    counts = warped_error < still if config.auto_mask else warped_error < math.inf
    return torch.where(counts, warped_error, still)


def warp_source(
    source: Tensor, depth: Tensor, K: Tensor, T_src_tgt: Tensor, zbuffer: bool = False
) -> tuple[Tensor, Tensor]:
    """The source as it would look from the target.

    Args:
        source: the picture, (B, C, H, W).
        depth: z-depth of the target in metres, (B, 1, H, W); 0 where unknown.
        K: intrinsics of both, (B, 3, 3).
        T_src_tgt: target camera to source camera, (B, 4, 4).
        zbuffer: leave out what the source hides behind something nearer.

    Returns:
        The warped source, (B, C, H, W), and where it has a value, bool, (B, 1, H, W).
    """
    flow, known, points = rigid_flow(depth, K, T_src_tgt)
    pixels = flow + pixel_grid(flow)
    warped, inside = backwarp(source, pixels)
    seen = known & inside
    return warped, seen & visible_points(pixels, points[:, 2:3], known) if zbuffer else seen


def picture_error(prediction: Tensor, target: Tensor, weights: Mapping[str, float]) -> Tensor:
    """Weighted mix of errors at each pixel but the outermost, means of the colours.

    Args:
        prediction: RGB, (B, 3, H, W).
        target: RGB, (B, 3, H, W).
        weights: of l1, l2 and ssim; other names are left out.

    Returns:
        (B, 1, H - 2, W - 2).
    """
    difference = full_precision(prediction - target)[..., 1:-1, 1:-1]
    total = difference.new_zeros(len(target), 1, *difference.shape[2:])
    for name, error in PIXEL_ERRORS.items():
        if weights.get(name):
            value = dissimilarity(prediction, target) if error is None else error(difference).mean(dim=1, keepdim=True)
            total = total + weights[name] * value
    return total


#: Name in the config -> what it makes of a difference of colours; SSIM looks at windows of the pictures instead.
PIXEL_ERRORS: dict[str, Callable[[Tensor], Tensor] | None] = {"l1": torch.abs, "l2": torch.square, "ssim": None}
#: Name in the config -> term against the true motion.
TRUE_TERMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"rotation": rotation, "translation": translation, "xi": xi}


def check_motion_terms(terms: Mapping[str, float], further: tuple[str, ...], config: PhotometricConfig) -> None:
    """Refuse weights of terms that cannot be.

    Args:
        terms: weight of each term: those of :data:`TRUE_TERMS`, photometric, and ``further`` ones.
        further: other terms that there are.
        config: the mix of the photometric term.

    Raises:
        ConfigError: if a name is unknown, a weight out of range, or the photometric term empty.
    """
    check_terms(terms, (*TRUE_TERMS, "photometric", *further), "photometric")
    if terms.get("photometric") and not any(config.terms.get(name) for name in PIXEL_ERRORS):
        raise ConfigError(f"photometric.terms: give one of {', '.join(PIXEL_ERRORS)} a positive weight.")
    if config.scales < 1:
        raise ConfigError(f"photometric.scales {config.scales}: must be 1 or more; 1 is the full size alone.")


def motion_terms(
    names: Mapping[str, float], xi: Tensor, depth: Tensor | None, batch: Mapping[str, Tensor], config: PhotometricConfig
) -> dict[str, Tensor]:
    """Every named term on motions, before its weight.

    Args:
        names: terms with a weight; other names than those of motions are left out.
        xi: predicted motions, (B, S, 6).
        depth: z-depth of the target, (B, 1, H, W), for the photometric term.
        batch: what the terms need.
        config: the photometric term.
    """
    terms = {name: term(xi, batch["T_tgt_src"]) for name, term in TRUE_TERMS.items() if names.get(name)}
    if names.get("photometric"):
        assert depth is not None
        terms["photometric"] = photometric(xi, depth, batch, config)
    return terms


def halve_depth(depth: Tensor) -> Tensor:
    """Depth at half the size: the mean of what is known of 2x2 pixels, (B, 1, H // 2, W // 2); 0 where nothing is."""
    share = F.avg_pool2d((depth > 0).to(depth.dtype), 2)
    return torch.where(share > 0, F.avg_pool2d(depth, 2) / share.clamp(min=0.25), 0.0)


def _mean_length(vectors: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=-1)
    return lengths.mean()


def _around(mask: Tensor) -> Tensor:
    """Where all nine pixels of a window are true, (B, 1, H - 2, W - 2)."""
    return F.max_pool2d((~mask).float(), 3, 1) == 0
