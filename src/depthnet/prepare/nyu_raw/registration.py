"""Raw Kinect disparity to the colour camera's depth: each pixel is lifted along its own ray, moved and projected.

The lens of the depth camera is undone by the rays, so no value is interpolated: what lands in the result was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import ShapeError
from depthnet.prepare.nyu_raw.calibration import (
    COLOUR_CAMERA,
    DEPTH_CAMERA,
    NO_DISPARITY,
    RAW_SIZE,
    colour_from_depth,
    disparity_to_metres,
)

Singles = NDArray[np.float32]


def register_disparity(disparity: NDArray[np.uint16], min_depth: float = 0.4, max_depth: float = 10.0) -> Singles:
    """Depth as the colour camera would have measured it, in its undistorted picture.

    Where several pixels land on one, the nearest to the camera wins (z-buffer). The colour camera sees wider than the
    depth camera, so that a surface which faces them has no gaps.

    Args:
        disparity: raw counts of the depth camera, (480, 640), 0 to 2047; 2047 where nothing was measured.
        min_depth: nearer than this, metres, is not believed.
        max_depth: farther than this, metres, is not believed.

    Returns:
        z-depth in metres of the colour camera, (480, 640); 0 where unknown.

    Raises:
        ShapeError: if the frame has another size: the calibration holds for this one.
    """
    if disparity.shape != RAW_SIZE:
        raise ShapeError(f"disparity has shape {disparity.shape}; the calibration of the sensor is for {RAW_SIZE}.")
    height, width = RAW_SIZE
    lift, table = _lift(), _metres(min_depth, max_depth)
    metres = table.take(disparity.ravel(), mode="clip")
    measured = np.flatnonzero(metres)
    metres = metres.take(measured)
    x, y, z = (lift.rays[axis].take(measured) * metres + lift.offset[axis] for axis in range(3))
    x /= z
    y /= z
    x += np.float32(0.5)
    y += np.float32(0.5)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    # One cell more than there are pixels: it takes what lands outside.
    nearest = np.full(height * width + 1, np.inf, np.float32)
    with np.errstate(invalid="ignore"):
        landed = np.where(inside, y.astype(np.int32) * width + x.astype(np.int32), height * width)
    np.minimum.at(nearest, landed, z)
    registered = nearest[:-1].reshape(RAW_SIZE)
    registered[np.isinf(registered)] = 0.0
    return registered


@dataclass(frozen=True)
class _Lift:
    """Homogeneous pixel in the colour camera of depth z at a pixel of the depth camera: rays · z + offset."""

    rays: Singles
    """(3, H·W)."""
    offset: Singles
    """(3,)."""


@cache
def _lift() -> _Lift:
    height, width = RAW_SIZE
    row, column = np.mgrid[0:height, 0:width].astype(np.float64).reshape(2, -1)
    camera = DEPTH_CAMERA
    x, y = camera.undistort((column - camera.cx) / camera.fx, (row - camera.cy) / camera.fy)
    T_colour_depth = colour_from_depth()
    rays = COLOUR_CAMERA.K @ T_colour_depth[:3, :3] @ np.stack([x, y, np.ones_like(x)])
    offset = COLOUR_CAMERA.K @ T_colour_depth[:3, 3]
    return _Lift(np.ascontiguousarray(rays, np.float32), offset.astype(np.float32))


@cache
def _metres(min_depth: float, max_depth: float) -> Singles:
    """Depth of each of the 2048 raw values; 0 for those that are no measurement."""
    metres = disparity_to_metres(np.arange(NO_DISPARITY + 1))
    metres[NO_DISPARITY] = 0.0
    return np.where((metres >= min_depth) & (metres <= max_depth), metres, 0.0).astype(np.float32)
