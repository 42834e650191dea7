"""Velodyne scans: reading the points and projecting them to a sparse depth map.

Two variants of the projection. ``z`` is right for training and for measuring: depth is z of the rectified camera whose
image it belongs to, in the pixel whose centre is nearest ((0, 0) is the centre of the top-left pixel), and where points
meet in a pixel the nearest stays. ``literature`` repeats, number by number, what monodepth, SfMLearner and their
followers score against: points with velodyne x < 0 are dropped (a stand-in for "behind the camera"), pixels are rounded
and then moved up and left by one ("to match the MATLAB code"), and depth is the forward distance x from the *velodyne*,
which stands 0.27 m behind the camera. There the key that finds points of one pixel is row·(W − 1) + column − 1, so the
last pixel of a row is taken for the first of the next; this touches border columns only, which Garg's crop removes.

Source: Geiger et al., IJRR 2013, eq. 8 (projection); C. Godard et al., monodepth, evaluation_utils.py (the variant).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import ConfigError, InputError, ShapeError

Variant = Literal["z", "literature"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)

_BYTES_PER_POINT = 16
_FARTHEST_M = 250.0
"""The sensor (HDL-64E) sees 120 m; what lies farther shows another unit or other bytes."""


def read_velodyne(path: str | Path) -> NDArray[np.float32]:
    """Read a scan: little-endian float32, four numbers a point.

    Args:
        path: a ``.bin`` of KITTI.

    Returns:
        Points x forward, y left, z up (metres) and reflectance (0 to 1), (N, 4).

    Raises:
        InputError: if the file is missing, empty, no multiple of 16 bytes (truncated), or holds what no scan holds:
            NaN, points beyond 250 m, reflectances outside 0 to 1.
    """
    path = Path(path)
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the path.") from error
    if not blob or len(blob) % _BYTES_PER_POINT:
        raise InputError(
            f"{path}: {len(blob)} bytes; a velodyne scan has 16 for each of its points (float32 x, y, z, reflectance); "
            "the file is truncated or of another kind: copy it again."
        )
    points = np.frombuffer(blob, dtype="<f4").reshape(-1, 4).astype(np.float32, copy=False)
    columns = np.ascontiguousarray(points.T)  # NumPy reduces rows of a few numbers 30 times slower
    low, high = columns.min(axis=1), columns.max(axis=1)  # NaN anywhere makes the comparisons false
    if not (low[:3].min() >= -_FARTHEST_M and high[:3].max() <= _FARTHEST_M and low[3] >= 0 and high[3] <= 1.01):
        raise InputError(
            f"{path}: coordinates from {low[:3].min():.4g} to {high[:3].max():.4g} and reflectances from {low[3]:.4g} "
            f"to {high[3]:.4g}; a scan has metres within {_FARTHEST_M:g} and reflectances from 0 to 1: it is damaged, "
            "in another unit or of another kind: copy it again."
        )
    return points


def project_velodyne(
    points: NDArray[np.floating[Any]],
    projection: NDArray[np.float64],
    size: tuple[int, int],
    variant: Variant = "z",
) -> NDArray[np.float32]:
    """Project a scan to a sparse depth map.

    Args:
        points: metres, (N, 3) or (N, 4); a fourth column is not looked at.
        projection: velodyne points to pixels times z, (3, 4): `KittiCalibration.velodyne_projection`.
        size: (H, W) of the image.
        variant: "z" or "literature", see above.

    Returns:
        Depth in metres, (H, W); 0 where no point lands.

    Raises:
        ShapeError: if a shape differs.
        ConfigError: if the variant is unknown.
    """
    if points.ndim != 2 or points.shape[1] not in (3, 4) or projection.shape != (3, 4):
        raise ShapeError(f"points {points.shape}, projection {projection.shape}; expected (N, 3) or (N, 4) and (3, 4).")
    if variant == "z":
        return _project_z(points, projection, size)
    if variant == "literature":
        return _project_literature(points, projection, size)
    raise ConfigError(f"velodyne variant '{variant}': unknown; choose one of {', '.join(VARIANTS)}.")


def _project_z(
    points: NDArray[np.floating[Any]], projection: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float32]:
    height, width = size
    u, v, z = projection[:, :3] @ _may_land(points, projection, size, in_front_of="camera") + projection[:, 3:]
    with np.errstate(divide="ignore", invalid="ignore"):
        column, row = np.rint(u / z), np.rint(v / z)
    inside = np.flatnonzero((column >= 0) & (column < width) & (row >= 0) & (row < height) & (z > 0))
    pixel = row.take(inside).astype(np.intp) * width + column.take(inside).astype(np.intp)
    depth = np.zeros(height * width, dtype=np.float32)
    depth[pixel] = np.inf
    np.minimum.at(depth, pixel, z.take(inside).astype(np.float32))
    return depth.reshape(height, width)


def _project_literature(
    points: NDArray[np.floating[Any]], projection: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float32]:
    height, width = size
    points = _may_land(points, projection, size, in_front_of="velodyne")
    u, v, w = projection[:, :3] @ points + projection[:, 3:]
    with np.errstate(divide="ignore", invalid="ignore"):
        column, row = np.rint(u / w) - 1.0, np.rint(v / w) - 1.0
    inside = np.flatnonzero((column >= 0) & (column < width) & (row >= 0) & (row < height))
    rows, columns = row.take(inside).astype(np.intp), column.take(inside).astype(np.intp)
    forward = points[0].take(inside)
    depth = np.zeros((height, width))
    depth[rows, columns] = forward  # of the points in one pixel the last one stays ...
    key = rows * (width - 1) + columns - 1
    order = np.argsort(key, kind="stable")
    ordered = key.take(order)
    starts = np.flatnonzero(np.concatenate([[len(order) > 0], ordered[1:] != ordered[:-1]]))
    if len(starts):
        # ... and then the pixel of the first point of each key that occurs twice takes the nearest of that key.
        nearest = np.minimum.reduceat(forward.take(order), starts)
        several = np.diff(starts, append=len(order)) > 1
        first = order[starts[several]]
        depth[rows[first], columns[first]] = nearest[several]
    return np.maximum(depth, 0.0).astype(np.float32)


def _may_land(
    points: NDArray[np.floating[Any]],
    projection: NDArray[np.float64],
    size: tuple[int, int],
    in_front_of: Literal["camera", "velodyne"],
) -> NDArray[np.float64]:
    """x, y, z, (3, M), of the points in front that land in the image or near it, by a first projection in float32.

    Points nearer to the image plane than 0.1 m, which a small error moves far, are all kept.
    """
    margin = np.float32(3.0)
    xyz = np.ascontiguousarray(points[:, :3].T, dtype=np.float32)
    u, v, w = projection[:, :3].astype(np.float32) @ xyz + projection[:, 3:].astype(np.float32)
    outside = (u < -margin * w) | (u > (size[1] + margin) * w) | (v < -margin * w) | (v > (size[0] + margin) * w)
    in_front = xyz[0] >= 0 if in_front_of == "velodyne" else w > -0.1
    chosen = np.flatnonzero(in_front & ~(outside & (w > 0.1)))
    return np.stack([axis.take(chosen) for axis in xyz]).astype(np.float64)
