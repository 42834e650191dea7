"""Point clouds and meshes of any program, read with trimesh, as coloured points."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import InputError, one_line
from depthnet.io.images import RGB

SUFFIXES = (".ply", ".glb")
_GREY = 160


@dataclass(frozen=True)
class Scene3D:
    """What a file holds, its parts together."""

    points: NDArray[np.float32]
    """Points, or the corners of the triangles, in the axes and unit of the file (glTF: metres, y up), (N, 3)."""
    colours: RGB
    """As seen on a screen (sRGB), (N, 3); grey where the file has none."""
    faces: int
    """Number of triangles; 0 for a cloud."""


def read_scene(path: str | Path) -> Scene3D:
    """Read a PLY or GLB file.

    Raises:
        InputError: if it is missing, damaged or without a finite point.
    """
    import trimesh

    path = Path(path)
    try:
        with path.open("rb") as file:
            loaded: Any = trimesh.load_scene(file, file_type=path.suffix[1:].lower(), process=False)
        parts = [part for part in loaded.dump() if hasattr(part, "vertices")]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the path.") from error
    except Exception as error:  # trimesh raises many kinds
        raise InputError(f"{path}: no whole {path.suffix} file ({one_line(error)}); write it again.") from error
    if not parts:
        raise InputError(f"{path}: holds no point; write it again.")
    points = np.concatenate([np.asarray(part.vertices, np.float32) for part in parts])
    linear = path.suffix.lower() == ".glb"
    colours = np.concatenate([_colours(part, linear) for part in parts])
    finite = np.isfinite(points).all(axis=1)
    if not finite.any():
        raise InputError(f"{path}: holds no finite point; write it again.")
    return Scene3D(points[finite], colours[finite], sum(len(getattr(part, "faces", ())) for part in parts))


def _colours(part: Any, linear: bool) -> RGB:
    """Colours of the points of a part, (N, 3); ``linear``: those of points are linear light, those of textures not."""
    visual: Any = getattr(part, "visual", None)
    texture = getattr(getattr(visual, "material", None), "baseColorTexture", None)
    if texture is not None and visual.uv is not None:
        picture = np.asarray(texture.convert("RGB"))
        size = np.array(picture.shape[1::-1])
        places = np.clip(visual.uv * [1, -1] + [0, 1], 0, 1) * size - 0.5  # of pixel centres; trimesh has v upwards
        x, y = np.clip(np.rint(places), 0, size - 1).astype(int).T
        shown: RGB = picture[y, x]
        return shown
    found = getattr(part, "colors", None) if visual is None else getattr(visual, "vertex_colors", None)
    colours = np.asarray(found if found is not None else ())
    if len(colours) != len(part.vertices):
        return np.full((len(part.vertices), 3), _GREY, np.uint8)
    return _screen_colours(colours[:, :3]) if linear else colours[:, :3].astype(np.uint8)


def _screen_colours(linear: NDArray[np.uint8]) -> RGB:
    """From linear light to sRGB (IEC 61966-2-1)."""
    share = np.arange(256) / 255
    table = np.where(share <= 0.0031308, 12.92 * share, 1.055 * share ** (1 / 2.4) - 0.055)
    screen: RGB = np.rint(255 * table).astype(np.uint8)[linear]
    return screen
