"""Triangle meshes on disk: GLB with the photo as texture, PLY with a colour for each corner; axes as of the clouds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from depthnet.errors import ShapeError
from depthnet.io.glb import Glb
from depthnet.io.images import RGB
from depthnet.io.ply import write_ply
from depthnet.io.pointcloud import AXES_COMMENT, check_points, turn_upright

TEXTURE_SIDE = 4096
"""Longest side of a texture in pixels, which every viewer of today takes; a larger photo is reduced."""


@dataclass(frozen=True)
class Mesh:
    """Triangles with the photo that they show."""

    points: NDArray[np.float32]
    """Corners in metres, camera axes (x right, y down, z forward), (N, 3)."""
    faces: NDArray[np.int32]
    """Places of the corners of each triangle in ``points``, counter-clockwise as the camera sees them, (F, 3)."""
    colours: RGB
    """Colour of each corner, (N, 3)."""
    uv: NDArray[np.float32]
    """Place of each corner in the photo, (N, 2): (0, 0) is its top left corner, (1, 1) its bottom right one."""
    photo: RGB
    """The texture, (H, W, 3)."""


def write_mesh_ply(path: str | Path, mesh: Mesh, overwrite: bool = True) -> None:
    """Write a mesh as binary PLY with a colour for each corner.

    Raises:
        ShapeError: if points and colours do not fit together.
        InputError: if the file is there and ``overwrite`` is False, or cannot be written.
    """
    check_points(mesh.points, mesh.colours)
    write_ply(path, turn_upright(mesh.points), mesh.colours, mesh.faces, AXES_COMMENT, overwrite)


def write_mesh_glb(path: str | Path, mesh: Mesh, overwrite: bool = True) -> None:
    """Write a mesh as GLB with the photo as its texture, JPEG.

    Raises:
        ShapeError: if there is no triangle.
        InputError: if the file is there and ``overwrite`` is False, or cannot be written.
    """
    if len(mesh.faces) == 0:
        raise ShapeError("faces has shape (0, 3): a GLB mesh needs at least one triangle.")
    photo = Image.fromarray(mesh.photo)
    photo.thumbnail((TEXTURE_SIDE, TEXTURE_SIDE))
    glb = Glb(turn_upright(mesh.points), mesh.faces)
    glb.add_texture(mesh.uv, photo)
    glb.write(path, overwrite)
