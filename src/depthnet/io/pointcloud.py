"""Coloured point clouds on disk: PLY in camera axes, GLB upright for viewers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import ShapeError
from depthnet.io.files import atomic_path

_PLY_VERTEX = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])


def write_points_ply(
    path: str | Path, points: NDArray[np.floating[Any]], colours: NDArray[np.uint8], overwrite: bool = True
) -> None:
    """Write a coloured point cloud as binary little-endian PLY, in the axes of the points.

    depthnet's points have OpenCV camera axes (x right, y down, z forward), so that the file can be compared
    with other clouds of that camera; a viewer with y up shows it upside down until it is turned.

    Args:
        path: the file.
        points: metres, (N, 3).
        colours: 8-bit RGB, (N, 3).
        overwrite: False raises when the file is there already.

    Raises:
        ShapeError: if a shape differs.
        InputError: if the file cannot be written.

    Source: G. Turk, The PLY Polygon File Format, 1994.
    """
    _check_cloud(points, colours)
    vertices = np.empty(len(points), _PLY_VERTEX)
    vertices["xyz"] = points
    vertices["rgb"] = colours
    header = ["ply", "format binary_little_endian 1.0",
              "comment depthnet: metres; camera axes x right, y down, z forward",
              f"element vertex {len(points)}",
              *(f"property float {axis}" for axis in "xyz"),
              *(f"property uchar {colour}" for colour in ("red", "green", "blue")),
              "end_header", ""]  # fmt: skip
    with atomic_path(path, overwrite) as temporary, temporary.open("wb") as file:
        file.write("\n".join(header).encode("ascii"))
        file.write(vertices.tobytes())


def write_points_glb(
    path: str | Path, points: NDArray[np.floating[Any]], colours: NDArray[np.uint8], overwrite: bool = True
) -> None:
    """Write a coloured point cloud as GLB, upright in any glTF viewer.

    glTF has y up and looks along -z, so a point (x, y, z) of the camera is written as (x, -y, -z).

    Args:
        path: the file.
        points: metres, (N, 3), OpenCV camera axes.
        colours: 8-bit RGB, (N, 3).
        overwrite: False raises when the file is there already.

    Raises:
        ShapeError: if a shape differs or there is no point.
        InputError: if the file cannot be written.
    """
    _check_cloud(points, colours)
    if len(points) == 0:
        raise ShapeError("points has shape (0, 3): a GLB file needs at least one point.")
    import trimesh

    upright = np.asarray(points, np.float32) * np.array([1.0, -1.0, -1.0], np.float32)
    cloud = trimesh.PointCloud(upright, colors=colours)  # type: ignore[no-untyped-call]
    blob = trimesh.Scene(cloud).export(file_type="glb")  # type: ignore[no-untyped-call]
    with atomic_path(path, overwrite) as temporary:
        temporary.write_bytes(blob)


def _check_cloud(points: NDArray[Any], colours: NDArray[Any]) -> None:
    if points.ndim != 2 or points.shape[1] != 3:
        raise ShapeError(f"points has shape {points.shape}; expected (N, 3).")
    if colours.shape != points.shape or colours.dtype != np.uint8:
        raise ShapeError(f"colours has shape {colours.shape} {colours.dtype}; expected {points.shape} uint8.")
