"""PLY files of points and triangles, binary, with colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.io.files import atomic_path

_VERTEX = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])
_FACE = np.dtype([("count", "u1"), ("corners", "<i4", 3)])


def write_ply(
    path: str | Path,
    points: NDArray[np.floating[Any]],
    colours: NDArray[np.uint8],
    faces: NDArray[np.integer[Any]] | None = None,
    comment: str = "",
    overwrite: bool = True,
) -> None:
    """Write coloured points, and triangles between them, as binary little-endian PLY.

    Args:
        path: the file.
        points: (N, 3), written as they are.
        colours: 8-bit RGB, (N, 3).
        faces: places of the corners of each triangle in ``points``, (F, 3).
        comment: one line for whoever looks into the header, ASCII.
        overwrite: False raises when the file is there already.

    Raises:
        InputError: if the file cannot be written.

    Source: G. Turk, The PLY Polygon File Format, 1994.
    """
    header = ["ply", "format binary_little_endian 1.0", f"comment {comment}", f"element vertex {len(points)}"]
    header += [f"property float {axis}" for axis in "xyz"]
    header += [f"property uchar {colour}" for colour in ("red", "green", "blue")]
    vertices = np.empty(len(points), _VERTEX)
    vertices["xyz"], vertices["rgb"] = points, colours
    tables: list[NDArray[Any]] = [vertices]
    if faces is not None:
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
        triangles = np.empty(len(faces), _FACE)
        triangles["count"], triangles["corners"] = 3, faces
        tables.append(triangles)
    with atomic_path(path, overwrite) as temporary, temporary.open("wb") as file:
        file.write("\n".join([*header, "end_header", ""]).encode("ascii"))
        for table in tables:
            file.write(table.tobytes())
