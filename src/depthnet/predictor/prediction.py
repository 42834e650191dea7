"""Depth of one photo and the files it is written to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from depthnet.errors import InputError
from depthnet.geometry.camera import depth_to_points
from depthnet.io.depth import write_depth_colour, write_depth_npy, write_depth_png
from depthnet.io.images import RGB
from depthnet.io.pointcloud import write_points_glb, write_points_ply

#: Format of ``--save`` -> what follows the photo's stem in the name of its file.
OUTPUT_NAMES = {
    "png": "_depth.png",
    "colour": "_depth_colour.png",
    "npy": "_depth.npy",
    "ply": "_points.ply",
    "glb": "_points.glb",
}
DEFAULT_FORMATS = ("png", "colour")


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

    def points(self) -> tuple[NDArray[np.float32], RGB]:
        """The photo as a point cloud: metres (N, 3) in camera axes (x right, y down, z forward), and RGB (N, 3)."""
        points = depth_to_points(self.depth[None, None], self.K[None])[0].reshape(3, -1).T
        return points, self.image.reshape(-1, 3)

    def save(
        self, out: str | Path, formats: str | Sequence[str] = DEFAULT_FORMATS, overwrite: bool = False
    ) -> tuple[Path, ...]:
        """Write the results into a folder, as ``STEM_depth.png`` and so on (:data:`OUTPUT_NAMES`).

        Args:
            out: the folder, made when missing.
            formats: any of ``png`` (16-bit millimetres), ``colour`` (picture with a metre scale), ``npy``
                (float32 metres), ``ply`` (camera axes) and ``glb`` (upright for viewers); in one text, commas between.
            overwrite: replace files that are there; else one that is there stops it before any is written.

        Returns:
            The written files, in the order of ``formats``.

        Raises:
            InputError: if a format is unknown or a file is there already or cannot be written.
        """
        targets = output_paths(self.stem, out, formats)
        if not overwrite:
            refuse_existing(targets.values())
        for name, path in targets.items():
            if name == "png":
                write_depth_png(path, self.depth)
            elif name == "colour":
                write_depth_colour(path, self.depth)
            elif name == "npy":
                write_depth_npy(path, self.depth)
            elif name == "ply":
                write_points_ply(path, *self.points())
            else:
                write_points_glb(path, *self.points())
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


def refuse_existing(targets: Iterable[Path]) -> None:
    """Stop before any work when a result is there already.

    Raises:
        InputError: naming the first one and how many there are.
    """
    existing = [path for path in targets if path.exists()]
    if existing:
        more = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise InputError(f"{existing[0]}{more}: exists already; pass --overwrite to replace, or another --out.")
