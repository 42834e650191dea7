"""The surfaces that a depth map shows: where one ends and the next begins, pixels that fly between, triangles.

Networks blur the step between a chair and the wall behind it to a ramp, and a resize does the same; as points, the
ramp flies in the air between the two. The rule that finds it:

- Along a row or column, a surface whose tangent makes the angle psi with the ray of the pixel changes its range r (the
  distance from the camera) by d ln r / d phi = cot psi, phi being the direction of the ray. A step between two pixels
  is **steep** when the surface through both would be seen at less than ``GRAZING_DEG``. This knows no unit, focal
  length or picture size.
- A floor or road is seen so, too, far away, but then it goes on, and 1/z is linear in the pixel on every plane: a steep
  step is part of a surface when the mean slope of 1/z between ``REACH_DEG`` and twice as much beside it, on one of its
  two sides, is at least ``SAME`` of its own. Every other steep step is a **cut**; beside the border of the picture,
  where there is nothing to compare with, it may be a surface.
- A pixel **flies** when it lies between two cuts that go the same way. The ends of a ramp stay with their surfaces, and
  a thin pole before a wall, where the way turns, stays whole.

Source: the limit of the angle between the ray and the line through neighbouring points is a rule of laser scanners for
mixed pixels: P. Tang, D. Huber, B. Akinci, A Comparative Analysis of Depth-Discontinuity and Mixed-Pixel Detection
Algorithms, 3DIM 2007; ROS's ScanShadowsFilter has 10 degrees in its example. The second point is depthnet's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import ShapeError
from depthnet.geometry.camera import depth_to_points

GRAZING_DEG = 10.0
"""A surface seen at a smaller angle is taken for a gap, unless it goes on."""
REACH_DEG = 4.0
"""So far from a pixel, in degrees of the view, it is looked whether its surface goes on: farther than a blurred step
reaches."""
SAME = 0.5
"""Slopes of one surface differ by no more than this factor."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Surface:
    """A depth map as a grid of points, joined where they lie on one surface."""

    points: NDArray[np.float32]
    """Metres in camera axes (x right, y down, z forward), (H, W, 3)."""
    solid: Mask
    """Pixels whose depth is known and that do not fly between two surfaces, (H, W)."""
    cut_x: Mask
    """Whether a cut lies between a pixel and the one on its right, (H, W - 1)."""
    cut_y: Mask
    """Whether a cut lies between a pixel and the one below it, (H - 1, W)."""

    def faces(self) -> NDArray[np.int32]:
        """Triangles of neighbouring solid pixels without a cut between them.

        Returns:
            Places of their corners in the flattened grid, (F, 3), counter-clockwise as the camera sees them.
        """
        places = np.arange(self.solid.size, dtype=np.int32).reshape(self.solid.shape)
        corners = (np.s_[:-1, :-1], np.s_[:-1, 1:], np.s_[1:, :-1], np.s_[1:, 1:])
        a, b, c, d = (places[corner] for corner in corners)
        solid_a, solid_b, solid_c, solid_d = (self.solid[corner] for corner in corners)
        upper = solid_a & solid_b & solid_c & ~self.cut_x[:-1] & ~self.cut_y[:, :-1]
        lower = solid_b & solid_c & solid_d & ~self.cut_x[1:] & ~self.cut_y[:, 1:]
        halves = ((a[upper], c[upper], b[upper]), (b[lower], c[lower], d[lower]))
        return np.concatenate([np.stack(half, axis=1) for half in halves])


def depth_to_surface(depth: NDArray[np.floating[Any]], K: NDArray[np.floating[Any]]) -> Surface:
    """Lift a depth map to points, and find the cuts between its surfaces and the pixels that fly there.

    Args:
        depth: z-depth in metres, (H, W); 0 or not finite where unknown.
        K: intrinsics in pixels of this size, (3, 3), without skew.

    Raises:
        ShapeError: if a shape differs.
    """
    if depth.ndim != 2 or K.shape != (3, 3):
        raise ShapeError(f"depth {depth.shape} and K {K.shape}: expected (H, W) and (3, 3).")
    known = np.isfinite(depth) & (depth > 0)
    metres = np.where(known, depth, 0).astype(np.float32, copy=False)
    points = np.moveaxis(depth_to_points(metres[None, None], K[None])[0], 0, -1)
    (fx, fy), (cx, cy) = (float(K[0, 0]), float(K[1, 1])), (float(K[0, 2]), float(K[1, 2]))
    ray_x = ((np.arange(depth.shape[1], dtype=np.float32) - cx) / fx)[None, :]
    ray_y = ((np.arange(depth.shape[0], dtype=np.float32) - cy) / fy)[:, None]
    depth = np.where(known, metres, np.float32(math.nan))
    cut_x, flying_x = _cut_rows(depth, ray_x, ray_y, fx)
    cut_y, flying_y = _cut_rows(depth.T, ray_y.T, ray_x.T, fy)
    return Surface(points, known & ~flying_x & ~flying_y.T, cut_x, cut_y.T)


def _cut_rows(
    depth: NDArray[np.float32], along: NDArray[np.float32], across: NDArray[np.float32], focal_px: float
) -> tuple[Mask, Mask]:
    """Cuts between the pixels of each row, (H, W - 1), and the pixels that fly between two of them, (H, W).

    Args:
        depth: metres, (H, W); NaN where unknown, which compares as neither steep nor going on.
        along: x / z of the rays, (1, W).
        across: y / z of the rays, (H, 1).
        focal_px: focal length along the row.
    """
    log_range = np.log(depth) + 0.5 * np.log1p(along**2 + across**2)
    steps = np.diff(log_range, axis=1)
    middle = (along[:, 1:] + along[:, :-1]) / 2
    angles = np.sqrt(1 + across**2) / (focal_px * (1 + middle**2 + across**2))  # between neighbouring rays
    cuts = np.abs(steps) > angles / math.tan(math.radians(GRAZING_DEG))
    cuts &= ~_goes_on(np.reciprocal(depth), max(1, round(math.radians(REACH_DEG) * focal_px)))
    flying = np.zeros(depth.shape, bool)
    flying[:, 1:-1] = cuts[:, 1:] & cuts[:, :-1] & ((steps[:, 1:] > 0) == (steps[:, :-1] > 0))
    return cuts, flying


def _goes_on(inverse: NDArray[np.float32], reach: int) -> Mask:
    """Whether each step's slope of 1/z, (H, W - 1), is met again ``reach`` to ``2 * reach`` pixels beside it."""
    last = inverse.shape[1] - 1
    slope = np.diff(inverse, axis=1)
    same = np.zeros(slope.shape, bool)
    left = np.arange(last)
    for start, end in ((left - 2 * reach, left - reach), (left + 1 + reach, left + 1 + 2 * reach)):
        start, end = np.clip(start, 0, last), np.clip(end, 0, last)
        mean = (inverse[:, end] - inverse[:, start]) / np.maximum(end - start, 1).astype(np.float32)
        same |= mean * np.sign(slope) >= SAME * np.abs(slope)
    return same
