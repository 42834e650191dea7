"""Differences and means within one image, for losses that average each image over its own pixels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from depthnet.errors import ShapeError

Axis = Literal[2, 3]
#: Along x, then along y.
AXES: tuple[Axis, Axis] = (3, 2)


def full_precision(x: Tensor) -> Tensor:
    """At least float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def image_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of each image over its mask, (B, 1, 1, 1); x is 0 outside the mask. 0 where the mask is empty."""
    return x.sum(dim=(1, 2, 3), keepdim=True) / mask.sum(dim=(1, 2, 3), keepdim=True).clamp(min=1)


def shifted(x: Tensor, axis: Axis, step: int) -> tuple[Tensor, Tensor]:
    """x(i) and x(i + step) for every i that has both; empty where the image is shorter."""
    length = max(x.shape[axis] - step, 0)
    start = x.shape[axis] - length
    return x.narrow(axis, 0, length), x.narrow(axis, start, length)


def step_along(x: Tensor, axis: Axis, step: int = 1) -> Tensor:
    """x(i + step) - x(i) along an axis."""
    first, second = shifted(x, axis, step)
    return second - first


def edge_aware_change(values: Tensor, image: Tensor) -> Tensor:
    """Mean change of a map between neighbours, counted less where the image changes too.

    Per image, mean_x( exp(-|∂x I|) |∂x v| ) + mean_y( exp(-|∂y I|) |∂y v| ), with forward differences and |∂ I| the
    mean of the three colours' absolute differences.

    Args:
        values: any map, (B, 1, H, W).
        image: RGB in [0, 1], (B, 3, H, W).

    Returns:
        One number per image, (B, 1, 1, 1).

    Raises:
        ShapeError: if the two do not fit.

    Source: Godard, Mac Aodha and Brostow, CVPR 2017, sec. 3.3, disparity smoothness.
    """
    if image.ndim != 4 or image.shape[0] != values.shape[0] or image.shape[2:] != values.shape[2:]:
        raise ShapeError(f"image {tuple(image.shape)} does not fit the prediction {tuple(values.shape)}.")
    total = values.new_zeros(values.shape[0], 1, 1, 1)
    for axis in AXES:
        edge = step_along(image.to(values.dtype), axis).abs().mean(dim=1, keepdim=True)
        change = step_along(values, axis).abs() * torch.exp(-edge)
        total = total + change.sum(dim=(1, 2, 3), keepdim=True) / max(change[0].numel(), 1)
    return total
