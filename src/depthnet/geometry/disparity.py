"""Depth from the pixel disparity of a rectified stereo pair, and back.

Written against the array API standard, so NumPy arrays and torch tensors give their own kind back.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

from array_api_compat import array_namespace

from depthnet.errors import InputError

ArrayT = TypeVar("ArrayT", bound=Any)


def disparity_px_to_depth(disparity_px: ArrayT, focal_px: float, baseline_m: float, doffs: float = 0.0) -> ArrayT:
    """Depth of pixels whose match lies ``disparity_px`` further left in the right picture: Z = b·f / (d + doffs).

    Args:
        disparity_px: x_left − x_right in pixels, any shape; 0 or not finite where unknown.
        focal_px: focal length of the pair, pixels.
        baseline_m: distance of the two cameras, metres.
        doffs: cx_right − cx_left, pixels; 0 for pairs whose principal points agree.

    Returns:
        z-depth in metres, of the same shape; 0 where unknown, and where d + doffs is not positive (behind infinity).

    Raises:
        InputError: if focal length or baseline is not positive and finite, or doffs is not finite.

    Source: Hartley & Zisserman, Multiple View Geometry, sec. 9.3; doffs as in the Middlebury 2014 ``calib.txt``.
    """
    _check_rig(focal_px, baseline_m, doffs)
    return _reciprocal(disparity_px, focal_px * baseline_m, before=doffs, after=0.0)


def depth_to_disparity_px(depth: ArrayT, focal_px: float, baseline_m: float, doffs: float = 0.0) -> ArrayT:
    """Disparity of a rectified pair: d = b·f / Z − doffs; the inverse of :func:`disparity_px_to_depth`.

    Args:
        depth: z-depth in metres, any shape; 0 or not finite where unknown.
        focal_px: focal length of the pair, pixels.
        baseline_m: distance of the two cameras, metres.
        doffs: cx_right − cx_left, pixels.

    Returns:
        x_left − x_right in pixels, of the same shape; 0 where unknown.

    Raises:
        InputError: if focal length or baseline is not positive and finite, or doffs is not finite.
    """
    _check_rig(focal_px, baseline_m, doffs)
    return _reciprocal(depth, focal_px * baseline_m, before=0.0, after=-doffs)


def _reciprocal(values: ArrayT, numerator: float, before: float, after: float) -> ArrayT:
    """numerator / (values + before) + after where values are known and the sum is positive, else 0."""
    xp = array_namespace(values)
    if not xp.isdtype(values.dtype, "real floating"):
        values = xp.astype(values, xp.float32)
    known = xp.isfinite(values) & (values != 0) & (values + before > 0)
    divisor = xp.where(known, values + before, xp.ones_like(values))
    result: ArrayT = xp.where(known, numerator / divisor + after, xp.zeros_like(values))
    return result


def _check_rig(focal_px: float, baseline_m: float, doffs: float) -> None:
    for name, value, unit in (("focal length", focal_px, "px"), ("baseline", baseline_m, "m")):
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} {value:g} {unit}: it must be positive and finite; check the calibration.")
    if not math.isfinite(doffs):
        raise InputError(f"doffs {doffs:g} px: it must be finite; check the calibration.")
