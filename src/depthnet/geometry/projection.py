"""Points of one camera seen by another: moved, projected to pixels or flow, and hidden behind one another.

Written once against the array API standard, so every function takes NumPy arrays and torch tensors and gives the same
kind back. ``depth_to_points`` of `depthnet.geometry.camera` makes the points; `depthnet.geometry.warp` samples images
at the pixels.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

from array_api_compat import array_namespace, is_numpy_array
from array_api_compat import device as device_of

from depthnet.errors import ShapeError
from depthnet.geometry.camera import depth_to_points, points_to_pixels

ArrayT = TypeVar("ArrayT", bound=Any)

# A point of a z-buffer covers pixel centres at most so far from it, pixels.
_REACH = 0.75


def transform_points(points: ArrayT, T_tgt_src: ArrayT) -> ArrayT:
    """Points of the source frame in the target frame, p_tgt = T_tgt_src p_src.

    Args:
        points: metres, (B, 3, H, W).
        T_tgt_src: rigid transforms, (B, 4, 4).

    Returns:
        Points in metres, (B, 3, H, W).

    Raises:
        ShapeError: if a shape differs.
    """
    if points.ndim != 4 or points.shape[1] != 3:
        raise ShapeError(f"points has shape {tuple(points.shape)}; expected (B, 3, H, W).")
    if tuple(T_tgt_src.shape) != (points.shape[0], 4, 4):
        raise ShapeError(
            f"T_tgt_src has shape {tuple(T_tgt_src.shape)}; expected ({points.shape[0]}, 4, 4), one for each of points."
        )
    xp = array_namespace(points, T_tgt_src)
    T = xp.astype(T_tgt_src, points.dtype)
    moved = T[:, :3, :3] @ xp.reshape(points, (*points.shape[:2], -1)) + T[:, :3, 3:4]
    result: ArrayT = xp.reshape(moved, points.shape)
    return result


def project_points(points: ArrayT, K: ArrayT) -> tuple[ArrayT, ArrayT]:
    """Project points of the camera frame, with a mask in place of the NaN of ``points_to_pixels``.

    Args:
        points: metres, (B, 3, H, W).
        K: intrinsics in pixels, (B, 3, 3), last row (0, 0, 1).

    Returns:
        Pixels (x, y), (B, 2, H, W), also outside the image, always finite; and whether the point is in front of the
        camera, (B, 1, H, W). Where it is not, the pixel is (0, 0) and its gradient 0.

    Raises:
        ShapeError: if a shape differs.
    """
    pixels = points_to_pixels(points, K)
    xp = array_namespace(pixels)
    in_front = points[:, 2:3] > 0
    return xp.where(in_front, pixels, xp.zeros_like(pixels)), in_front


def pixel_grid(maps: ArrayT) -> ArrayT:
    """Coordinates (x, y) of every pixel of a map.

    Args:
        maps: any map of the wanted size, floating type and device, (B, C, H, W).

    Returns:
        Pixels, (1, 2, H, W); the centre of the top-left one is (0, 0).
    """
    xp = array_namespace(maps)
    height, width = maps.shape[-2:]
    where = {"dtype": maps.dtype, "device": device_of(maps)}
    x = xp.broadcast_to(xp.arange(width, **where)[None, :], (height, width))
    y = xp.broadcast_to(xp.arange(height, **where)[:, None], (height, width))
    grid: ArrayT = xp.stack([x, y])[None]
    return grid


def rigid_flow(
    depth: ArrayT, K_tgt: ArrayT, T_src_tgt: ArrayT, K_src: ArrayT | None = None
) -> tuple[ArrayT, ArrayT, ArrayT]:
    """Where each pixel of the target image lies in the source image, if nothing moved but the camera.

    Args:
        depth: z-depth of the target in metres, (B, 1, H, W); 0 where unknown.
        K_tgt: intrinsics of the target in pixels, (B, 3, 3).
        T_src_tgt: target camera to source camera, (B, 4, 4).
        K_src: intrinsics of the source in pixels, (B, 3, 3); by default those of the target.

    Returns:
        Flow in pixels, source minus target, (B, 2, H, W); whether it is known, (B, 1, H, W): the depth is, and the
        point is in front of the source camera (elsewhere the flow is 0); and the points in the source camera, metres,
        (B, 3, H, W).

    Raises:
        ShapeError: if a shape differs.
    """
    points = transform_points(depth_to_points(depth, K_tgt), T_src_tgt)
    pixels, in_front = project_points(points, K_tgt if K_src is None else K_src)
    known = in_front & (depth > 0)
    xp = array_namespace(pixels)
    return xp.where(known, pixels - pixel_grid(depth), xp.zeros_like(pixels)), known, points


def visible_points(
    pixels: ArrayT, depth: ArrayT, known: ArrayT, size: tuple[int, int] | None = None, tolerance: float = 0.05
) -> ArrayT:
    """Which points the camera sees: those inside the image with nothing nearer before them (z-buffer).

    Every known point covers the pixel centres within 3/4 pixel of its projection, so that a surface seen up to one and
    a half times as large has no holes; each pixel keeps its nearest depth. A point is hidden when the pixel next to its
    projection holds a depth nearer than its own by more than the tolerance, which leaves slanted surfaces whole.

    Args:
        pixels: projections (x, y), (B, 2, H, W), finite.
        depth: z of the points in that camera in metres, (B, 1, H, W).
        known: points that exist and are in front of the camera, (B, 1, H, W).
        size: (H, W) of the camera's image; by default that of the maps.
        tolerance: share of the depth.

    Returns:
        True where the point is seen, (B, 1, H, W).

    Raises:
        ShapeError: if a shape differs.
    """
    shape = (pixels.shape[0], 1, *pixels.shape[2:])
    for name, array in (("depth", depth), ("known", known)):
        if pixels.ndim != 4 or pixels.shape[1] != 2 or tuple(array.shape) != shape:
            raise ShapeError(
                f"pixels {tuple(pixels.shape)} and {name} {tuple(array.shape)}: expected (B, 2, H, W), (B, 1, H, W)."
            )
    xp = array_namespace(pixels, depth)
    height, width = size or pixels.shape[-2:]
    batch = xp.reshape(xp.arange(shape[0], device=device_of(pixels)), (shape[0], 1, 1))
    nowhere = shape[0] * height * width

    def cells(x: ArrayT, y: ArrayT) -> ArrayT:
        """Flat place in the images of the batch; the one behind them all for what is outside or unknown."""
        inside = known[:, 0] & (x >= 0) & (x < width) & (y >= 0) & (y < height)
        column, row = (xp.astype(xp.where(inside, v, xp.zeros_like(v)), xp.int64) for v in (x, y))
        flat: ArrayT = xp.where(inside, (batch * height + row) * width + column, xp.full_like(column, nowhere))
        return flat

    x, y = pixels[:, 0], pixels[:, 1]
    columns, rows = ((xp.ceil(v - _REACH), xp.floor(v + _REACH)) for v in (x, y))
    corners = [cells(column, row) for column in columns for row in rows]
    nearest = _least_of_each(xp.concat([xp.reshape(c, (-1,)) for c in corners]), depth, len(corners), nowhere + 1)
    place = cells(xp.floor(x + 0.5), xp.floor(y + 0.5))
    front = xp.reshape(xp.take(nearest, xp.reshape(place, (-1,))), shape)
    visible: ArrayT = (place[:, None] < nowhere) & (depth * (1.0 - tolerance) <= front)
    return visible


def _least_of_each(cells: ArrayT, depth: ArrayT, repeats: int, count: int) -> ArrayT:
    """The least depth of each cell, (count,), infinite where none; ``cells`` are those of ``depth`` several times."""
    xp = array_namespace(cells, depth)
    values = xp.concat([xp.reshape(depth, (-1,))] * repeats)
    least: ArrayT = xp.full((count,), math.inf, dtype=values.dtype, device=device_of(values))
    if is_numpy_array(values):
        import numpy as np

        np.minimum.at(least, cells, values)
        return least
    reduced: ArrayT = least.scatter_reduce(0, cells, values.detach(), "amin")  # the array API has no scatter
    return reduced
