"""The published MATLAB steps from a raw pair to depth in the colour picture, with all that is odd about them.

Made to compare with the literature, whose sets were made so. What differs from `nyu_registration`:

- "No measurement" is the largest value of the frame, whatever it is.
- Disparity is undistorted by interpolation. The mask that should keep unmeasured pixels out of it was undistorted
  before, but is looked up at places of the distorted frame.
- What the lens did not see has disparity 0 then, and all below 600 counts (0.71 m) is thrown away.
- Pixels are lifted counted from 1, though the calibration counts from 0.
- The last row and the last column never get a value.
- Depth stays that of the depth camera, and is capped at 10 m.
- What the lens did not see in colour is white.

Source: the authors' toolbox (project_depth_map.m, undistort.m, undistort_depth.m, depth_rel2depth_abs.m,
rgb_world2rgb_plane.m).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.prepare.nyu_raw.calibration import (
    COLOUR_CAMERA,
    DEPTH_CAMERA,
    NO_DISPARITY,
    TOOLBOX_MAX_DEPTH,
    Floats,
    disparity_to_metres,
    toolbox_transform,
)
from depthnet.prepare.nyu_raw.undistortion import bilinear_map, undistort_image

#: Fewer counts than this are dropped after interpolation.
_MIN_DISPARITY = 600


def project_depth_map(disparity: NDArray[np.uint16], image: NDArray[np.uint8]) -> tuple[Floats, NDArray[np.uint8]]:
    """Depth on the pixels of the undistorted colour picture, as the toolbox computes it.

    Args:
        disparity: raw counts of the depth camera, (H, W).
        image: RGB, (H, W, 3).

    Returns:
        z-depth in metres of the depth camera at pixels of the colour camera, (H, W), 0 where unknown; and the
        undistorted RGB picture, (H, W, 3).
    """
    straight = undistort_image(image, COLOUR_CAMERA, border=255)
    noise = _undistort_noise(disparity == disparity.max())
    counts = _undistort_disparity(disparity, noise)
    counts[counts < _MIN_DISPARITY] = NO_DISPARITY
    counts[noise] = NO_DISPARITY
    metres = np.clip(disparity_to_metres(counts), 0.0, TOOLBOX_MAX_DEPTH)
    return _project(metres), straight


def _undistort_noise(noise: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True where any neighbour with weight is noise, and where the lens did not see; (H, W)."""
    lookup = bilinear_map(DEPTH_CAMERA, (noise.shape[0], noise.shape[1]))
    straight = lookup.apply(noise) > 0
    straight.ravel()[lookup.outside] = True
    return straight


def _undistort_disparity(disparity: NDArray[Any], noise: NDArray[np.bool_]) -> Floats:
    """Mean of the neighbours that ``noise`` does not name, 0 where it names all or the lens did not see; (H, W)."""
    lookup = bilinear_map(DEPTH_CAMERA, (disparity.shape[0], disparity.shape[1]))
    counts, clean = disparity.astype(np.float64).ravel(), (~noise).ravel()
    total, whole = np.zeros(counts.size), np.zeros(counts.size)
    weights = [(index, weight * clean.take(index)) for index, weight in lookup.neighbours()]
    for _, weight in weights:
        whole += weight
    used = whole > 0
    whole[~used] = 1.0
    for index, weight in weights:
        total += weight / whole * counts.take(index)
    total[lookup.outside] = 0.0
    return total.reshape(disparity.shape)


def _project(metres: Floats) -> Floats:
    """Move depth, (H, W), to the pixels of the colour camera; the nearest wins."""
    height, width = metres.shape
    column, row = np.arange(1.0, width + 1.0)[None, :], np.arange(1.0, height + 1.0)[:, None]
    points = np.stack([
        ((column - DEPTH_CAMERA.cx) * metres / DEPTH_CAMERA.fx).ravel(),
        ((row - DEPTH_CAMERA.cy) * metres / DEPTH_CAMERA.fy).ravel(),
        metres.ravel(),
    ])  # fmt: skip
    R, T = toolbox_transform()
    X, Y, Z = R @ points + T[:, None]
    x = _round(X * COLOUR_CAMERA.fx / Z + COLOUR_CAMERA.cx)
    y = _round(Y * COLOUR_CAMERA.fy / Z + COLOUR_CAMERA.cy)
    kept = np.flatnonzero((x > 0) & (x < width) & (y > 0) & (y < height))
    landed = ((y[kept] - 1) * width + x[kept] - 1).astype(np.intp)
    nearest = np.full(metres.size, np.inf)
    np.minimum.at(nearest, landed, metres.ravel()[kept])
    nearest[np.isinf(nearest)] = 0.0
    return nearest.reshape(metres.shape)


def _round(values: Floats) -> Floats:
    """MATLAB's round for positive values: halves go up, and 0.49999999999999994 does not."""
    whole = np.floor(values)
    return whole + (values - whole >= 0.5)
