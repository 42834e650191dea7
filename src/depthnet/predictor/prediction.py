"""Depth of one photo and the files it is written to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.config import PredictConfig
from depthnet.errors import InputError
from depthnet.geometry.surface import Surface, depth_to_surface
from depthnet.io.depth import write_depth_colour, write_depth_npy, write_depth_png
from depthnet.io.images import RGB
from depthnet.io.mesh import Mesh, write_mesh_glb, write_mesh_ply
from depthnet.io.pointcloud import write_points_glb, write_points_ply

#: Format of ``--save`` -> what follows the photo's stem in the name of its file.
OUTPUT_NAMES = {
    "png": "_depth.png",
    "colour": "_depth_colour.png",
    "npy": "_depth.npy",
    "ply": "_points.ply",
    "glb": "_points.glb",
    "mesh": "_mesh.glb",
    "mesh-ply": "_mesh.ply",
}
#: What is written of a photo by default.
DEFAULT_FORMATS = ("png", "colour")
MAX_POINTS = PredictConfig.max_points


@dataclass(frozen=True)
class Prediction:
    """Depth of one photo."""

    depth: NDArray[np.float32]
    """z-depth in metres at the photo's own size, (H, W); every pixel is known."""
    image: RGB
    """The photo, upright, (H, W, 3)."""
    focal_px: float
    """Focal length in pixels of the photo that the metres rest on."""
    focal_source: str
    """Where it comes from: ``--focal-px``, ``--fov-deg``, ``EXIF``, ``training camera``, or ``assumed view`` for a
    model that knows no training camera."""
    stem: str = "image"
    """First part of the names of the files that :meth:`save` writes."""

    @property
    def K(self) -> NDArray[np.float32]:  # noqa: N802 the name of intrinsics everywhere
        """Intrinsics of the photo in pixels, (3, 3): square pixels, principal point in the middle."""
        height, width = self.depth.shape
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        return np.array([[self.focal_px, 0, middle_x], [0, self.focal_px, middle_y], [0, 0, 1]], np.float32)

    @property
    def depth_range(self) -> tuple[float, float, float]:
        """Near end, median and far end of the depth in metres (2 % of the pixels are nearer, 2 % farther)."""
        height, width = self.depth.shape
        sample = self.depth[:: 1 + height // 256, :: 1 + width // 256]
        near, median, far = (float(metres) for metres in np.percentile(sample, (2.0, 50.0, 98.0)))
        return near, median, far

    def points(self, max_points: int = MAX_POINTS, flying: bool = False) -> tuple[NDArray[np.float32], RGB]:
        """The photo as a point cloud.

        Args:
            max_points: a photo with more pixels gives every second, third, ... of each row and column.
            flying: keep the pixels that fly between two surfaces, too; the rule: :mod:`depthnet.geometry.surface`.

        Returns:
            Metres in camera axes (x right, y down, z forward), (N, 3), and RGB, (N, 3), row by row.

        Raises:
            InputError: if ``max_points`` is not positive.
        """
        surface, stride = self._surface(max_points)
        kept = np.ones_like(surface.solid) if flying else surface.solid
        return surface.points[kept], self.image[::stride, ::stride][kept]

    def mesh(self, max_points: int = MAX_POINTS) -> Mesh:
        """The photo as triangles between neighbouring pixels, cut at the edges of surfaces, with the photo on them.

        Args:
            max_points: as in :meth:`points`; the photo on the triangles stays whole.

        Raises:
            InputError: if ``max_points`` is not positive.
        """
        surface, stride = self._surface(max_points)
        faces = surface.faces()
        used = np.zeros(surface.solid.size, bool)
        used[faces] = True
        y, x = np.divmod(np.flatnonzero(used), surface.solid.shape[1])
        uv = (stride * np.stack([x, y], axis=1) + 0.5) / self.image.shape[1::-1]
        return Mesh(
            surface.points[y, x],
            (np.cumsum(used, dtype=np.int32) - 1)[faces],
            self.image[::stride, ::stride][y, x],
            uv.astype(np.float32),
            self.image,
        )

    def _surface(self, max_points: int) -> tuple[Surface, int]:
        """Every so many-th pixel of each row and column as points, and how many."""
        stride = grid_stride(self.depth.shape, max_points)
        K = np.diag([1 / stride, 1 / stride, 1]) @ self.K
        return depth_to_surface(self.depth[::stride, ::stride], K), stride

    def save(
        self,
        out: str | Path,
        formats: str | Sequence[str] = DEFAULT_FORMATS,
        overwrite: bool = False,
        max_points: int = MAX_POINTS,
    ) -> tuple[Path, ...]:
        """Write the results into a folder, as ``STEM_depth.png`` and so on (:data:`OUTPUT_NAMES`).

        Args:
            out: the folder, made when missing.
            formats: any of ``png`` (16-bit millimetres), ``colour`` (picture with a metre scale), ``npy`` (float32
                metres), ``ply`` and ``glb`` (point cloud), ``mesh`` (GLB, with the photo as texture) and ``mesh-ply``;
                in one text, commas between. What is 3-D has x right, y up, and the camera looks along -z.
            overwrite: replace files that are there; else one that is there stops it before any is written.
            max_points: points of a cloud or corners of a mesh at most, see :meth:`points`.

        Returns:
            The written files, in the order of ``formats``.

        Raises:
            InputError: if a format is unknown or a file is there already or cannot be written.
        """
        targets = output_paths(self.stem, out, formats)
        if not overwrite:
            refuse_existing(targets.values())
        points, mesh = cache(lambda: self.points(max_points)), cache(lambda: self.mesh(max_points))
        writers: dict[str, Callable[[Path], None]] = {
            "png": lambda path: write_depth_png(path, self.depth),
            "colour": lambda path: write_depth_colour(path, self.depth),
            "npy": lambda path: write_depth_npy(path, self.depth),
            "ply": lambda path: write_points_ply(path, *points()),
            "glb": lambda path: write_points_glb(path, *points()),
            "mesh": lambda path: write_mesh_glb(path, mesh()),
            "mesh-ply": lambda path: write_mesh_ply(path, mesh()),
        }
        for name, path in targets.items():
            writers[name](path)
        return tuple(targets.values())


def output_paths(stem: str, out: str | Path, formats: str | Iterable[str]) -> dict[str, Path]:
    """Format -> file of a photo's results in the folder ``out``.

    Raises:
        InputError: if a format is unknown or none is given.
    """
    if isinstance(formats, str):
        formats = [name.strip() for name in formats.split(",") if name.strip()]
    formats = list(dict.fromkeys(formats))
    for name in formats:
        if name not in OUTPUT_NAMES:
            raise InputError(f"--save {name}: unknown; choose from {', '.join(OUTPUT_NAMES)}.")
    if not formats:
        raise InputError(f"--save: nothing to write; choose from {', '.join(OUTPUT_NAMES)}.")
    return {name: Path(out) / f"{stem}{OUTPUT_NAMES[name]}" for name in formats}


def grid_stride(size: tuple[int, ...], max_points: int) -> int:
    """The smallest step over rows and columns of a (H, W) grid that leaves ``max_points`` or fewer.

    Raises:
        InputError: if ``max_points`` is not positive.
    """
    check_max_points(max_points)
    height, width = size
    steps = count(max(1, math.isqrt(height * width // max_points)))
    return next(step for step in steps if -(-height // step) * -(-width // step) <= max_points)


def check_max_points(max_points: int) -> None:
    """Refuse a number of points that is not positive.

    Raises:
        InputError: saying so.
    """
    if max_points < 1:
        raise InputError(f"--max-points {max_points}: give 1 or more.")


def refuse_existing(targets: Iterable[Path]) -> None:
    """Stop before any work when a result is there already.

    Raises:
        InputError: naming the first one and how many there are.
    """
    existing = [path for path in targets if path.exists()]
    if existing:
        more = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise InputError(f"{existing[0]}{more}: exists already; pass --overwrite to replace, or another --out.")
