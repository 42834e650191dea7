"""Move a depth map from the camera that measured it to the pixels of another camera."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import ShapeError

_MARGIN = 1.1


def register_depth(
    depth: NDArray[np.floating[Any]],
    K_depth: NDArray[np.floating[Any]],
    K_colour: NDArray[np.floating[Any]],
    T_colour_depth: NDArray[np.floating[Any]],
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """Depth as the colour camera would have measured it.

    Every known pixel is lifted, moved and projected. It covers the target pixels whose centres lie in its footprint: a
    rectangle about its projection, a tenth wider and higher than a pixel of the depth camera is in the colour camera
    (the ratio of the focal lengths), and at least one pixel. So neither an enlargement nor a reduction tears holes into
    a surface, unless it is so slanted that the two cameras see its width differ by more than that tenth. Where several
    land on one pixel the nearest wins (z-buffer). Where none lands the depth is unknown: what the depth camera did not
    see is not made up.

    Args:
        depth: z-depth in metres of the depth camera, (H, W); 0 where unknown.
        K_depth: intrinsics of the depth camera in pixels of ``depth``, (3, 3), last row (0, 0, 1).
        K_colour: intrinsics of the colour camera in pixels of the result, (3, 3), last row (0, 0, 1).
        T_colour_depth: depth camera to colour camera, metres, (4, 4).
        size: (H, W) of the result.

    Returns:
        z-depth in metres of the colour camera, ``size``, float32; 0 where unknown.

    Raises:
        ShapeError: if a shape differs.
    """
    _check_shapes(depth, K_depth, K_colour, T_colour_depth, size)
    height, width = size
    x, y, z = _project(np.asarray(depth, np.float32), K_depth, K_colour, T_colour_depth)
    spread_x, spread_y = (max(1.0, _MARGIN * float(K_colour[i, i] / K_depth[i, i])) for i in (0, 1))
    # +infinity stands for "nothing landed here"; one cell more than the image has takes what falls outside.
    nearest = np.full(height * width + 1, np.inf, np.float32)
    columns = list(_covered(x, spread_x, width))
    for row, row_inside in _covered(y, spread_y, height):
        first_cell = row * np.intp(width)
        for column, column_inside in columns:
            cell = np.where(row_inside & column_inside, first_cell + column, height * width)
            np.minimum.at(nearest, cell, z)
    registered = nearest[:-1].reshape(height, width)
    registered[np.isinf(registered)] = 0.0
    return registered


def _project(
    depth: NDArray[np.float32], K_depth: NDArray[Any], K_colour: NDArray[Any], T_colour_depth: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Pixel x, y and depth z in the colour camera of every known pixel, (N,) each.

    The homogeneous pixel in the colour camera is z A (x, y, 1) + b with A = K_c R K_d⁻¹ and b = K_c t: A (x, y, 1) is
    a sum of a row and a column vector, so that a pixel costs three products.
    """
    K_c, T = np.asarray(K_colour, np.float64), np.asarray(T_colour_depth, np.float64)
    A = K_c @ T[:3, :3] @ np.linalg.inv(np.asarray(K_depth, np.float64))
    b = (K_c @ T[:3, 3]).astype(np.float32)
    height, width = depth.shape
    known = np.flatnonzero(depth > 0)
    metres = depth.ravel()[known]
    along = A[:, 0, None] * np.arange(width)
    down = A[:, 1, None] * np.arange(height) + A[:, 2, None]

    def homogeneous(axis: int) -> NDArray[np.float32]:
        grid = (down[axis][:, None] + along[axis]).astype(np.float32)
        values: NDArray[np.float32] = grid.ravel()[known] * metres + b[axis]
        return values

    z = homogeneous(2)
    ahead = z > 0
    if not ahead.all():
        known, metres, z = known[ahead], metres[ahead], z[ahead]
    return homogeneous(0) / z, homogeneous(1) / z, z


def _covered(
    centre: NDArray[np.float32], spread: float, length: int
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.bool_]]]:
    """The whole numbers in [centre - spread / 2, centre + spread / 2): the first of each, the second, ...

    Yields:
        The numbers, and whether each is inside the footprint and inside 0 to ``length`` - 1.
    """
    half = np.float32(spread / 2)
    # What lies far outside is brought near first: it might not fit into the integer.
    start = np.ceil(np.clip(centre, -spread - 1.0, length + spread) - half).astype(np.int32)
    for step in range(math.ceil(spread)):
        pixel = start + np.int32(step)
        inside = pixel.view(np.uint32) < length  # a negative one is a large one here
        if step >= math.floor(spread):
            inside &= pixel < centre + half
        yield pixel, inside


def _check_shapes(depth: Any, K_depth: Any, K_colour: Any, T_colour_depth: Any, size: tuple[int, int]) -> None:
    if depth.ndim != 2:
        raise ShapeError(f"depth has shape {depth.shape}; expected (H, W).")
    for name, matrix, side in (
        ("K_depth", K_depth, 3),
        ("K_colour", K_colour, 3),
        ("T_colour_depth", T_colour_depth, 4),
    ):
        if matrix.shape != (side, side):
            raise ShapeError(f"{name} has shape {matrix.shape}; expected ({side}, {side}).")
    if len(size) != 2 or min(size) < 1:
        raise ShapeError(f"size {size}: expected (H, W), both at least 1.")
