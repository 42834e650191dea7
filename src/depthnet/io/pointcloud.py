"""Coloured point clouds on disk, PLY and GLB, upright in viewers.

Points are handed over in camera axes (x right, y down, z forward) and written in glTF's: x right, y up, the camera at
the origin looking along -z. PLY knows no up, but its viewers (MeshLab, CloudCompare, Open3D) begin with y up and look
along -z, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import ShapeError
from depthnet.io.glb import Glb
from depthnet.io.images import RGB
from depthnet.io.ply import write_ply

AXES_COMMENT = "depthnet: metres; x right, y up, camera at the origin looking along -z; (x, -y, -z) are camera axes"
"""What a PLY file says about its axes."""


def turn_upright(points: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """From camera axes to those of the files, (x, -y, -z), and back; (..., 3), metres."""
    turned: NDArray[np.float32] = np.asarray(points, np.float32) * np.array([1, -1, -1], np.float32)
    return turned


def write_points_ply(path: str | Path, points: NDArray[np.floating[Any]], colours: RGB, overwrite: bool = True) -> None:
    """Write a coloured point cloud as binary PLY, 15 bytes for each point.

    Args:
        path: the file.
        points: metres in camera axes, (N, 3).
        colours: 8-bit RGB, (N, 3).
        overwrite: False raises when the file is there already.

    Raises:
        ShapeError: if a shape differs.
        InputError: if the file cannot be written.
    """
    check_points(points, colours)
    write_ply(path, turn_upright(points), colours, comment=AXES_COMMENT, overwrite=overwrite)


def write_points_glb(path: str | Path, points: NDArray[np.floating[Any]], colours: RGB, overwrite: bool = True) -> None:
    """Write a coloured point cloud as GLB, 24 bytes for each point; its colours are stored in linear light.

    Args:
        path: the file.
        points: metres in camera axes, (N, 3).
        colours: 8-bit RGB, (N, 3).
        overwrite: False raises when the file is there already.

    Raises:
        ShapeError: if a shape differs or there is no point.
        InputError: if the file cannot be written.
    """
    check_points(points, colours)
    if len(points) == 0:
        raise ShapeError("points has shape (0, 3): a GLB file needs at least one point.")
    glb = Glb(turn_upright(points))
    glb.add_colours(colours)
    glb.write(path, overwrite)


def check_points(points: NDArray[Any], colours: NDArray[Any]) -> None:
    """Refuse what are no coloured points.

    Raises:
        ShapeError: if a shape or type differs.
    """
    if points.ndim != 2 or points.shape[1] != 3:
        raise ShapeError(f"points has shape {points.shape}; expected (N, 3).")
    if colours.shape != points.shape or colours.dtype != np.uint8:
        raise ShapeError(f"colours has shape {colours.shape} {colours.dtype}; expected {points.shape} uint8.")
