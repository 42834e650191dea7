"""Sampling an image at pixel coordinates: what a second picture looks like from where the first was taken.

PyTorch only, and imported inside the functions. Pixels are (x, y) with integer centres: (0, 0) is the centre of the
top-left pixel and (W - 1, H - 1) that of the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from depthnet.errors import ShapeError
from depthnet.geometry.projection import pixel_grid

if TYPE_CHECKING:
    from torch import Tensor


def backwarp(image: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Sample an image bilinearly at pixel coordinates.

    Args:
        image: any channels, (B, C, H, W).
        pixels: (x, y) in pixels of ``image`` for each pixel of the result, (B, 2, h, w); NaN or infinite where there
            is none, as `depthnet.geometry.camera.points_to_pixels` gives behind the camera.

    Returns:
        The samples, (B, C, h, w), 0 where not valid; and where the coordinate lies within the centres of the outermost
        pixels, bool, (B, 1, h, w). Half-precision input is computed in float32. Both arguments have a gradient: that of
        an invalid sample is 0, that of a coordinate the slope between its neighbours.

    Raises:
        ShapeError: if a shape differs.

    Source: Jaderberg et al., Spatial Transformer Networks, NIPS 2015, eq. 5.
    """
    import torch
    import torch.nn.functional as F

    if image.ndim != 4 or pixels.ndim != 4 or pixels.shape[1] != 2 or image.shape[0] != pixels.shape[0]:
        raise ShapeError(
            f"image {tuple(image.shape)} and pixels {tuple(pixels.shape)}; expected (B, C, H, W) and (B, 2, h, w)."
        )
    dtype = torch.promote_types(torch.promote_types(image.dtype, pixels.dtype), torch.float32)
    image, pixels = image.to(dtype), pixels.to(dtype)
    last = pixels.new_tensor([image.shape[3] - 1, image.shape[2] - 1]).view(1, 2, 1, 1)
    valid = ((pixels >= 0) & (pixels <= last)).all(dim=1, keepdim=True)
    # grid_sample counts from the outer edges of the outermost pixels, -1 to 1 (align_corners=False).
    grid = (2 * torch.where(valid, pixels, 0.0) + 1) / (last + 1) - 1
    samples = F.grid_sample(
        image, grid.permute(0, 2, 3, 1), mode="bilinear", padding_mode="border", align_corners=False
    )
    return torch.where(valid, samples, 0.0), valid


def warp_by_disparity(right: Tensor, disparity_px: Tensor) -> tuple[Tensor, Tensor]:
    """The left picture of a rectified pair as the right one shows it: left pixel x is right pixel x - disparity_px.

    Args:
        right: the right picture, (B, C, H, W).
        disparity_px: pixels, for each pixel of the left picture, (B, 1, H, W); may be negative.

    Returns:
        The warped picture, (B, C, H, W), 0 where not valid; and where the match lies inside the right picture, bool,
        (B, 1, H, W).

    Raises:
        ShapeError: if a shape differs.

    Source: Garg et al., ECCV 2016, eq. 1.
    """
    import torch

    if right.ndim != 4 or disparity_px.shape != (right.shape[0], 1, *right.shape[2:]):
        raise ShapeError(
            f"right {tuple(right.shape)} and disparity_px {tuple(disparity_px.shape)}; "
            "expected (B, C, H, W) and (B, 1, H, W)."
        )
    dtype = torch.promote_types(disparity_px.dtype, torch.float32)
    grid = pixel_grid(disparity_px.to(dtype))
    return backwarp(right, torch.cat([grid[:, :1] - disparity_px, grid[:, 1:].expand_as(disparity_px)], dim=1))
